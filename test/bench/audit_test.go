package bench_test

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"time"

	. "github.com/onsi/gomega"
)

// settle waits until the operator has had nothing to do for longer than it keeps
// render workers: what hydration left for later is over.
func (m *measure) settle() {
	m.b.Helper()
	last, since := m.auditEnd(), time.Now()
	m.Eventually(func() bool {
		if m.writesSince(last) > 0 {
			last, since = m.auditEnd(), time.Now()
		}
		return time.Since(since) > 7*time.Second && len(offspring(m.operator.pid())) == 0
	}, patience, 200*time.Millisecond).Should(BeTrue())
}

// auditEnd is how long the API server's audit log is.
func (m *measure) auditEnd() int64 {
	m.b.Helper()
	info, err := os.Stat(m.audit)
	m.Expect(err).NotTo(HaveOccurred())
	return info.Size()
}

// writesSince counts what the operator asked the API server to change since the
// log had that length.
func (m *measure) writesSince(length int64) int {
	m.b.Helper()
	log, err := os.Open(m.audit)
	m.Expect(err).NotTo(HaveOccurred())
	defer log.Close()
	_, err = log.Seek(length, io.SeekStart)
	m.Expect(err).NotTo(HaveOccurred())
	text, err := io.ReadAll(log)
	m.Expect(err).NotTo(HaveOccurred())
	writes := 0
	for line := range strings.Lines(string(text)) {
		var event struct {
			Verb      string `json:"verb"`
			UserAgent string `json:"userAgent"`
		}
		if !strings.HasSuffix(line, "\n") || json.Unmarshal([]byte(line), &event) != nil {
			continue // The log is being written.
		}
		switch event.Verb {
		case "get", "list", "watch":
		default:
			if strings.HasPrefix(event.UserAgent, "appmarket/") {
				writes++
			}
		}
	}
	return writes
}
