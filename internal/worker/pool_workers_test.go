package worker_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/worker"
)

func TestPoolReplacesAWorkerThatWasKilled(t *testing.T) {
	t.Run("while idle", func(t *testing.T) {
		g := NewWithT(t)
		p := newPool(t, func(p *worker.Pool) { p.Workers = 1 })
		g.Expect(renderChart(t.Context(), t, p, withValue(1))).NotTo(BeZero())
		pids := workerPIDs(t)
		g.Expect(pids).To(HaveLen(1))
		g.Expect(syscall.Kill(pids[0], syscall.SIGKILL)).To(Succeed())
		out, err := renderChart(t.Context(), t, p, withValue(2))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(out.Documents).To(HaveLen(1))
	})
	t.Run("at work, by another process", func(t *testing.T) {
		g := NewWithT(t)
		p := newPool(t, func(p *worker.Pool) { p.Workers, p.Time = 1, 2*time.Second })
		done := make(chan error, 1)
		go func() {
			_, err := renderChart(t.Context(), t, p, templateChart(`{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`))
			done <- err
		}()
		var first int
		g.Eventually(func() []int { return workerPIDs(t) }).Should(ContainElement(BeNumerically(">", 0), &[]int{}))
		first = workerPIDs(t)[0]
		g.Expect(syscall.Kill(first, syscall.SIGKILL)).To(Succeed())
		g.Eventually(func() []int { return workerPIDs(t) }).Should(And(HaveLen(1), Not(ContainElement(first))),
			"it is tried once more, since the chart may not be to blame")
		g.Eventually(done, "20s").Should(Receive(MatchError(ContainSubstring("exceeded the CPU time limit of 2s"))))
	})
}

func TestPoolEndsWithItsCaller(t *testing.T) {
	g := NewWithT(t)
	p := newPool(t, func(p *worker.Pool) { p.Workers = 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := renderChart(ctx, t, p, templateChart(`{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`))
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	g.Expect(outcome.IsStalled(err)).To(BeFalse(), "the chart is not to blame")
	g.Expect(workerPIDs(t)).To(BeEmpty(), "the worker process was killed")
}

func TestPoolKeepsNoWorkerForLong(t *testing.T) {
	g := NewWithT(t)
	p := newPool(t, func(p *worker.Pool) { p.Idle = 50 * time.Millisecond })
	g.Expect(renderChart(t.Context(), t, p, withValue(1))).NotTo(BeZero())
	g.Eventually(func() []int { return workerPIDs(t) }, "5s").Should(BeEmpty())
	g.Expect(renderChart(t.Context(), t, p, withValue(1))).NotTo(BeZero(), "another is started when needed")

	p.Close()
	g.Expect(workerPIDs(t)).To(BeEmpty())
	_, err := renderChart(t.Context(), t, p, withValue(1))
	g.Expect(err).To(HaveOccurred())
	g.Expect(outcome.IsStalled(err)).To(BeFalse())
}

func TestPoolGivesAWorkerNothing(t *testing.T) {
	g := NewWithT(t)
	t.Setenv("MARKET_SECRET", "hidden")
	secret := filepath.Join(t.TempDir(), "secret")
	open, err := os.Create(secret)
	g.Expect(err).NotTo(HaveOccurred())
	defer open.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	p := newPool(t, func(p *worker.Pool) { p.Workers = 1 })
	g.Expect(renderChart(t.Context(), t, p, withValue(1))).NotTo(BeZero())
	pid := workerPIDs(t)[0]
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(environ).To(BeEmpty())
	descriptors, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	g.Expect(err).NotTo(HaveOccurred())
	for _, one := range descriptors {
		target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, one.Name()))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(target).NotTo(Or(Equal(secret), HavePrefix("socket:")), "descriptor "+one.Name())
	}
}
