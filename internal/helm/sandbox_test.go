package helm_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm"
	"github.com/appmarket/operator/internal/outcome"
)

func sandbox(t testing.TB, change func(*helm.Sandbox)) *helm.Sandbox {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &helm.Sandbox{Command: []string{self, workerArgument}, Time: time.Minute, Idle: time.Minute}
	if change != nil {
		change(s)
	}
	t.Cleanup(s.Close)
	return s
}

var small = map[string]string{"templates/web.yaml": "kind: ConfigMap\nn: {{ .Values.n }}\n"}

func withValue(n any) hydrate.RenderInput {
	in := unit(map[string]string{"templates/web.yaml": small["templates/web.yaml"]})
	in.Values = map[string]any{"n": n}
	return in
}

// workers are the process ids of this process's children that render.
func workers(t testing.TB) []int {
	t.Helper()
	onLinux(t)
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, file := range tasks {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range strings.Fields(string(text)) {
			command, err := os.ReadFile("/proc/" + field + "/cmdline")
			if err != nil || !strings.Contains(string(command), workerArgument) {
				continue
			}
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestSandboxRendersAsTheEngineDoes(t *testing.T) {
	g := NewWithT(t)
	s := sandbox(t, nil)
	in := unit(map[string]string{
		"templates/web.yaml":  `kind: {{ .Values.int }} {{ .Values.big }} {{ .Values.float }} {{ .Values.nothing }} {{ toJson .Values }}`,
		"templates/NOTES.txt": "Hello.",
	})
	in.Values = map[string]any{
		"int": 7, "big": int64(12345678), "float": 12345678.0, "nothing": nil,
		"list": []any{nil, "a", true}, "words": []string{"x"}, "labels": map[string]string{"a": "b"},
	}
	want, err := helm.Engine{}.Render(t.Context(), in)
	g.Expect(err).NotTo(HaveOccurred())
	for range 2 {
		g.Expect(s.Render(t.Context(), in)).To(Equal(want))
	}
	g.Expect(in.Values["nothing"]).To(BeNil(), "the caller's values stay as they are")

	_, err = s.Render(t.Context(), unit(map[string]string{"templates/web.yaml": "{{ .Values.a.b.c }}"}))
	g.Expect(err).To(MatchError("templates/web.yaml:1: nil pointer evaluating interface {}.b; give .Values.a.b.c"))
	g.Expect(outcome.IsStalled(err)).To(BeTrue())
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonRenderFailed))
}

// onLinux skips a test of what only Linux has: /proc, and bounds on memory.
func onLinux(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("left out: this needs Linux")
	}
}

func TestSandboxBoundsAChart(t *testing.T) {
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
		want:     "its templates took more than 1s of processor time",
	}, {
		why:      "a list that does not fit",
		template: `{{ range until 1000000000 }}{{ end }}`,
		want:     "its templates used more than 256 MiB of memory",
	}, {
		why:      "a text that does not fit",
		template: `{{ $x := repeat 100000000 "0123456789" }}`,
		want:     "its templates used more than 256 MiB of memory",
	}, {
		why:      "gigabytes of output",
		template: `{{ $x := repeat 1000 "0123456789" }}{{ range until 1000000 }}{{ $x }}{{ end }}`,
		want:     "its templates used more than 256 MiB of memory",
	}, {
		why:      "a template that grows what it keeps",
		template: `{{ $x := "x" }}{{ range until 64 }}{{ $x = print $x $x }}{{ end }}`,
		want:     "its templates used more than 256 MiB of memory",
	}, {
		why:      "more output than is allowed",
		template: `a: {{ repeat 17000000 "x" }}`,
		want:     "17000003 bytes of output",
	}}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			s := sandbox(t, func(s *helm.Sandbox) {
				s.Workers, s.Memory = 1, 256<<20
				if c.time > 0 {
					s.Time = c.time
				}
			})
			_, err := s.Render(t.Context(), unit(map[string]string{"templates/a.yaml": c.template}))
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLimitExceeded))

			out, err := s.Render(t.Context(), withValue(1))
			g.Expect(err).NotTo(HaveOccurred(), "the next chart is rendered all the same")
			g.Expect(out.Documents[0].Text).To(Equal("kind: ConfigMap\nn: 1"))
		})
	}
}

// TestSandboxBlamesTheMachine shows what is no fault of a chart, to be tried again.
func TestSandboxBlamesTheMachine(t *testing.T) {
	onLinux(t)
	const endless = `{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`
	t.Run("a deadline that passes while the chart still has processor time", func(t *testing.T) {
		g := NewWithT(t)
		s := sandbox(t, func(s *helm.Sandbox) { s.Deadline = 100 * time.Millisecond })
		_, err := s.Render(t.Context(), unit(map[string]string{"templates/a.yaml": endless}))
		g.Expect(err).To(MatchError("render chart: its templates were not done within 100ms by the clock; the machine is busy"))
		g.Expect(outcome.IsStalled(err)).To(BeFalse())
		g.Expect(outcome.Reason(err, "")).To(BeEmpty())
	})
	t.Run("a worker that gets no processor time at all", func(t *testing.T) {
		g := NewWithT(t)
		s := sandbox(t, func(s *helm.Sandbox) { s.Workers = 1 })
		g.Expect(s.Render(t.Context(), withValue(1))).NotTo(BeZero())
		g.Expect(syscall.Kill(workers(t)[0], syscall.SIGSTOP)).To(Succeed())
		s.Time, s.Deadline = 300*time.Millisecond, time.Second
		_, err := s.Render(t.Context(), withValue(2))
		g.Expect(err).To(MatchError(ContainSubstring("not done within 1s")))
		g.Expect(outcome.IsStalled(err)).To(BeFalse(), "though its time by the clock is up many times")
	})
	t.Run("workers that are killed", func(t *testing.T) {
		g := NewWithT(t)
		s := sandbox(t, func(s *helm.Sandbox) { s.Workers = 1 })
		done := make(chan error, 1)
		go func() {
			_, err := s.Render(t.Context(), unit(map[string]string{"templates/a.yaml": endless}))
			done <- err
		}()
		killed := map[int]bool{}
		g.Eventually(func() int {
			for _, pid := range workers(t) {
				if !killed[pid] {
					killed[pid] = syscall.Kill(pid, syscall.SIGKILL) == nil
				}
			}
			return len(done)
		}, "20s", "50ms").Should(Equal(1))
		err := <-done
		g.Expect(err).To(MatchError(ContainSubstring("the render worker was killed")))
		g.Expect(outcome.IsStalled(err)).To(BeFalse())
	})
}

func TestSandboxRendersSideBySide(t *testing.T) {
	g := NewWithT(t)
	s := sandbox(t, func(s *helm.Sandbox) { s.Workers = 3 })
	var all sync.WaitGroup
	texts := make([]string, 20)
	for i := range texts {
		all.Go(func() {
			out, err := s.Render(t.Context(), withValue(i))
			if err != nil {
				texts[i] = err.Error()
				return
			}
			texts[i] = out.Documents[0].Text
		})
	}
	all.Wait()
	for i, text := range texts {
		g.Expect(text).To(Equal(fmt.Sprintf("kind: ConfigMap\nn: %d", i)))
	}
	g.Expect(len(workers(t))).To(BeNumerically("<=", 3))
}

func TestSandboxReplacesAWorkerThatWasKilled(t *testing.T) {
	t.Run("while idle", func(t *testing.T) {
		g := NewWithT(t)
		s := sandbox(t, func(s *helm.Sandbox) { s.Workers = 1 })
		g.Expect(s.Render(t.Context(), withValue(1))).NotTo(BeZero())
		pids := workers(t)
		g.Expect(pids).To(HaveLen(1))
		g.Expect(syscall.Kill(pids[0], syscall.SIGKILL)).To(Succeed())
		out, err := s.Render(t.Context(), withValue(2))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(out.Documents).To(HaveLen(1))
	})
	t.Run("at work, by somebody else", func(t *testing.T) {
		g := NewWithT(t)
		s := sandbox(t, func(s *helm.Sandbox) { s.Workers, s.Time = 1, 2*time.Second })
		done := make(chan error, 1)
		go func() {
			_, err := s.Render(t.Context(), unit(map[string]string{
				"templates/a.yaml": `{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`,
			}))
			done <- err
		}()
		var first int
		g.Eventually(func() []int { return workers(t) }).Should(ContainElement(BeNumerically(">", 0), &[]int{}))
		first = workers(t)[0]
		g.Expect(syscall.Kill(first, syscall.SIGKILL)).To(Succeed())
		g.Eventually(func() []int { return workers(t) }).Should(And(HaveLen(1), Not(ContainElement(first))),
			"it is tried once more, since the chart may not be to blame")
		g.Eventually(done, "20s").Should(Receive(MatchError(ContainSubstring("took more than 2s of processor time"))))
	})
}

func TestSandboxEndsWithItsCaller(t *testing.T) {
	g := NewWithT(t)
	s := sandbox(t, func(s *helm.Sandbox) { s.Workers = 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := s.Render(ctx, unit(map[string]string{
		"templates/a.yaml": `{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`,
	}))
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	g.Expect(outcome.IsStalled(err)).To(BeFalse(), "the chart is not to blame")
	g.Expect(workers(t)).To(BeEmpty(), "the worker was killed")
}

func TestSandboxKeepsNoWorkerForLong(t *testing.T) {
	g := NewWithT(t)
	s := sandbox(t, func(s *helm.Sandbox) { s.Idle = 50 * time.Millisecond })
	g.Expect(s.Render(t.Context(), withValue(1))).NotTo(BeZero())
	g.Eventually(func() []int { return workers(t) }, "5s").Should(BeEmpty())
	g.Expect(s.Render(t.Context(), withValue(1))).NotTo(BeZero(), "another is started when needed")

	s.Close()
	g.Expect(workers(t)).To(BeEmpty())
	_, err := s.Render(t.Context(), withValue(1))
	g.Expect(err).To(HaveOccurred())
	g.Expect(outcome.IsStalled(err)).To(BeFalse())
}

func TestSandboxGivesAWorkerNothing(t *testing.T) {
	g := NewWithT(t)
	t.Setenv("MARKET_SECRET", "hidden")
	secret := filepath.Join(t.TempDir(), "secret")
	open, err := os.Create(secret)
	g.Expect(err).NotTo(HaveOccurred())
	defer open.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	s := sandbox(t, func(s *helm.Sandbox) { s.Workers = 1 })
	g.Expect(s.Render(t.Context(), withValue(1))).NotTo(BeZero())
	pid := workers(t)[0]
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

func TestSandboxSaysWhatIsWrongWithItself(t *testing.T) {
	cases := []struct {
		why     string
		command []string
	}{
		{why: "no command", command: nil},
		{why: "a command that is not there", command: []string{"/nowhere/operator"}},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			s := &helm.Sandbox{Command: c.command}
			defer s.Close()
			_, err := s.Render(t.Context(), withValue(1))
			g.Expect(err).To(MatchError(ContainSubstring("start render worker")))
			g.Expect(outcome.IsStalled(err)).To(BeFalse(), "no chart is to blame")
		})
	}
}
