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

// clockTick is the unit of the times that the kernel tells of a process.
const clockTick = 10 * time.Millisecond

// processorTime is what a process has taken, and what its children have that have
// ended.
func processorTime(pid int) (own, children time.Duration, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read processor time of process: %w", err)
	}
	// The name, in brackets, may hold spaces; the state is the first field after it.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const user, system, childUser, childSystem = 11, 12, 13, 14
	ticks := make([]time.Duration, 0, 4)
	for _, at := range []int{user, system, childUser, childSystem} {
		n, err := strconv.ParseInt(fields[at], 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("read processor time of process: %w", err)
		}
		ticks = append(ticks, time.Duration(n)*clockTick)
	}
	return ticks[0] + ticks[1], ticks[2] + ticks[3], nil
}

// processors are the processor times of the operator and of its workers.
type processors struct{ operator, workers time.Duration }

// processors is what the operator and its workers have taken until now.
func (m *measure) processors() processors {
	m.b.Helper()
	own, children, err := processorTime(m.operator.pid())
	m.Expect(err).NotTo(HaveOccurred())
	for _, pid := range offspring(m.operator.pid()) {
		if worker, _, err := processorTime(pid); err == nil { // Or it has ended by now, and is counted next time.
			children += worker
		}
	}
	return processors{operator: own, workers: children}
}

func (p processors) total() time.Duration { return p.operator + p.workers }

// since says what was taken since an earlier look.
func (p processors) since(before processors) string {
	return fmt.Sprintf("operator %s, workers %s of processor time", seconds(p.operator-before.operator), seconds(p.workers-before.workers))
}
