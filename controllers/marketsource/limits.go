package marketsource

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

const (
	// changesPerSecond is the rate at which the AppInfos of a namespace are written. Up to
	// MaxApps of them can be written in a burst.
	changesPerSecond = 20
	// costlyDuration is the reading time from which on a source is requested less often than its
	// interval.
	costlyDuration = time.Second
	// restPerWork is the factor by which the interval of such a source exceeds its reading
	// time, so that it uses at most a twentieth of a processor.
	restPerWork = 20
)

// checkAllowance returns an error if the listing would exceed the maximum number of apps of
// the namespace, and a waiting error if its changes exceed the write rate.
func (r *Reconciler) checkAllowance(ctx context.Context, s *scope, changes int) error {
	if r.MaxApps <= 0 {
		return nil
	}
	others, err := countOtherApps(ctx, r, s.source)
	if err != nil {
		return err
	}
	if listed := len(s.listing.Apps); listed > len(s.apps) && others+listed > r.MaxApps {
		return outcome.Stalled(v1alpha1.ReasonAllowanceExceeded, fmt.Errorf(
			"exceeded limit of %d apps in namespace %q: the source offers %s, and other sources have %d; narrow spec.filter.include, or ask a cluster administrator to increase --namespace-apps",
			r.MaxApps, s.source.Namespace, text.Count(listed, "app", "apps"), others))
	}
	if delay := r.writeLimits.reserveWrites(r.now(), s.source.Namespace, changes, r.MaxApps); delay > 0 {
		return outcome.Waiting(v1alpha1.ReasonWaitingForTurn, delay, fmt.Errorf(
			"the sources of namespace %q change more apps than the rate limit allows; the listing is applied later", s.source.Namespace))
	}
	return nil
}

// countOtherApps returns the number of AppInfos in the namespace that belong to other sources.
func countOtherApps(ctx context.Context, r *Reconciler, source *v1alpha1.MarketSource) (int, error) {
	var list v1alpha1.AppInfoList
	if err := r.Client.List(ctx, &list, client.InNamespace(source.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("list apps: %w", err)
	}
	count := 0
	for i := range list.Items {
		if list.Items[i].Labels[v1alpha1.SourceLabel] != source.Name {
			count++
		}
	}
	return count, nil
}

// writeLimiter limits the rate of AppInfo writes of each namespace.
type writeLimiter struct {
	mu         sync.Mutex
	namespaces map[string]*rate.Limiter
}

// reserveWrites takes a number of writes from the burst of a namespace. If too few are left, it
// takes none and returns the time until enough are available.
func (c *writeLimiter) reserveWrites(now time.Time, namespace string, number, burst int) time.Duration {
	if number == 0 {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, limiter := range c.namespaces {
		if name != namespace && limiter.TokensAt(now) >= float64(limiter.Burst()) {
			delete(c.namespaces, name) // A new limiter would have the same state.
		}
	}
	if c.namespaces == nil {
		c.namespaces = map[string]*rate.Limiter{}
	}
	if c.namespaces[namespace] == nil {
		c.namespaces[namespace] = rate.NewLimiter(changesPerSecond, burst)
	}
	taken := c.namespaces[namespace].ReserveN(now, min(number, burst))
	delay := taken.DelayFrom(now)
	if delay > 0 {
		taken.CancelAt(now)
	}
	return delay
}
