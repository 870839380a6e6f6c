package fairlimiter_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/internal/fairlimiter"
)

func parseInstance(text string) types.NamespacedName {
	namespace, name, _ := strings.Cut(text, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// recordingLimiter is a Limiter that records which instances it notified.
type recordingLimiter struct {
	*fairlimiter.Limiter
	mu       sync.Mutex
	notified []string
}

func newRecordingLimiter(limit int) *recordingLimiter {
	s := &recordingLimiter{}
	s.Limiter = fairlimiter.New(limit, func(i types.NamespacedName) { s.recordNotification(i.String()) })
	return s
}

func (s *recordingLimiter) recordNotification(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notified = append(s.notified, what)
}

// runStep executes a step such as "release a/1", and returns the result: "granted" or "queued"
// for acquire, followed by the notified instances.
func (s *recordingLimiter) runStep(line string) string {
	verb, what, _ := strings.Cut(line, " ")
	var came []string
	switch verb {
	case "acquire":
		came = append(came, map[bool]string{true: "granted", false: "queued"}[s.TryAcquire(parseInstance(what))])
	case "release":
		s.Release(parseInstance(what))
	case "cancel":
		s.Cancel(parseInstance(what))
	case "pause":
		s.Pause(parseInstance(what))
	case "resume":
		ctx, stop := context.WithTimeout(context.Background(), time.Hour)
		go func() {
			defer stop()
			s.Resume(ctx, parseInstance(what))
			s.recordNotification(what + " resumed")
		}()
		synctest.Wait()
	case "wait":
		d, err := time.ParseDuration(what)
		if err != nil {
			return err.Error()
		}
		time.Sleep(d)
		synctest.Wait()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	came = append(came, s.notified...)
	s.notified = nil
	return strings.Join(came, " ")
}

func TestLimiter(t *testing.T) {
	for _, c := range []struct {
		why   string
		limit int
		// lines are steps, each with " = " and its result.
		lines []string
	}{
		{"free slots are granted immediately", 2, []string{
			"acquire a/1 = granted", "acquire b/1 = granted", "acquire c/1 = queued"}},
		{"a namespace gets at most half of the slots", 4, []string{
			"acquire a/1 = granted", "acquire a/2 = granted", "acquire a/3 = queued", "acquire b/1 = granted", "acquire b/2 = granted", "acquire b/3 = queued", "acquire c/1 = queued",
			"release a/1 = c/1", "release a/2 = a/3"}},
		{"a free slot stays free for other namespaces", 4, []string{
			"acquire a/1 = granted", "acquire a/2 = granted", "acquire a/3 = queued", "release a/1 = a/3", "acquire b/1 = granted", "acquire b/2 = granted"}},
		{"a paused operation releases its slot", 1, []string{
			"acquire a/1 = granted", "acquire b/1 = queued", "pause a/1 = b/1", "acquire b/1 = granted", "acquire a/1 = granted", "resume a/1 =", "release b/1 = a/1 resumed",
			"acquire b/1 = queued", "release a/1 = b/1"}},
		{"a paused operation resumes immediately if a slot is free", 1, []string{
			"acquire a/1 = granted", "pause a/1 =", "resume a/1 = a/1 resumed", "acquire b/1 = queued"}},
		{"a paused operation resumes before the queued instances of its namespace", 1, []string{
			"acquire a/1 = granted", "acquire a/2 = queued", "acquire a/3 = queued", "pause a/1 = a/2", "acquire a/2 = granted", "resume a/1 =", "release a/2 = a/1 resumed",
			"release a/1 = a/3"}},
		{"a paused operation resumes without a slot when its context ends", 1, []string{
			"acquire a/1 = granted", "pause a/1 =", "acquire b/1 = granted", "acquire c/1 = queued", "resume a/1 =", "wait 1h = a/1 resumed", "release a/1 =", "release b/1 = c/1"}},
		{"a paused operation that ends releases no slot", 1, []string{
			"acquire a/1 = granted", "pause a/1 =", "acquire b/1 = granted", "acquire c/1 = queued", "release a/1 =", "release b/1 = c/1"}},
		{"at most as many operations of a namespace are paused as there are slots", 2, []string{
			"acquire a/1 = granted", "pause a/1 =", "acquire a/2 = granted", "pause a/2 =", "acquire a/3 = granted", "pause a/3 =", "acquire a/4 = queued", "acquire b/1 = granted"}},
		{"pausing and resuming without a slot does nothing", 1, []string{
			"pause a/1 =", "resume a/1 = a/1 resumed", "acquire a/1 = granted", "acquire a/2 = queued", "pause a/2 =", "resume a/2 = a/2 resumed", "release a/1 = a/2"}},
		{"an instance keeps its slot", 1, []string{
			"acquire a/1 = granted", "acquire a/1 = granted", "acquire a/2 = queued", "acquire a/1 = granted"}},
		{"a released slot is reserved for the next instance, which is notified once", 1, []string{
			"acquire a/1 = granted", "acquire a/2 = queued", "release a/1 = a/2", "acquire a/3 = queued", "acquire a/1 = queued", "acquire a/2 = granted", "acquire a/2 = granted"}},
		{"first come, first served in a namespace, regardless of retries", 1, []string{
			"acquire a/1 = granted", "acquire a/2 = queued", "acquire a/3 = queued", "acquire a/2 = queued", "release a/1 = a/2", "acquire a/2 = granted", "release a/2 = a/3"}},
		{"the second release has no effect", 1, []string{
			"acquire a/1 = granted", "acquire a/2 = queued", "acquire a/3 = queued", "release a/1 = a/2", "release a/1 =", "acquire a/2 = granted", "acquire a/3 = queued"}},
		{"releasing without a slot has no effect", 1, []string{
			"release a/1 =", "acquire a/1 = granted", "acquire a/2 = queued", "release a/2 =", "release a/3 =", "release a/1 = a/2"}},
		{"releasing does not remove a reservation", 1, []string{
			"acquire a/1 = granted", "acquire a/2 = queued", "release a/1 = a/2", "release a/2 =", "acquire a/2 = granted"}},
		{"a canceled instance is skipped", 1, []string{
			"acquire a/1 = granted", "acquire a/2 = queued", "acquire a/3 = queued", "cancel a/2 =", "release a/1 = a/3"}},
		{"the reservation of a canceled instance goes to the next instance", 1, []string{
			"acquire a/1 = granted", "acquire a/2 = queued", "acquire a/3 = queued", "release a/1 = a/2", "cancel a/2 = a/3", "acquire a/2 = queued", "acquire a/3 = granted"}},
		{"canceling does not release an acquired slot", 1, []string{
			"acquire a/1 = granted", "acquire a/2 = queued", "cancel a/1 =", "acquire a/1 = granted", "release a/1 = a/2"}},
		{"canceling an unknown instance has no effect", 1, []string{"cancel a/1 =", "acquire a/1 = granted"}},
		{"with one slot, namespaces alternate", 1, []string{
			"acquire a/1 = granted", "acquire a/2 = queued", "acquire a/3 = queued", "acquire b/1 = queued", "acquire b/2 = queued", "acquire c/1 = queued",
			"release a/1 = b/1", "acquire b/1 = granted", "release b/1 = c/1", "acquire c/1 = granted", "release c/1 = a/2", "acquire a/2 = granted",
			"release a/2 = b/2", "acquire b/2 = granted", "release b/2 = a/3"}},
		{"the namespace with fewer slots comes first", 4, []string{
			"acquire a/1 = granted", "acquire a/2 = granted", "acquire b/1 = granted", "acquire c/1 = granted", "acquire a/3 = queued", "acquire b/2 = queued",
			"release a/1 = b/2", "acquire b/2 = granted", "release c/1 = a/3"}},
		{"a namespace gets back the slots that it releases while others do not end", 2, []string{
			"acquire a/1 = granted", "acquire b/1 = granted", "acquire a/2 = queued", "acquire b/2 = queued", "acquire b/3 = queued",
			"release b/1 = b/2", "acquire b/2 = granted", "release b/2 = b/3"}},
		{"reserved slots count as held", 2, []string{
			"acquire a/1 = granted", "acquire b/1 = granted", "acquire a/2 = queued", "acquire c/1 = queued", "acquire c/2 = queued",
			"release b/1 = c/1", "release a/1 = a/2"}},
		{"a reservation lasts 30 seconds", 1, []string{
			"acquire a/1 = granted", "acquire a/2 = queued", "acquire a/3 = queued", "release a/1 = a/2", "wait 29.999s =", "acquire a/2 = granted"}},
		{"an expired reservation goes to the next instance", 1, []string{
			"acquire a/1 = granted", "acquire a/2 = queued", "acquire a/3 = queued", "release a/1 = a/2", "wait 30s = a/3", "acquire a/2 = queued", "acquire a/3 = granted"}},
		{"a second expired reservation goes to the instance after that", 1, []string{
			"acquire a/1 = granted", "acquire a/2 = queued", "acquire a/3 = queued", "acquire b/1 = queued", "release a/1 = b/1",
			"wait 30s = a/2", "wait 29s =", "wait 1s = a/3", "acquire a/3 = granted"}},
		{"each reservation has its own 30 seconds", 4, []string{
			"acquire a/1 = granted", "acquire a/2 = granted", "acquire a/3 = queued", "acquire a/4 = queued", "acquire a/5 = queued", "acquire a/6 = queued",
			"release a/1 = a/3", "wait 20s =", "release a/2 = a/4", "wait 10s = a/5", "wait 20s = a/6", "acquire a/5 = granted", "acquire a/6 = granted"}},
		{"an acquired slot does not expire", 1, []string{
			"acquire a/1 = granted", "acquire a/2 = queued", "acquire a/3 = queued", "release a/1 = a/2", "acquire a/2 = granted", "wait 1h =", "acquire a/3 = queued"}},
		{"a slot without waiters is free", 1, []string{
			"acquire a/1 = granted", "acquire a/2 = queued", "release a/1 = a/2", "wait 30s =", "acquire a/3 = granted"}},
		{"a limit of zero counts as one", 0, []string{"acquire a/1 = granted", "acquire a/2 = queued", "release a/1 = a/2"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewWithT(t)
				s := newRecordingLimiter(c.limit)
				for _, line := range c.lines {
					do, came, ok := strings.Cut(line, " =")
					g.Expect(ok).To(BeTrue(), line)
					got := s.runStep(do)
					synctest.Wait() // Resumed operations record a notification.
					g.Expect(strings.TrimSpace(got+" "+s.runStep(""))).To(Equal(strings.TrimSpace(came)), do)
				}
			})
		})
	}
}

func TestManyInstancesDoNotDelayOne(t *testing.T) {
	for _, c := range []struct {
		why   string
		limit int
		held  int  // slots of the thousand instances
		first bool // the single instance comes before the thousand
	}{
		{why: "one slot, and the single instance comes last", limit: 1, held: 1},
		{why: "many slots, and the single instance comes last", limit: 16, held: 8},
		{why: "the single instance comes first", limit: 1, first: true},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			s := newRecordingLimiter(c.limit)
			if c.first {
				g.Expect(s.runStep("acquire small/1")).To(Equal("granted"))
			}
			for i := range 1000 {
				s.runStep(fmt.Sprint("acquire large/", i))
			}
			if c.first {
				g.Expect(s.runStep("release small/1")).To(Equal("large/0"))
				return
			}
			g.Expect(s.Waiting()).To(Equal(1000 - c.held))
			if c.limit > c.held {
				g.Expect(s.runStep("acquire small/1")).To(Equal("granted"), "the thousand instances get at most half of the slots")
				return
			}
			g.Expect(s.runStep("acquire small/1")).To(Equal("queued"))
			g.Expect(s.runStep("release large/0")).To(Equal("small/1"), "the single instance gets the next free slot")
		})
	}
}

func TestNotifyCanCallTheLimiter(t *testing.T) {
	g := NewWithT(t)
	var all *fairlimiter.Limiter
	var took []bool
	all = fairlimiter.New(1, func(i types.NamespacedName) {
		took = append(took, all.TryAcquire(i))
		all.Release(i)
	})
	for _, i := range []string{"a/1", "a/2", "b/1", "a/3"} {
		all.TryAcquire(parseInstance(i))
	}
	all.Release(parseInstance("a/1"))
	g.Expect(took).To(Equal([]bool{true, true, true}))
	g.Expect(all.Running() + all.Waiting()).To(BeZero())
}

func TestGauges(t *testing.T) {
	g := NewWithT(t)
	s := newRecordingLimiter(2)
	registry := prometheus.NewPedanticRegistry()
	g.Expect(registry.Register(fairlimiter.Gauges{s.Limiter, fairlimiter.New(1, func(types.NamespacedName) {})})).To(Succeed())
	gauges := func() map[string]float64 {
		families, err := registry.Gather()
		g.Expect(err).NotTo(HaveOccurred())
		found := map[string]float64{}
		for _, f := range families {
			found[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
		}
		return found
	}
	for _, do := range []string{"acquire a/1", "acquire a/2", "acquire a/3", "acquire a/4", "acquire b/1"} {
		s.runStep(do)
	}
	g.Expect(gauges()).To(Equal(map[string]float64{"appmarket_operations_running": 2, "appmarket_operations_waiting": 3}))
	s.runStep("release a/1")
	g.Expect(gauges()).To(Equal(map[string]float64{"appmarket_operations_running": 1, "appmarket_operations_waiting": 3}),
		"an instance with a reservation counts as waiting")
}
