package source

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

var errRegistryHTTP = errors.New("the registry does not support https; set spec.oci.insecure to true to allow http")

// registryTransport sends the requests to a registry, including requests for tokens and
// redirected ones.
type registryTransport struct {
	base     http.RoundTripper
	registry name.Registry
	insecure bool
	// authenticated reports whether there are credentials for the registry.
	authenticated bool
	// retryAfter is the value of the last Retry-After header, in nanoseconds.
	retryAfter atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (t *registryTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := t.checkRequest(request); err != nil {
		if request.Body != nil {
			err = errors.Join(err, request.Body.Close())
		}
		return nil, err
	}
	response, err := t.base.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusServiceUnavailable {
		t.retryAfter.Store(int64(netguard.RetryAfter(response.Header, time.Now())))
	}
	limit := int64(maxManifestBytes)
	if strings.Contains(request.URL.Path, "/blobs/") || request.Response != nil {
		limit = chart.MaxArchiveBytes // A blob, or what a registry redirects to.
	}
	response.Body = netguard.LimitBody(response.Body, limit)
	return response, nil
}

func (t *registryTransport) checkRequest(request *http.Request) error {
	if request.URL.Scheme != "https" && !t.insecure && !netguard.IsLoopback(request.URL.Hostname()) {
		return errRegistryHTTP
	}
	if t.authenticated {
		if err := netguard.CheckCredentials(request, t.registry.RegistryStr()); err != nil {
			return err
		}
	}
	return netguard.CheckRedirected(request)
}

// credentialsAdvice returns what to do if the registry rejects a request.
func (c *registryClient) credentialsAdvice() string {
	if c.field == "" {
		return "the operator accesses this registry anonymously; check that the repository exists"
	}
	return "check the credentials in the Secret of " + c.field + ".secretRef, and that the repository exists"
}

// toError returns the error for a failed request about a repository, tag or digest.
func (c *registryClient) toError(target fmt.Stringer, err error) error {
	about := urlOf(target)
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		return c.responseError(about, answer)
	}
	for _, known := range []error{errRegistryHTTP, netguard.ErrTokenServer} {
		if errors.Is(err, known) {
			return outcome.Stalled(v1alpha1.ReasonNotAllowed, fmt.Errorf("get %s: %w", about, known))
		}
	}
	if errors.Is(err, netguard.ErrTooLarge) {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("get %s: the response is too large", about))
	}
	return accessError(about, c.field, err)
}

// responseError returns the error for a response with an error status. The text of the response
// is not quoted.
func (c *registryClient) responseError(about string, answer *transport.Error) error {
	err := fmt.Errorf("get %s: registry returned %d %s", about, answer.StatusCode, http.StatusText(answer.StatusCode))
	switch answer.StatusCode {
	case http.StatusNotFound:
		return outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf("%w: check %s", err, cmp.Or(c.field, "the URL")))
	case http.StatusUnauthorized, http.StatusForbidden:
		return outcome.Failed(v1alpha1.ReasonUnauthorized, fmt.Errorf("%w: %s", err, c.credentialsAdvice()))
	case http.StatusProxyAuthRequired:
		return accessError(about, c.field, netguard.ProxyStatus(answer.StatusCode))
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if after := time.Duration(c.guard.retryAfter.Load()); after > 0 {
			return outcome.Waiting(v1alpha1.ReasonRateLimited, after, err)
		}
	}
	if answer.StatusCode == http.StatusTooManyRequests {
		return outcome.Failed(v1alpha1.ReasonRateLimited, err)
	}
	return outcome.Failed(v1alpha1.ReasonFetchFailed, err)
}
