package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	. "github.com/onsi/gomega"
)

// Environment variables that specify the work of a child and its argument.
const (
	childVariable = "BENCH_CHILD"
	childArgument = "BENCH_CHILD_ARGUMENT"
)

// childReport is the result that a child prints.
type childReport struct {
	// Count is the number of processed items.
	Count int
	// Took is the duration of the measured work.
	Took time.Duration
	// Before and Peak are the resident memory in bytes when the child starts, and at most.
	Before int64
	Peak   int64
}

// childWork are the kinds of work that run in a process of their own.
var childWork = map[string]func(argument string) (int, time.Duration, error){
	"source": readIndexAsSource,
	"helm":   readIndexAsHelm,
	"engine": renderCatalog,
}

// runChild performs the work of a child and prints its report.
func runChild(name string) error {
	work, ok := childWork[name]
	if !ok {
		return fmt.Errorf("unknown child %q", name)
	}
	before, err := processMemory(os.Getpid(), "VmRSS")
	if err != nil {
		return err
	}
	count, took, err := work(os.Getenv(childArgument))
	if err != nil {
		return err
	}
	peak, err := processMemory(os.Getpid(), "VmHWM")
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(childReport{Count: count, Took: took, Before: before, Peak: peak})
}

// runChildProcess runs this binary for one kind of work.
func (m *benchmark) runChildProcess(name, argument string, env ...string) childReport {
	m.b.Helper()
	self, err := os.Executable()
	m.Expect(err).NotTo(HaveOccurred())
	cmd := exec.CommandContext(m.ctx, self)
	cmd.Env = append(append(os.Environ(), env...), childVariable+"="+name, childArgument+"="+argument)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	m.Expect(cmd.Run()).To(Succeed(), problem.String())
	var r childReport
	m.Expect(json.Unmarshal(out.Bytes(), &r)).To(Succeed(), out.String())
	return r
}

// processMemory returns a figure of the process's status in bytes: VmRSS is the resident memory, and VmHWM
// its peak.
func processMemory(pid int, line string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read memory of process: %w", err)
	}
	for each := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(each, ":")
		if name != line {
			continue
		}
		kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		return kilobytes << 10, err
	}
	return 0, fmt.Errorf("read memory of process: no %s, the process has exited", line)
}

// childProcesses returns the child processes of a process.
func childProcesses(parent int) []int {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent)) // The pattern is valid.
	var pids []int
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // The thread has ended.
		}
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// memorySampler samples the memory of the child processes of a process.
type memorySampler struct {
	stop context.CancelFunc
	done sync.WaitGroup
	// peak is the peak of the total resident memory, in bytes.
	peak int64
}

func sampleChildren(parent int) *memorySampler {
	ctx, stop := context.WithCancel(context.Background())
	l := &memorySampler{stop: stop}
	l.done.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			var sum int64
			for _, pid := range childProcesses(parent) {
				if resident, err := processMemory(pid, "VmRSS"); err == nil {
					sum += resident
				}
			}
			l.peak = max(l.peak, sum)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return l
}

// stopSampling stops the sampling and returns the peak.
func (l *memorySampler) stopSampling() int64 {
	l.stop()
	l.done.Wait()
	return l.peak
}

// process is a program that runs during the measurements.
type process struct {
	cmd *exec.Cmd
	log string
}

// startProcess starts a program and writes its output to a file.
func startProcess(log, program string, args, env []string) (*process, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Env = append(os.Environ(), env...)
	// The program ends too if the benchmark is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, log: log}, nil
}

func (p *process) processID() int { return p.cmd.Process.Pid }

// stopProcess sends SIGTERM to the program, and kills it after 15 seconds.
func (p *process) stopProcess() error {
	timer := time.AfterFunc(15*time.Second, func() { _ = p.cmd.Process.Kill() }) // fails if the process has ended
	defer timer.Stop()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return p.cmd.Wait()
}

// resetPeak resets VmHWM to the current resident memory.
func (p *process) resetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.processID()), []byte("5"), 0)
}
