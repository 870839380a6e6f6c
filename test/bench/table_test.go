package bench_test

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"
)

// resultRow is one line of the table.
type resultRow struct {
	work      string
	figure    string
	budget    string
	reference string
	ratio     string
}

// resultTable collects the results, and is printed at the end.
type resultTable struct {
	rows []resultRow
	// skipped are the skipped measurements, with the reasons.
	skipped []string
	load    string
}

func newTable() *resultTable { return &resultTable{load: loadAverage()} }

func (t *resultTable) addRow(r resultRow) { t.rows = append(t.rows, r) }

func (t *resultTable) addSkipped(what, why string) {
	t.skipped = append(t.skipped, fmt.Sprintf("skipped: %s: %s", what, why))
}

// printTable writes the table as aligned Markdown.
func (t *resultTable) printTable(out io.Writer) {
	fmt.Fprintf(out, "\n%s, %d cores, %s, load before %s\n\n", time.Now().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), t.load)
	lines := [][]string{{"work", "figure", "budget", "reference in the same run", "ratio"}}
	for _, r := range t.rows {
		lines = append(lines, []string{r.work, r.figure, r.budget, r.reference, r.ratio})
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, line := range lines {
		for i, cell := range line {
			fmt.Fprintf(out, "| %s%s ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintln(out, "|")
		if n > 0 {
			continue
		}
		for _, width := range widths {
			fmt.Fprintf(out, "| %s ", strings.Repeat("-", width))
		}
		fmt.Fprintln(out, "|")
	}
	fmt.Fprintln(out)
	for _, line := range t.skipped {
		fmt.Fprintln(out, line)
	}
}

// loadAverage returns the load average of the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

func formatDuration(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// formatMemory formats a number of bytes.
func formatMemory(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

// formatRatio formats the ratio of a figure to its reference.
func formatRatio[N int64 | float64 | time.Duration](figure, reference N) string {
	if reference == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", float64(figure)/float64(reference))
}
