package registry_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/appmarket/operator/internal/images"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/registry"
)

// fakeInspector is an Inspector that counts calls and returns configured errors. Each call
// takes the configured time, which is simulated: the tests run in a synctest bubble.
type fakeInspector struct {
	delay  time.Duration
	answer func(reference string) error

	mu    sync.Mutex
	count map[string]int
	now   atomic.Int32
	peak  atomic.Int32
}

func (a *fakeInspector) Inspect(ctx context.Context, reference string) (images.Detail, error) {
	a.peak.Store(max(a.peak.Load(), a.now.Add(1)))
	defer a.now.Add(-1)
	a.mu.Lock()
	if a.count == nil {
		a.count = map[string]int{}
	}
	a.count[reference]++
	a.mu.Unlock()
	select {
	case <-time.After(a.delay):
	case <-ctx.Done():
		return images.Detail{}, ctx.Err()
	}
	if a.answer != nil {
		if err := a.answer(reference); err != nil {
			return images.Detail{}, err
		}
	}
	return images.Detail{Digest: reference, Platforms: []images.Platform{{OS: "linux"}}}, nil
}

func (a *fakeInspector) callCount(reference string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.count[reference]
}

const byDigest = "registry.example/web@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

func TestCachedStoresResults(t *testing.T) {
	notFound := outcome.Stalled(v1alpha1.ReasonImageNotFound, errors.New("no such image"))
	denied := fmt.Errorf("registry: %w", registry.ErrDenied)
	down := fmt.Errorf("registry: %w", registry.ErrUnreachable)
	cases := []struct {
		why       string
		reference string
		err       error
		after     time.Duration
		again     bool
	}{
		{"a tag within the TTL", "a.example/x:1", nil, 59 * time.Minute, false},
		{"a tag after the TTL, which may have moved", "a.example/x:1", nil, 61 * time.Minute, true},
		{"a digest indefinitely", byDigest, nil, 1000 * time.Hour, false},
		{"a missing image for a short time", "a.example/x:1", notFound, 59 * time.Second, false},
		{"a missing image again, which may have been pushed", "a.example/x:1", notFound, 61 * time.Second, true},
		{"a missing digest", byDigest, notFound, 61 * time.Second, true},
		{"denied access", "a.example/x:1", denied, 59 * time.Second, false},
		{"an unavailable registry is not cached", "a.example/x:1", down, 0, true},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewWithT(t)
				inner := &fakeInspector{answer: func(string) error { return c.err }}
				cached := registry.Cached(inner, time.Hour, 10)

				first, firstErr := cached.Inspect(t.Context(), c.reference)
				time.Sleep(c.after)
				second, secondErr := cached.Inspect(t.Context(), c.reference)

				g.Expect(second).To(Equal(first))
				g.Expect(errors.Is(secondErr, c.err)).To(BeTrue())
				g.Expect(errors.Is(firstErr, c.err)).To(BeTrue())
				g.Expect(inner.callCount(c.reference)).To(Equal(map[bool]int{false: 1, true: 2}[c.again]))
			})
		})
	}
}

func TestCachedIsLimitedToItsSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		inner := &fakeInspector{}
		cached := registry.Cached(inner, time.Hour, 2)
		for _, reference := range []string{"a.example/a:1", "a.example/b:1", "a.example/c:1", "a.example/c:1", "a.example/a:1"} {
			_, err := cached.Inspect(t.Context(), reference)
			g.Expect(err).NotTo(HaveOccurred())
		}
		g.Expect(inner.callCount("a.example/a:1")).To(Equal(2), "the oldest entry was evicted")
		g.Expect(inner.callCount("a.example/c:1")).To(Equal(1))
	})
}

func TestCachedSharesConcurrentRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		inner := &fakeInspector{delay: time.Second}
		cached := registry.Cached(inner, time.Hour, 10)
		hasty, giveUp := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			_, err := cached.Inspect(hasty, "nginx")
			g.Expect(err).To(MatchError(context.Canceled))
		})
		synctest.Wait()
		for _, reference := range []string{"nginx", "nginx:latest", "docker.io/library/nginx:latest"} {
			all.Go(func() {
				detail, err := cached.Inspect(t.Context(), reference)
				g.Expect(err).NotTo(HaveOccurred(), "the other callers are independent of the first one")
				detail.Platforms[0].OS = "mine"
			})
		}
		synctest.Wait()
		giveUp()
		all.Wait()

		detail, err := cached.Inspect(t.Context(), "nginx")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(detail.Platforms[0].OS).To(Equal("linux"), "callers cannot change the cache")
		g.Expect(inner.callCount("nginx")).To(Equal(1))
		g.Expect(inner.count).To(HaveLen(1))
	})
}

func TestLimitedBoundsConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		inner := &fakeInspector{delay: time.Second}
		limited := registry.Limited(inner, 2)
		start := time.Now()
		var all sync.WaitGroup
		for i := range 6 {
			for _, host := range []string{"a.example", "b.example"} {
				all.Go(func() {
					_, err := limited.Inspect(t.Context(), fmt.Sprintf("%s/x:%d", host, i))
					g.Expect(err).NotTo(HaveOccurred())
				})
			}
		}
		all.Wait()
		g.Expect(inner.peak.Load()).To(Equal(int32(4)), "two for each registry")
		g.Expect(time.Since(start)).To(Equal(3 * time.Second))
	})
}

func TestLimitedStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		limited := registry.Limited(&fakeInspector{delay: time.Hour}, 1)
		var all sync.WaitGroup
		all.Go(func() {
			_, err := limited.Inspect(t.Context(), "a.example/x:1")
			g.Expect(err).NotTo(HaveOccurred())
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := limited.Inspect(ctx, "a.example/x:2")
		g.Expect(err).To(MatchError(context.DeadlineExceeded))
		all.Wait()
	})
}

func TestGuardedStopsAccessingUnreachableRegistry(t *testing.T) {
	for _, kind := range []error{registry.ErrUnreachable, registry.ErrRateLimited} {
		t.Run(kind.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewWithT(t)
				dead := true
				inner := &fakeInspector{delay: time.Second, answer: func(reference string) error {
					if dead && reference[0] == 'a' {
						return kind
					}
					return nil
				}}
				guarded := registry.Guarded(inner, time.Minute)
				ask := func(reference string) error {
					_, err := guarded.Inspect(t.Context(), reference)
					return err
				}

				g.Expect(ask("a.example/x:1")).To(MatchError(kind))
				start := time.Now()
				g.Expect(ask("a.example/x:2")).To(MatchError(kind))
				g.Expect(time.Since(start)).To(BeZero(), "it is not accessed")
				g.Expect(inner.callCount("a.example/x:2")).To(BeZero())
				g.Expect(ask("b.example/x:1")).To(Succeed(), "other registries are not affected")

				time.Sleep(time.Minute)
				g.Expect(ask("a.example/x:3")).To(MatchError(kind))
				g.Expect(inner.callCount("a.example/x:3")).To(Equal(1), "one inspection is allowed after the pause")
				g.Expect(ask("a.example/x:4")).To(MatchError(kind))
				g.Expect(inner.callCount("a.example/x:4")).To(BeZero())

				dead = false
				time.Sleep(time.Minute)
				g.Expect(ask("a.example/x:5")).To(Succeed())
				g.Expect(ask("a.example/x:6")).To(Succeed())
			})
		})
	}
}

func TestGuardedAllowsOneInspectionAfterThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		inner := &fakeInspector{delay: time.Second, answer: func(string) error { return registry.ErrUnreachable }}
		guarded := registry.Guarded(inner, time.Minute)
		_, err := guarded.Inspect(t.Context(), "a.example/x:1")
		g.Expect(err).To(MatchError(registry.ErrUnreachable))
		time.Sleep(time.Minute)

		hasty, giveUp := context.WithCancel(t.Context())
		giveUp()
		_, err = guarded.Inspect(hasty, "a.example/x:2")
		g.Expect(err).To(MatchError(context.Canceled), "a canceled inspection is followed by another one")

		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				_, err := guarded.Inspect(t.Context(), "a.example/x:3")
				g.Expect(err).To(MatchError(registry.ErrUnreachable))
			})
		}
		all.Wait()
		g.Expect(inner.callCount("a.example/x:3")).To(Equal(1))
	})
}

// TestGuardedSurvivesAPanic expects that a registry is accessed again after an inspection of it has panicked.
func TestGuardedSurvivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		var answer error
		inner := &fakeInspector{answer: func(string) error {
			if answer == nil {
				panic("broken manifest")
			}
			return answer
		}}
		inspector := registry.Guarded(inner, time.Minute)
		answer = registry.ErrUnreachable
		_, err := inspector.Inspect(t.Context(), "a.example/x:1")
		g.Expect(err).To(MatchError(registry.ErrUnreachable))
		time.Sleep(2 * time.Minute)
		answer = nil
		_, err = inspector.Inspect(t.Context(), "a.example/x:1")
		g.Expect(err).To(MatchError(ContainSubstring("broken manifest")))
		_, err = inspector.Inspect(t.Context(), "a.example/x:1")
		g.Expect(err).To(MatchError(ContainSubstring("broken manifest")))
		g.Expect(inner.callCount("a.example/x:1")).To(Equal(3))
	})
}

// TestCachedEndsRequestsWithoutCallers expects that a request without a caller ends.
func TestCachedEndsRequestsWithoutCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		inner := &fakeInspector{delay: 24 * time.Hour}
		inspector := registry.Cached(registry.Limited(inner, 1), time.Hour, 10)
		for _, reference := range []string{"a.example/x:1", "a.example/x:2"} {
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			_, err := inspector.Inspect(ctx, reference)
			stop()
			g.Expect(err).To(MatchError(context.DeadlineExceeded))
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		inner.delay = 0
		_, err := inspector.Inspect(t.Context(), "a.example/x:2")
		g.Expect(err).NotTo(HaveOccurred(), "the slot of the registry is free again")
	})
}

func TestCatalogWithoutNetworkFinishesInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		inner := &fakeInspector{delay: 5 * time.Second, answer: func(string) error { return registry.ErrUnreachable }}
		stack := registry.Cached(registry.Limited(registry.Guarded(inner, time.Minute), 4), time.Hour, 1000)
		start := time.Now()
		var all sync.WaitGroup
		for i := range 500 {
			all.Go(func() {
				_, err := stack.Inspect(t.Context(), fmt.Sprintf("docker.io/team/app:%d", i))
				g.Expect(err).To(MatchError(registry.ErrUnreachable))
			})
		}
		all.Wait()
		g.Expect(time.Since(start)).To(Equal(5 * time.Second))
	})
}
