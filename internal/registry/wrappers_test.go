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

// asked is an Inspector that counts and answers as it is told. Each question
// takes the given time, which is not real: the tests run in a bubble.
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

func TestCachedRemembers(t *testing.T) {
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
		{"a tag within its time", "a.example/x:1", nil, 59 * time.Minute, false},
		{"a tag after its time: it may have moved", "a.example/x:1", nil, 61 * time.Minute, true},
		{"a digest for ever", byDigest, nil, 1000 * time.Hour, false},
		{"a no for a short time", "a.example/x:1", notFound, 59 * time.Second, false},
		{"a no is asked again soon, someone may have pushed the image", "a.example/x:1", notFound, 61 * time.Second, true},
		{"a no about a digest too", byDigest, notFound, 61 * time.Second, true},
		{"missing access likewise", "a.example/x:1", denied, 59 * time.Second, false},
		{"a registry that was down is no answer to remember", "a.example/x:1", down, 0, true},
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

func TestCachedKeepsNoMoreThanItsSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		inner := &fakeInspector{}
		cached := registry.Cached(inner, time.Hour, 2)
		for _, reference := range []string{"a.example/a:1", "a.example/b:1", "a.example/c:1", "a.example/c:1", "a.example/a:1"} {
			_, err := cached.Inspect(t.Context(), reference)
			g.Expect(err).NotTo(HaveOccurred())
		}
		g.Expect(inner.callCount("a.example/a:1")).To(Equal(2), "it was the oldest")
		g.Expect(inner.callCount("a.example/c:1")).To(Equal(1))
	})
}

func TestCachedAsksOnceForManyAtTheSameTime(t *testing.T) {
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
				g.Expect(err).NotTo(HaveOccurred(), "that the first one gave up is not their concern")
				detail.Platforms[0].OS = "mine"
			})
		}
		synctest.Wait()
		giveUp()
		all.Wait()

		detail, err := cached.Inspect(t.Context(), "nginx")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(detail.Platforms[0].OS).To(Equal("linux"), "callers do not write into the cache")
		g.Expect(inner.callCount("nginx")).To(Equal(1))
		g.Expect(inner.count).To(HaveLen(1))
	})
}

func TestLimitedAsksFewAtATime(t *testing.T) {
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
		g.Expect(inner.peak.Load()).To(Equal(int32(4)), "two for each of two registries")
		g.Expect(time.Since(start)).To(Equal(3 * time.Second))
	})
}

func TestLimitedWaitsNoLongerThanItsCaller(t *testing.T) {
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

func TestGuardedLeavesADeadRegistryAlone(t *testing.T) {
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
				g.Expect(time.Since(start)).To(BeZero(), "it is not asked")
				g.Expect(inner.callCount("a.example/x:2")).To(BeZero())
				g.Expect(ask("b.example/x:1")).To(Succeed(), "the others are not affected")

				time.Sleep(time.Minute)
				g.Expect(ask("a.example/x:3")).To(MatchError(kind))
				g.Expect(inner.callCount("a.example/x:3")).To(Equal(1), "one question finds out that it is still so")
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

func TestGuardedLetsOneQuestionTryAfterThePause(t *testing.T) {
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
		g.Expect(err).To(MatchError(context.Canceled), "it says nothing about the registry, so the next one tries")

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

func TestCatalogWithoutANetworkIsThroughInSeconds(t *testing.T) {
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
