package hostile_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
)

// rowEntry is the name of the report entries that hold the rows of the table.
const rowEntry = "row"

// resultRow is a line of the table.
type resultRow struct {
	Attack, Outcome string
	// Installs is the number of apps that the neighbor installed during the attack, and Slowest is the
	// duration of the slowest installation.
	Installs int
	Slowest  time.Duration
	// Operator and Workers are the peak resident memory in bytes.
	Operator, Workers int64
	// Processor is the CPU time of the operator and its workers.
	Processor, Duration time.Duration
}

// runAttack runs an attack, which returns its result, while the neighbor installs apps, and adds
// a row to the table.
func runAttack(ctx SpecContext, attack func() string) {
	GinkgoHelper()
	r := resultRow{Attack: strings.Join(append(CurrentSpecReport().ContainerHierarchyTexts, CurrentSpecReport().LeafNodeText), " ")}
	started := time.Now()
	finished, installed := make(chan struct{}), make(chan struct{})
	var installErr, usageErr error
	go func() {
		defer close(installed)
		r.Installs, r.Slowest, installErr = backgroundTenant.installUntil(ctx, finished)
	}()
	stop, sampled := make(chan struct{}), make(chan struct{})
	var measured usage
	go func() {
		defer close(sampled)
		measured, usageErr = watchUsage(suite.PID, stop)
	}()
	end := func() {
		close(finished)
		<-installed
		close(stop)
		<-sampled
	}
	func() {
		defer end()
		r.Outcome = attack()
	}()
	r.Duration, r.Operator, r.Workers, r.Processor = time.Since(started), measured.operator, measured.workers, measured.processor
	Expect(usageErr).NotTo(HaveOccurred())
	Expect(installErr).NotTo(HaveOccurred())
	AddReportEntry(rowEntry, r, ReportEntryVisibilityNever)
}

// collectRows returns the rows of a report, in the order of their attacks.
func collectRows(report Report) []resultRow {
	var rows []resultRow
	for _, spec := range report.SpecReports {
		for _, entry := range spec.ReportEntries {
			if entry.Name != rowEntry {
				continue
			}
			// The value is a row of this process, or the JSON of a row of another process.
			r, own := entry.GetRawValue().(resultRow)
			if !own {
				Expect(json.Unmarshal([]byte(entry.Value.AsJSON), &r)).To(Succeed())
			}
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b resultRow) int { return strings.Compare(a.Attack, b.Attack) })
	return rows
}

var _ = ReportAfterSuite("table of attacks", func(report Report) {
	rows := collectRows(report)
	if len(rows) == 0 {
		return
	}
	var text strings.Builder
	fmt.Fprintln(&text, "== Effects of attacks on other tenants\nRows were measured in parallel: each includes the effects of the attacks that ran at the same time. Time is the CPU time of the operator and its workers.")
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "ATTACK\tRESULT\tINSTALLATIONS OF ANOTHER TENANT\tOPERATOR\tWORKERS\tTIME\tDURATION")
	var slowest time.Duration
	var operator, workers int64
	for _, r := range rows {
		fmt.Fprintf(out, "%s\t%s\t%d × ≤ %.1f s\t%d MiB\t%d MiB\t%.1f s\t%.1f s\n",
			r.Attack, r.Outcome, r.Installs, r.Slowest.Seconds(), r.Operator>>20, r.Workers>>20, r.Processor.Seconds(), r.Duration.Seconds())
		slowest, operator, workers = max(slowest, r.Slowest), max(operator, r.Operator), max(workers, r.Workers)
	}
	for _, c := range coveredAttacks {
		fmt.Fprintf(out, "%s\tsee %s: %s\t\t\t\t\t\n", c.attack, c.file, c.spec)
	}
	Expect(out.Flush()).To(Succeed())
	restarts := "without a restart"
	if !report.SuiteSucceeded {
		restarts = "AND SPECS FAILED"
	}
	fmt.Fprintf(&text, "%d attacks measured, %d covered by other suites, %s: another tenant waited at most %.1f s for an installation, the operator used at most %d MiB and its workers %d MiB of %d MiB.\n",
		len(rows), len(coveredAttacks), restarts, slowest.Seconds(), operator>>20, workers>>20, memoryLimit>>20)
	file := fixture.Path(".local/reports/hostile.txt")
	Expect(os.MkdirAll(filepath.Dir(file), 0o755)).To(Succeed())
	Expect(os.WriteFile(file, []byte(text.String()), 0o644)).To(Succeed())
})
