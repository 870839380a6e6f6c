package fairlimiter_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/internal/fairlimiter"
)

// awaitingLimiter runs steps of a Limiter for servers. In addition to the steps of recordingLimiter, "await a/1 5s" sends
// a request that takes 5 seconds, and records its end.
type awaitingLimiter struct{ *recordingLimiter }

func newAwaitingLimiter(limit, maxSlow int) *awaitingLimiter {
	s := &recordingLimiter{}
	s.Limiter = fairlimiter.NewForServers(limit, maxSlow, func(i types.NamespacedName) { s.recordNotification(i.String()) })
	return &awaitingLimiter{s}
}

func (s *awaitingLimiter) runStep(line string) string {
	words := strings.Fields(line)
	if len(words) == 3 {
		go s.await(words[1], words[2])
		synctest.Wait()
		line = ""
	}
	return s.recordingLimiter.runStep(line)
}

func (s *awaitingLimiter) await(instance, text string) {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Hour)
	defer stop()
	duration, err := time.ParseDuration(text)
	if err == nil {
		err = s.Await(ctx, parseInstance(instance), waitFor(duration))
	}
	switch {
	case err == nil:
		s.recordNotification(instance + " done")
	case errors.Is(err, fairlimiter.ErrTooSlow):
		s.recordNotification(instance + " ended")
	default:
		s.recordNotification(err.Error())
	}
}

// waitFor returns a request that takes a time.
func waitFor(duration time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(duration):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestSlowServersHoldNoSlots(t *testing.T) {
	for _, c := range []struct {
		why            string
		limit, maxSlow int
		// lines are steps, each with " = " and its result.
		lines []string
	}{
		{"a request that is fast keeps its slot", 1, 1, []string{
			"acquire a/1 = granted", "acquire b/1 = queued", "await a/1 1s =", "wait 3s = a/1 done", "release a/1 = b/1"}},
		{"a slow request releases its slot after 2 seconds, and acquires it again", 1, 1, []string{
			"acquire a/1 = granted", "acquire b/1 = queued", "await a/1 10s =", "wait 1999ms =", "wait 1ms = b/1", "acquire b/1 = granted",
			"wait 9s =", "release b/1 = a/1 done", "acquire c/1 = queued", "release a/1 = c/1"}},
		{"several requests of an instance have 2 seconds in total", 1, 1, []string{
			"acquire a/1 = granted", "acquire b/1 = queued", "await a/1 1500ms =", "wait 1500ms = a/1 done", "await a/1 10s =", "wait 499ms =", "wait 1ms = b/1"}},
		{"a slow instance sends further requests without a slot", 2, 1, []string{
			"acquire a/1 = granted", "await a/1 3s =", "wait 3s = a/1 done", "await a/1 10s =", "acquire a/2 = granted", "acquire b/1 = granted"}},
		{"the oldest request ends if too many are slow and another namespace waits", 1, 2, []string{
			"acquire a/1 = granted", "await a/1 1h =", "wait 2s =", "acquire b/1 = granted", "await b/1 1h =", "wait 2s =",
			"acquire c/1 = granted", "await c/1 1h =", "acquire d/1 = queued", "wait 2s = d/1 a/1 ended", "release a/1 =", "acquire d/1 = granted"}},
		{"a namespace with more slow requests loses one first", 1, 2, []string{
			"acquire b/1 = granted", "await b/1 1h =", "wait 2s =", "acquire a/1 = granted", "await a/1 1h =", "wait 2s =",
			"acquire a/2 = granted", "await a/2 1h =", "acquire c/1 = queued", "wait 2s = c/1 a/1 ended"}},
		{"no request ends while no other namespace waits", 1, 1, []string{
			"acquire a/1 = granted", "await a/1 1h =", "wait 2s =", "acquire a/2 = granted", "await a/2 1h =", "acquire a/3 = queued", "wait 10s =",
			"acquire b/1 = queued", "wait 2s = a/1 ended b/1"}},
		{"a slow request that ends makes room for the next, and acquires its slot", 1, 1, []string{
			"acquire a/1 = granted", "await a/1 5s =", "wait 2s =", "acquire a/2 = granted", "await a/2 1h =", "acquire a/3 = queued", "wait 4s = a/1 done",
			"release a/1 = a/3"}},
		{"an instance whose request was ended sends no other", 1, 1, []string{
			"acquire a/1 = granted", "await a/1 1h =", "wait 2s =", "acquire a/2 = granted", "await a/2 1h =", "acquire b/1 = queued", "wait 2s = a/1 ended b/1",
			"await a/1 1s = a/1 ended", "release a/1 =", "acquire b/1 = granted", "release b/1 =", "acquire a/1 = granted", "await a/1 1s =", "wait 1s = a/1 done"}},
		{"a request without a slot is not limited", 1, 1, []string{"await a/1 1h =", "wait 1h = a/1 done"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewWithT(t)
				s := newAwaitingLimiter(c.limit, c.maxSlow)
				for _, line := range c.lines {
					do, want, ok := strings.Cut(line, " =")
					g.Expect(ok).To(BeTrue(), line)
					got := s.runStep(do)
					synctest.Wait()
					came := strings.Fields(got + " " + s.runStep(""))
					g.Expect(came).To(ConsistOf(strings.Fields(want)), do)
				}
				time.Sleep(10 * time.Hour) // All requests end.
			})
		})
	}
}

// TestSlowNamespacesDoNotDelayOne has namespaces with many instances whose requests do not end, and one namespace
// with an instance whose requests are fast.
func TestSlowNamespacesDoNotDelayOne(t *testing.T) {
	for namespaces, within := range map[int]time.Duration{2: 3 * time.Second, 20: 20 * time.Second} {
		t.Run(fmt.Sprint(namespaces), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewWithT(t)
				ctx, stop := context.WithCancel(t.Context())
				w := newServerWorkers(ctx, 4, 8)
				for n := range namespaces {
					for i := range 30 {
						w.start(fmt.Sprintf("slow%d/%d", n, i), func() time.Duration { return time.Hour })
					}
				}
				time.Sleep(time.Minute)
				begin := time.Now()
				done := w.start("fast/1", func() time.Duration { return time.Second })
				<-done
				g.Expect(time.Since(begin)).To(BeNumerically("<", within))
				stop()
				w.workers.Wait()
				g.Expect(w.mostBusy).To(Equal(4), "slots are used")
				g.Expect(w.Running() + w.Waiting()).To(BeZero())
			})
		})
	}
}

// TestRequestsOfAnyDuration runs instances with requests of random durations, and checks the limits. All instances
// have a successful request in the end.
func TestRequestsOfAnyDuration(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			g := NewWithT(t)
			random := rand.New(rand.NewPCG(seed, 0))
			limit, maxSlow := 1+random.IntN(5), 1+random.IntN(8)
			w := newServerWorkers(t.Context(), limit, maxSlow)
			for n := range 5 {
				for i := range 1 + random.IntN(10) {
					first := time.Duration(random.IntN(20000)) * time.Millisecond
					w.start(fmt.Sprintf("%d/%d", n, i), func() time.Duration { first /= 2; return first })
				}
			}
			w.workers.Wait()
			g.Expect(w.mostBusy).To(BeNumerically("<=", limit), "seed %d", seed)
			g.Expect(w.Running()+w.Waiting()).To(BeZero(), "seed %d", seed)
		})
	}
}

// serverWorkers reconciles instances. Each has a worker that repeats its requests until they succeed.
type serverWorkers struct {
	*fairlimiter.Limiter
	ctx      context.Context
	workers  sync.WaitGroup
	mu       sync.Mutex
	notified map[string]chan struct{}
	// busy are the instances with a slot that send no request. mostBusy is their maximum.
	busy, mostBusy int
}

func newServerWorkers(ctx context.Context, limit, maxSlow int) *serverWorkers {
	w := &serverWorkers{ctx: ctx, notified: map[string]chan struct{}{}}
	w.Limiter = fairlimiter.NewForServers(limit, maxSlow, func(i types.NamespacedName) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.notified[i.String()] <- struct{}{}
	})
	return w
}

// start starts the worker of an instance, and returns a channel that is closed when its request has succeeded.
func (w *serverWorkers) start(name string, next func() time.Duration) <-chan struct{} {
	notified, done := make(chan struct{}, 1), make(chan struct{})
	w.mu.Lock()
	w.notified[name] = notified
	w.mu.Unlock()
	w.workers.Go(func() {
		defer close(done)
		defer w.Cancel(parseInstance(name))
		for w.ctx.Err() == nil {
			if !w.TryAcquire(parseInstance(name)) {
				select {
				case <-notified:
				case <-w.ctx.Done():
				}
				continue
			}
			if w.work(name, next()) == nil {
				return
			}
		}
	})
	return done
}

func (w *serverWorkers) work(name string, request time.Duration) error {
	defer w.Release(parseInstance(name))
	w.doWork()
	err := w.Await(w.ctx, parseInstance(name), waitFor(request))
	if err == nil {
		w.doWork()
	}
	return err
}

// doWork works for a time with a slot.
func (w *serverWorkers) doWork() {
	w.addBusy(1)
	time.Sleep(10 * time.Millisecond)
	w.addBusy(-1)
}

func (w *serverWorkers) addBusy(count int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy += count
	w.mostBusy = max(w.mostBusy, w.busy)
}
