package bench_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/gomega"
)

// completions is the number of measured completions of each kind.
const completions = 20

// measureCompletion measures how long the kubectl plugin takes to complete the name of a source, and then of its apps, in
// the large market, as a shell runs it: with the start of the program.
func (m *benchmark) measureCompletion() {
	m.b.Helper()
	program := filepath.Join(m.scratch, "kubectl-market")
	m.runProgram("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, filepath.Join(m.root, "cmd", "kubectl-market"))
	for _, typed := range []struct {
		work, begin string
		names       int
	}{
		{"a source", "", manySources},
		{"an app of a source", "source1/", manyApps / manySources},
	} {
		var times []time.Duration
		fewest := typed.names
		for range completions {
			command := exec.CommandContext(m.ctx, program, "__complete", "show", "--market", largeNamespace, typed.begin)
			command.Env = append(os.Environ(), "KUBECONFIG="+m.kubeconfig)
			begin := time.Now()
			out, err := command.Output()
			times = append(times, time.Since(begin))
			m.Expect(err).NotTo(HaveOccurred())
			fewest = min(fewest, strings.Count(string(out), "source"))
		}
		m.table.addRow(resultRow{
			work:   fmt.Sprintf("kubectl market completes the name of %s with %d apps, 95th percentile of %d; names", typed.work, manyApps, completions),
			figure: fmt.Sprintf("%s; at least %d of %d", formatDuration(percentile(times, 95)), fewest, typed.names), budget: fmt.Sprintf("≤ 300 ms; %d", typed.names),
		})
	}
}
