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

// apiServerTime returns the processor time that the API server has used until now.
func (m *measure) apiServerTime() time.Duration {
	m.b.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(m.audit), "cluster", "pids", "kube-apiserver"))
	m.Expect(err).NotTo(HaveOccurred())
	pid, err := strconv.Atoi(strings.Fields(string(text))[0])
	m.Expect(err).NotTo(HaveOccurred())
	used, _, err := processorTime(pid)
	m.Expect(err).NotTo(HaveOccurred())
	return used
}

// cost is the processor time of a number of installs: of the programs that carry them out,
// and of the API server meanwhile.
type cost struct{ programs, apiServer time.Duration }

// addCosts adds the processor time of each of so many installs to the table, beside that of
// the helm command, which is zero if there is none.
func (m *measure) addCosts(count int, ours, helm cost) {
	each := func(c cost) string {
		return fmt.Sprintf("%s, API server %s", seconds(c.programs/time.Duration(count)), seconds(c.apiServer/time.Duration(count)))
	}
	r := row{
		work:   fmt.Sprintf("processor time for each of %d installs", count),
		figure: "operator and workers " + each(ours), budget: "< helm",
	}
	if helm.programs > 0 {
		r.reference, r.ratio = "helm install --wait "+each(helm), ratio(ours.programs, helm.programs)
	}
	m.table.add(r)
}
