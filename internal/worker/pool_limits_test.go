package worker_test

import (
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/worker"
)

func TestPoolBoundsAChart(t *testing.T) {
	onLinux(t)
	cases := []struct {
		why      string
		template string
		time     time.Duration
		want     string
	}{{
		why:      "a template that never ends",
		template: `{{ range until 100000 }}{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}{{ end }}`,
		time:     time.Second,
		want:     "exceeded the CPU time limit of 1s",
	}, {
		why:      "a list that does not fit",
		template: `{{ range until 1000000000 }}{{ end }}`,
		want:     "exceeded the memory limit of 256 MiB",
	}, {
		why:      "a text that does not fit",
		template: `{{ $x := repeat 100000000 "0123456789" }}`,
		want:     "exceeded the memory limit of 256 MiB",
	}, {
		why:      "gigabytes of output",
		template: `{{ $x := repeat 1000 "0123456789" }}{{ range until 1000000 }}{{ $x }}{{ end }}`,
		want:     "exceeded the memory limit of 256 MiB",
	}, {
		why:      "a template that grows what it keeps",
		template: `{{ $x := "x" }}{{ range until 64 }}{{ $x = print $x $x }}{{ end }}`,
		want:     "exceeded the memory limit of 256 MiB",
	}, {
		why:      "more output than is allowed",
		template: `a: {{ repeat 17000000 "x" }}`,
		want:     "17000003 bytes of output",
	}}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			p := newPool(t, func(p *worker.Pool) {
				p.Workers, p.Memory = 1, 256<<20
				if c.time > 0 {
					p.Time = c.time
				}
			})
			_, err := renderChart(t.Context(), t, p, templateChart(c.template))
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLimitExceeded))

			out, err := renderChart(t.Context(), t, p, withValue(1))
			g.Expect(err).NotTo(HaveOccurred(), "the next chart is rendered all the same")
			g.Expect(out.Documents[0].Text).To(Equal("kind: ConfigMap\nn: 1"))
		})
	}
}

// TestPoolBlamesTheMachine covers errors that the chart does not cause. They are not
// Stalled.
func TestPoolBlamesTheMachine(t *testing.T) {
	onLinux(t)
	const endless = `{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`
	t.Run("a deadline that passes while the chart still has processor time", func(t *testing.T) {
		g := NewWithT(t)
		p := newPool(t, func(p *worker.Pool) { p.Deadline = 100 * time.Millisecond })
		_, err := renderChart(t.Context(), t, p, templateChart(endless))
		g.Expect(err).To(MatchError("render chart: not completed within 100ms because the node is overloaded; the operator retries"))
		g.Expect(outcome.IsStalled(err)).To(BeFalse())
		g.Expect(outcome.Reason(err, "")).To(BeEmpty())
	})
	t.Run("a worker that gets no processor time at all", func(t *testing.T) {
		g := NewWithT(t)
		p := newPool(t, func(p *worker.Pool) { p.Workers = 1 })
		g.Expect(renderChart(t.Context(), t, p, withValue(1))).NotTo(BeZero())
		g.Expect(syscall.Kill(workerPIDs(t)[0], syscall.SIGSTOP)).To(Succeed())
		p.Time, p.Deadline = 300*time.Millisecond, time.Second
		_, err := renderChart(t.Context(), t, p, withValue(2))
		g.Expect(err).To(MatchError(ContainSubstring("not completed within 1s")))
		g.Expect(outcome.IsStalled(err)).To(BeFalse(), "though its time by the clock is up many times")
	})
	t.Run("workers that are killed", func(t *testing.T) {
		g := NewWithT(t)
		p := newPool(t, func(p *worker.Pool) { p.Workers = 1 })
		done := make(chan error, 1)
		go func() {
			_, err := renderChart(t.Context(), t, p, templateChart(endless))
			done <- err
		}()
		killed := map[int]bool{}
		g.Eventually(func() int {
			for _, pid := range workerPIDs(t) {
				if !killed[pid] {
					killed[pid] = syscall.Kill(pid, syscall.SIGKILL) == nil
				}
			}
			return len(done)
		}, "20s", "50ms").Should(Equal(1))
		err := <-done
		g.Expect(err).To(MatchError(ContainSubstring("the worker process was killed")))
		g.Expect(outcome.IsStalled(err)).To(BeFalse())
	})
}
