package hostile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
)

// limitMemory returns a function that limits an operator and its workers to memoryLimit with a
// memory cgroup, if this process can create one. The samples of usage are checked against the limit
// in any case. Call limitMemory before the operator is created, so that the cgroup is removed after
// the operator has stopped.
func limitMemory() func(o *fixture.Operator) {
	GinkgoHelper()
	group, limit := createMemoryGroup()
	if group == "" {
		AddReportEntry("memory", "no cgroup: not permitted to create one; the memory is only sampled")
		return func(*fixture.Operator) {}
	}
	DeferCleanup(func() { _ = os.Remove(group) })
	if os.WriteFile(filepath.Join(group, limit), []byte(strconv.Itoa(memoryLimit)), 0o644) != nil {
		AddReportEntry("memory", "no cgroup: not permitted to set its limit; the memory is only sampled")
		return func(*fixture.Operator) {}
	}
	DeferCleanup(func() {
		killed := 0
		for _, file := range []string{"memory.events", "memory.oom_control"} {
			text, _ := os.ReadFile(filepath.Join(group, file))
			for line := range strings.Lines(string(text)) {
				if count, found := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); found {
					n, err := strconv.Atoi(count)
					Expect(err).NotTo(HaveOccurred())
					killed += n
				}
			}
		}
		Expect(killed).To(BeZero(), "processes that were killed because they exceeded the memory limit")
	})
	return func(o *fixture.Operator) {
		o.Args = append([]string{"-c", `echo $$ >"$1" && shift && exec "$0" "$@"`, o.Program, filepath.Join(group, "cgroup.procs")}, o.Args...)
		o.Program = "/bin/sh"
	}
}

// createMemoryGroup creates a memory cgroup, of version 2 or 1, and returns its folder and the name of
// its limit file. The folder is empty if the process is not permitted to create a cgroup.
func createMemoryGroup() (folder, limit string) {
	name := fmt.Sprintf("appmarket-hostile-%d", os.Getpid())
	for _, candidate := range []struct{ root, limit string }{
		{"/sys/fs/cgroup", "memory.max"}, {"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
	} {
		folder := filepath.Join(candidate.root, name)
		if os.Mkdir(folder, 0o755) != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(folder, candidate.limit)); err == nil {
			return folder, candidate.limit
		}
		_ = os.Remove(folder)
	}
	return "", ""
}

// usage is the resident memory in bytes of the operator and of its workers, and the CPU time of
// both since they started.
type usage struct {
	operator, workers int64
	processor         time.Duration
}

// measureUsage reads the usage of the operator's process and its child processes.
func measureUsage(pid int) (usage, error) {
	var u usage
	memory, processor, err := processStatistics(pid, true)
	if err != nil {
		return u, fmt.Errorf("the operator is not running: %w", err)
	}
	u.operator, u.processor = memory, processor
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		children, _ := os.ReadFile(list) // A thread may have ended meanwhile.
		for child := range strings.FieldsSeq(string(children)) {
			number, err := strconv.Atoi(child)
			if err != nil {
				return u, err
			}
			if memory, processor, err := processStatistics(number, false); err == nil {
				u.workers += memory
				u.processor += processor
			}
		}
	}
	return u, nil
}

// processStatistics returns the resident memory and the CPU time of a process, including the CPU time of
// its ended children if ended is true.
func processStatistics(pid int, ended bool) (int64, time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The name of the program, in parentheses, is followed by the state, which is field 3.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	field := func(n int) int64 { value, _ := strconv.ParseInt(fields[n-3], 10, 64); return value }
	if fields[0] == "Z" {
		return 0, 0, fmt.Errorf("process %d is a zombie", pid)
	}
	ticks := field(14) + field(15)
	if ended {
		ticks += field(16) + field(17)
	}
	return field(24) * int64(os.Getpagesize()), time.Duration(ticks) * 10 * time.Millisecond, nil
}

// watchUsage samples the usage until stop is closed, and returns the peak memory and the CPU time
// that was used in between.
func watchUsage(pid int, stop <-chan struct{}) (usage, error) {
	first, err := measureUsage(pid)
	peak := first
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for err == nil {
		var now usage
		now, err = measureUsage(pid)
		peak.operator, peak.workers = max(peak.operator, now.operator), max(peak.workers, now.workers)
		peak.processor = max(now.processor, peak.processor)
		if sum := now.operator + now.workers; sum > memoryLimit {
			return peak, fmt.Errorf("the operator and its workers use %d MiB, the limit is %d MiB", sum>>20, memoryLimit>>20)
		}
		select {
		case <-stop:
			peak.processor -= first.processor
			return peak, err
		case <-ticker.C:
		}
	}
	return peak, err
}
