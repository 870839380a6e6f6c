package bench_test

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/gomega"
)

// clockTick is the unit of CPU times in /proc.
const clockTick = 10 * time.Millisecond

// processorTime returns the CPU time of a process, and of its children that have ended.
func processorTime(pid int) (own, children time.Duration, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read CPU time of process: %w", err)
	}
	// The name, in parentheses, may contain spaces. The state is the first field after it.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const user, system, childUser, childSystem = 11, 12, 13, 14
	ticks := make([]time.Duration, 0, 4)
	for _, at := range []int{user, system, childUser, childSystem} {
		n, err := strconv.ParseInt(fields[at], 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("read CPU time of process: %w", err)
		}
		ticks = append(ticks, time.Duration(n)*clockTick)
	}
	return ticks[0] + ticks[1], ticks[2] + ticks[3], nil
}

// usage are the CPU times of the operator and of its workers.
type usage struct{ operator, workers time.Duration }

// processorUsage returns the CPU time that the operator and its workers have used until now.
func (m *benchmark) processorUsage() usage {
	m.b.Helper()
	own, children, err := processorTime(m.operator.processID())
	m.Expect(err).NotTo(HaveOccurred())
	for _, pid := range childProcesses(m.operator.processID()) {
		if worker, _, err := processorTime(pid); err == nil { // A worker that has ended is counted with the children from then on.
			children += worker
		}
	}
	return usage{operator: own, workers: children}
}

func (p usage) sum() time.Duration { return p.operator + p.workers }

// formatSince formats the CPU time that was used since an earlier measurement.
func (p usage) formatSince(before usage) string {
	return fmt.Sprintf("operator %s, workers %s of CPU time", formatDuration(p.operator-before.operator), formatDuration(p.workers-before.workers))
}
