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

// stage is a Turns and those whom it told since somebody looked.
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

// play does what a line says, such as "give a/1", and returns what came of it: "yes"
// or "line" for take, and who was told.
func (s *recordingLimiter) runStep(line string) string {
	verb, what, _ := strings.Cut(line, " ")
	var came []string
	switch verb {
	case "take":
		came = append(came, map[bool]string{true: "yes", false: "line"}[s.TryAcquire(parseInstance(what))])
	case "give":
		s.Release(parseInstance(what))
	case "forget":
		s.Cancel(parseInstance(what))
	case "pause":
		s.Pause(parseInstance(what))
	case "resume":
		ctx, stop := context.WithTimeout(context.Background(), time.Hour)
		go func() {
			defer stop()
			s.Resume(ctx, parseInstance(what))
			s.recordNotification(what + " goes on")
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
		// lines are what is done, " = " and what comes of it.
		lines []string
	}{
		{"places are given at once while there are any", 2, []string{
			"take a/1 = yes", "take b/1 = yes", "take c/1 = line"}},
		{"half of the places is for others, however many are free", 4, []string{
			"take a/1 = yes", "take a/2 = yes", "take a/3 = line", "take b/1 = yes", "take b/2 = yes", "take b/3 = line", "take c/1 = line",
			"give a/1 = c/1", "give a/2 = a/3"}},
		{"a place that no other namespace wants stays free for it", 4, []string{
			"take a/1 = yes", "take a/2 = yes", "take a/3 = line", "give a/1 = a/3", "take b/1 = yes", "take b/2 = yes"}},
		{"an operation that waits gives its place to others", 1, []string{
			"take a/1 = yes", "take b/1 = line", "pause a/1 = b/1", "take b/1 = yes", "take a/1 = yes", "resume a/1 =", "give b/1 = a/1 goes on",
			"take b/1 = line", "give a/1 = b/1"}},
		{"it goes on at once if there is a place", 1, []string{
			"take a/1 = yes", "pause a/1 =", "resume a/1 = a/1 goes on", "take b/1 = line"}},
		{"it goes on before those of its namespace that have not begun", 1, []string{
			"take a/1 = yes", "take a/2 = line", "take a/3 = line", "pause a/1 = a/2", "take a/2 = yes", "resume a/1 =", "give a/2 = a/1 goes on",
			"give a/1 = a/3"}},
		{"it goes on without a place when its time is up, and takes none from others", 1, []string{
			"take a/1 = yes", "pause a/1 =", "take b/1 = yes", "take c/1 = line", "resume a/1 =", "wait 1h = a/1 goes on", "give a/1 =", "give b/1 = c/1"}},
		{"one that ends while it waits has nothing to give", 1, []string{
			"take a/1 = yes", "pause a/1 =", "take b/1 = yes", "take c/1 = line", "give a/1 =", "give b/1 = c/1"}},
		{"as many operations of a namespace may wait as there are places, and the others keep theirs", 2, []string{
			"take a/1 = yes", "pause a/1 =", "take a/2 = yes", "pause a/2 =", "take a/3 = yes", "pause a/3 =", "take a/4 = line", "take b/1 = yes"}},
		{"pausing and resuming without a place does nothing", 1, []string{
			"pause a/1 =", "resume a/1 = a/1 goes on", "take a/1 = yes", "take a/2 = line", "pause a/2 =", "resume a/2 = a/2 goes on", "give a/1 = a/2"}},
		{"whoever has a place keeps it", 1, []string{
			"take a/1 = yes", "take a/1 = yes", "take a/2 = line", "take a/1 = yes"}},
		{"a place that is given back is reserved for the next, who is told once", 1, []string{
			"take a/1 = yes", "take a/2 = line", "give a/1 = a/2", "take a/3 = line", "take a/1 = line", "take a/2 = yes", "take a/2 = yes"}},
		{"first come, first served in a namespace, however often one asks", 1, []string{
			"take a/1 = yes", "take a/2 = line", "take a/3 = line", "take a/2 = line", "give a/1 = a/2", "take a/2 = yes", "give a/2 = a/3"}},
		{"giving twice is giving once", 1, []string{
			"take a/1 = yes", "take a/2 = line", "take a/3 = line", "give a/1 = a/2", "give a/1 =", "take a/2 = yes", "take a/3 = line"}},
		{"giving without a place does nothing", 1, []string{
			"give a/1 =", "take a/1 = yes", "take a/2 = line", "give a/2 =", "give a/3 =", "give a/1 = a/2"}},
		{"giving does not lose what is reserved", 1, []string{
			"take a/1 = yes", "take a/2 = line", "give a/1 = a/2", "give a/2 =", "take a/2 = yes"}},
		{"whoever is forgotten is passed over", 1, []string{
			"take a/1 = yes", "take a/2 = line", "take a/3 = line", "forget a/2 =", "give a/1 = a/3"}},
		{"whoever is forgotten leaves what was reserved to the next", 1, []string{
			"take a/1 = yes", "take a/2 = line", "take a/3 = line", "give a/1 = a/2", "forget a/2 = a/3", "take a/2 = line", "take a/3 = yes"}},
		{"forgetting leaves a place that is taken", 1, []string{
			"take a/1 = yes", "take a/2 = line", "forget a/1 =", "take a/1 = yes", "give a/1 = a/2"}},
		{"forgetting a stranger does nothing", 1, []string{"forget a/1 =", "take a/1 = yes"}},
		{"with one place, namespaces take turns", 1, []string{
			"take a/1 = yes", "take a/2 = line", "take a/3 = line", "take b/1 = line", "take b/2 = line", "take c/1 = line",
			"give a/1 = b/1", "take b/1 = yes", "give b/1 = c/1", "take c/1 = yes", "give c/1 = a/2", "take a/2 = yes",
			"give a/2 = b/2", "take b/2 = yes", "give b/2 = a/3"}},
		{"the namespace that holds fewer comes first", 4, []string{
			"take a/1 = yes", "take a/2 = yes", "take b/1 = yes", "take c/1 = yes", "take a/3 = line", "take b/2 = line",
			"give a/1 = b/2", "take b/2 = yes", "give c/1 = a/3"}},
		{"operations that do not end leave others what they give back", 2, []string{
			"take a/1 = yes", "take b/1 = yes", "take a/2 = line", "take b/2 = line", "take b/3 = line",
			"give b/1 = b/2", "take b/2 = yes", "give b/2 = b/3"}},
		{"what is reserved counts as held", 2, []string{
			"take a/1 = yes", "take b/1 = yes", "take a/2 = line", "take c/1 = line", "take c/2 = line",
			"give b/1 = c/1", "give a/1 = a/2"}},
		{"a reservation is kept for half a minute", 1, []string{
			"take a/1 = yes", "take a/2 = line", "take a/3 = line", "give a/1 = a/2", "wait 29.999s =", "take a/2 = yes"}},
		{"a reservation that is not taken goes to the next", 1, []string{
			"take a/1 = yes", "take a/2 = line", "take a/3 = line", "give a/1 = a/2", "wait 30s = a/3", "take a/2 = line", "take a/3 = yes"}},
		{"and to the next but one, if need be", 1, []string{
			"take a/1 = yes", "take a/2 = line", "take a/3 = line", "take b/1 = line", "give a/1 = b/1",
			"wait 30s = a/2", "wait 29s =", "wait 1s = a/3", "take a/3 = yes"}},
		{"each reservation has its own half minute", 4, []string{
			"take a/1 = yes", "take a/2 = yes", "take a/3 = line", "take a/4 = line", "take a/5 = line", "take a/6 = line",
			"give a/1 = a/3", "wait 20s =", "give a/2 = a/4", "wait 10s = a/5", "wait 20s = a/6", "take a/5 = yes", "take a/6 = yes"}},
		{"what is taken does not lapse", 1, []string{
			"take a/1 = yes", "take a/2 = line", "take a/3 = line", "give a/1 = a/2", "take a/2 = yes", "wait 1h =", "take a/3 = line"}},
		{"a place that nobody wants any more is free", 1, []string{
			"take a/1 = yes", "take a/2 = line", "give a/1 = a/2", "wait 30s =", "take a/3 = yes"}},
		{"no place at all counts as one", 0, []string{"take a/1 = yes", "take a/2 = line", "give a/1 = a/2"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewWithT(t)
				s := newRecordingLimiter(c.limit)
				for _, line := range c.lines {
					do, came, ok := strings.Cut(line, " =")
					g.Expect(ok).To(BeTrue(), line)
					got := s.runStep(do)
					synctest.Wait() // Operations that go on say so by themselves.
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
		held  int  // by the thousand
		first bool // the one comes before the thousand
	}{
		{why: "one place, and the one comes last", limit: 1, held: 1},
		{why: "many places, and the one comes last", limit: 16, held: 8},
		{why: "the one comes first", limit: 1, first: true},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			s := newRecordingLimiter(c.limit)
			if c.first {
				g.Expect(s.runStep("take small/1")).To(Equal("yes"))
			}
			for i := range 1000 {
				s.runStep(fmt.Sprint("take large/", i))
			}
			if c.first {
				g.Expect(s.runStep("give small/1")).To(Equal("large/0"))
				return
			}
			g.Expect(s.Waiting()).To(Equal(1000 - c.held))
			if c.limit > c.held {
				g.Expect(s.runStep("take small/1")).To(Equal("yes"), "half of the places is not for the thousand")
				return
			}
			g.Expect(s.runStep("take small/1")).To(Equal("line"))
			g.Expect(s.runStep("give large/0")).To(Equal("small/1"), "it has the next turn after those under way")
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
	for _, do := range []string{"take a/1", "take a/2", "take a/3", "take a/4", "take b/1"} {
		s.runStep(do)
	}
	g.Expect(gauges()).To(Equal(map[string]float64{"appmarket_operations_running": 2, "appmarket_operations_waiting": 3}))
	s.runStep("give a/1")
	g.Expect(gauges()).To(Equal(map[string]float64{"appmarket_operations_running": 1, "appmarket_operations_waiting": 3}),
		"who is told and has not come yet still waits")
}
