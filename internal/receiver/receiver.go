// Package receiver accepts the webhooks of servers that report changes of a source.
//
// A webhook requests a synchronization, as a user does with the annotation
// appmarket.io/reconcile-requested-at. Nothing of its body is used, so that a request that is sent again
// has no other effect than another check of the origin.
//
// Anybody can send requests. All requests that are not accepted have the same response at the same
// delay, so that they do not reveal which sources exist or have a receiver. The body, the number of
// requests at a time and their rate for each source are limited, so that requests to one source do not
// use up the limit of others. A source is synchronized at most once in minInterval: a request that comes
// earlier is carried out at the end of the interval.
package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/fairsemaphore"
	"github.com/appmarket/operator/internal/outcome"
)

// PathPrefix is the beginning of the paths of webhooks, which is followed by namespace and source.
const PathPrefix = "/hooks/"

const (
	// MaxBodyBytes is the maximum size of the body of a webhook.
	MaxBodyBytes = 1 << 20
	// minTokenBytes is the minimum length of a token.
	minTokenBytes = 16
	// minInterval is the minimum time between two synchronizations of a source.
	minInterval = 10 * time.Second
	// rejectDelay is the time after which a request is rejected, for whatever reason.
	rejectDelay = 500 * time.Millisecond
	// requestTimeout is the time limit for the requests to the API server.
	requestTimeout = 10 * time.Second
	// requestsPerSecond and requestBurst limit the requests of one source in a URL.
	requestsPerSecond, requestBurst = 5, 20
	// maxConcurrent is the maximum number of requests at a time, and maxLookups the number that read
	// their source and its token.
	maxConcurrent, maxLookups = 50, 8
	// maxLimiters is the maximum number of sources whose rate is known.
	maxLimiters = 1000
)

// Handler serves webhooks. Use New.
type Handler struct {
	sources, secrets client.Reader
	trigger          func(ctx context.Context, source types.NamespacedName) error
	log              logr.Logger

	admission admission
	// lookups limits the requests to the API server, fairly among namespaces.
	lookups *fairsemaphore.Semaphore

	mu       sync.Mutex
	limiters map[types.NamespacedName]*rate.Limiter
	// requested contains the time of the last or the next synchronization of each source.
	requested map[types.NamespacedName]time.Time
}

// New returns a Handler. sources can be a cache. trigger requests the synchronization of a source.
func New(sources, secrets client.Reader, trigger func(ctx context.Context, source types.NamespacedName) error, log logr.Logger) *Handler {
	return &Handler{
		sources: sources, secrets: secrets, trigger: trigger, log: log, admission: admission{limit: maxConcurrent},
		lookups: fairsemaphore.New(maxLookups), limiters: map[types.NamespacedName]*rate.Limiter{}, requested: map[types.NamespacedName]time.Time{},
	}
}

// errRejected is the error for a request that is not accepted because of its sender.
var errRejected = errors.New("request rejected")

// ServeHTTP responds with 202 to a request that is accepted, 429 if there are too many, 503 if the API
// server does not respond, and otherwise 404.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	w.Header().Set("Cache-Control", "no-store")
	source, isHook := parsePath(r)
	if isHook && !h.limiterFor(source).Allow() {
		writeLimited(w)
		return
	}
	r, leave := h.admission.admit(w, r)
	defer leave()
	err := errRejected
	if isHook {
		err = h.acceptRequest(r, source)
	}
	if err == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	waitUntil(r.Context(), begin.Add(rejectDelay))
	switch {
	case errors.Is(context.Cause(r.Context()), errDisplaced):
		writeLimited(w)
	case errors.Is(err, errRejected):
		http.Error(w, http.StatusText(http.StatusNotFound), http.StatusNotFound)
	default:
		h.log.Error(err, "Failed to handle a webhook", "namespace", source.Namespace, "source", source.Name)
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
	}
}

// parsePath returns the source of a webhook.
func parsePath(r *http.Request) (types.NamespacedName, bool) {
	namespace, name, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, PathPrefix), "/")
	isName := len(validation.IsDNS1123Label(namespace)) == 0 && len(validation.IsDNS1123Label(name)) == 0
	return types.NamespacedName{Namespace: namespace, Name: name}, ok && isName && r.Method == http.MethodPost
}

func writeLimited(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "10")
	http.Error(w, http.StatusText(http.StatusTooManyRequests), http.StatusTooManyRequests)
}

// waitUntil waits until a time, or until the client has gone.
func waitUntil(ctx context.Context, end time.Time) {
	timer := time.NewTimer(time.Until(end))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// limiterFor returns the limiter of the requests for a source, which may not exist.
func (h *Handler) limiterFor(source types.NamespacedName) *rate.Limiter {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.limiters[source] == nil {
		for name, limiter := range h.limiters {
			if len(h.limiters) >= maxLimiters || limiter.Tokens() >= requestBurst {
				delete(h.limiters, name) // A new limiter would have the same state, or there are too many.
			}
		}
		h.limiters[source] = rate.NewLimiter(requestsPerSecond, requestBurst)
	}
	return h.limiters[source]
}

// acceptRequest verifies a request and requests the synchronization of its source.
func (h *Handler) acceptRequest(r *http.Request, name types.NamespacedName) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBodyBytes+1))
	if err != nil || len(body) > MaxBodyBytes {
		return errRejected
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	spec, token, err := h.readReceiver(ctx, name)
	if err != nil {
		return err
	}
	if spec == nil {
		spec = &v1alpha1.Receiver{Type: v1alpha1.ReceiverGeneric}
	}
	if !isAuthentic(spec.Type, r, body, token) || len(token) < minTokenBytes {
		return errRejected
	}
	return h.requestSync(ctx, name)
}

// readReceiver returns the receiver of a source and its token, nil if it has none or does not exist.
func (h *Handler) readReceiver(ctx context.Context, name types.NamespacedName) (*v1alpha1.Receiver, []byte, error) {
	if err := h.lookups.Acquire(ctx, name.Namespace); err != nil {
		return nil, nil, fmt.Errorf("wait for other webhooks: %w", err)
	}
	defer h.lookups.Release(name.Namespace)
	source := &v1alpha1.MarketSource{}
	if err := h.sources.Get(ctx, name, source); client.IgnoreNotFound(err) != nil {
		return nil, nil, fmt.Errorf("get source: %w", err)
	}
	token, err := h.readToken(ctx, source)
	return source.Spec.Receiver, token, err
}

// readToken returns the token of a source, nil if it has none. A Secret without the label, and one that may not be
// read, are like one that does not exist.
func (h *Handler) readToken(ctx context.Context, source *v1alpha1.MarketSource) ([]byte, error) {
	if source.Spec.Receiver == nil {
		return nil, nil
	}
	secret := &corev1.Secret{}
	key := types.NamespacedName{Namespace: source.Namespace, Name: source.Spec.Receiver.SecretRef.Name}
	err := h.secrets.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		h.log.Info("Could not read the token of a receiver", "namespace", source.Namespace, "source", source.Name, "error", err.Error())
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get token: %w", err)
	}
	if secret.Labels[v1alpha1.CredentialsLabel] != "true" {
		return nil, nil
	}
	return secret.Data["token"], nil
}

// requestSync requests the synchronization of a source now, or at the end of its interval.
func (h *Handler) requestSync(ctx context.Context, source types.NamespacedName) error {
	now := time.Now()
	h.mu.Lock()
	for name, at := range h.requested {
		if now.Sub(at) > minInterval {
			delete(h.requested, name)
		}
	}
	last, isKnown := h.requested[source]
	delay := time.Duration(0)
	switch {
	case !isKnown:
		h.requested[source] = now
	case last.After(now):
		h.mu.Unlock()
		return nil // The request that waits reads this change too.
	default:
		delay = last.Add(minInterval).Sub(now)
		h.requested[source] = last.Add(minInterval)
	}
	h.mu.Unlock()
	if delay <= 0 {
		return h.trigger(ctx, source)
	}
	time.AfterFunc(delay, func() { h.triggerLater(source) })
	return nil
}

// triggerLater requests a synchronization without a client that waits for it.
func (h *Handler) triggerLater(source types.NamespacedName) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	if err := outcome.Guarded(func() error { return h.trigger(ctx, source) })(); err != nil {
		h.log.Error(err, "Failed to request the synchronization of a source", "namespace", source.Namespace, "source", source.Name)
	}
}
