package bench_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/gomega"
)

// apiServerTime returns the CPU time that the API server has used until now.
func (m *benchmark) apiServerTime() time.Duration {
	m.b.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(m.audit), "cluster", "pids", "kube-apiserver"))
	m.Expect(err).NotTo(HaveOccurred())
	pid, err := strconv.Atoi(strings.Fields(string(text))[0])
	m.Expect(err).NotTo(HaveOccurred())
	used, _, err := processorTime(pid)
	m.Expect(err).NotTo(HaveOccurred())
	return used
}

// processorCost is the CPU time of a number of installs: of the programs that perform them, and of the API
// server during that time.
type processorCost struct{ programs, apiServer time.Duration }

// addCosts adds the CPU time per install to the table, with the CPU time of the helm command as
// reference, unless it is zero because there is no helm command.
func (m *benchmark) addCosts(count int, ours, helm processorCost) {
	each := func(c processorCost) string {
		return fmt.Sprintf("%s, API server %s", formatDuration(c.programs/time.Duration(count)), formatDuration(c.apiServer/time.Duration(count)))
	}
	r := resultRow{
		work:   fmt.Sprintf("CPU time of each of %d installations", count),
		figure: "operator and workers " + each(ours), budget: "< helm",
	}
	if helm.programs > 0 {
		r.reference, r.ratio = "helm install --wait "+each(helm), formatRatio(ours.programs, helm.programs)
	}
	m.table.addRow(r)
}
