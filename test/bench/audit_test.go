package bench_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/gomega"
)

// waitIdle waits until the operator has written nothing for 7 seconds, which is longer than it keeps
// idle render workers, and has no worker left.
func (m *benchmark) waitIdle() {
	m.b.Helper()
	last, since := m.auditEnd(), time.Now()
	m.Eventually(func() bool {
		if m.writesSince(last).sum() > 0 {
			last, since = m.auditEnd(), time.Now()
		}
		return time.Since(since) > 7*time.Second && len(childProcesses(m.operator.processID())) == 0
	}, timeout, 200*time.Millisecond).Should(BeTrue())
}

// auditEnd returns the length of the audit log of the API server in bytes.
func (m *benchmark) auditEnd() int64 {
	m.b.Helper()
	info, err := os.Stat(m.audit)
	m.Expect(err).NotTo(HaveOccurred())
	return info.Size()
}

// writeCounts are the numbers of writes by verb and resource, such as "patch appinfos/status".
type writeCounts map[string]int

func (w writeCounts) sum() int {
	sum := 0
	for _, count := range w {
		sum += count
	}
	return sum
}

// String lists the writes, the most frequent first.
func (w writeCounts) String() string {
	kinds := slices.SortedFunc(maps.Keys(w), func(a, b string) int { return cmp.Or(w[b]-w[a], strings.Compare(a, b)) })
	parts := make([]string, 0, len(kinds))
	for _, kind := range kinds {
		parts = append(parts, fmt.Sprint(w[kind], " ", kind))
	}
	return fmt.Sprintf("%d (%s)", w.sum(), strings.Join(parts, ", "))
}

// writesSince counts the write requests of the operator after the given position in the audit log.
func (m *benchmark) writesSince(length int64) writeCounts {
	m.b.Helper()
	log, err := os.Open(m.audit)
	m.Expect(err).NotTo(HaveOccurred())
	defer log.Close()
	_, err = log.Seek(length, io.SeekStart)
	m.Expect(err).NotTo(HaveOccurred())
	text, err := io.ReadAll(log)
	m.Expect(err).NotTo(HaveOccurred())
	found := writeCounts{}
	for line := range strings.Lines(string(text)) {
		var event struct {
			Verb      string `json:"verb"`
			UserAgent string `json:"userAgent"`
			ObjectRef struct {
				Resource    string `json:"resource"`
				Subresource string `json:"subresource"`
			} `json:"objectRef"`
		}
		if !strings.HasSuffix(line, "\n") || json.Unmarshal([]byte(line), &event) != nil {
			continue // The last line is incomplete.
		}
		switch event.Verb {
		case "get", "list", "watch":
		default:
			if strings.HasPrefix(event.UserAgent, "appmarket/") {
				ref := event.ObjectRef
				found[event.Verb+" "+strings.TrimSuffix(ref.Resource+"/"+ref.Subresource, "/")]++
			}
		}
	}
	return found
}
