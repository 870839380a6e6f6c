// Package hostile_test attacks one operator in the ways that tenants, chart authors and sources
// can, and measures the effects on others. The operator runs as it is released, with 1 GiB of
// memory, and must survive the whole suite without a restart.
//
// Each spec is one row of a table: the attack, its result, the time that another tenant waited
// for the installation of a small app at the same time, and the memory and CPU time of the operator and
// its workers. Specs run in parallel, so the measurements of a row include the effects of other
// rows. The table is printed at the end. A row for an attack that another suite covers names the spec.
package hostile_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
)

const (
	// timeout limits every wait. A row that waits that long has failed.
	timeout = 2 * time.Minute
	// memoryLimit is the memory in bytes that the operator and its workers may use together.
	memoryLimit = 1 << 30
)

var (
	cluster *fixture.Cluster
	// suite is the shared data of all processes of the suite.
	suite suiteData
	// backgroundTenant is the tenant that installs apps during each attack.
	backgroundTenant *neighbor
)

// suiteData is the data that the first process of the suite passes to the others.
type suiteData struct {
	Cluster, Repository, Metrics, Log string
	// PID is the process ID of the operator.
	PID int
}

func TestHostile(t *testing.T) { fixture.RunSuite(t, "Hostile", timeout, 100*time.Millisecond) }

var _ = SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
	dir := GinkgoT().TempDir()
	started := fixture.StartCluster(ctx, filepath.Join(dir, "cluster"))
	limit := limitMemory()
	operator := fixture.NewOperator(fixture.BuildOperator(ctx, dir), started, dir, "--memory-limit=1073741824", "--render-memory=402653184")
	limit(operator)
	operator.Start()
	text, err := json.Marshal(suiteData{
		Cluster: started.Dir, Repository: operator.URL, Metrics: operator.Metrics, Log: operator.Log.Name(), PID: operator.Process.Process.Pid,
	})
	Expect(err).NotTo(HaveOccurred())
	return text
}, func(ctx SpecContext, text []byte) {
	Expect(json.Unmarshal(text, &suite)).To(Succeed())
	cluster = fixture.ConnectCluster(suite.Cluster)
	backgroundTenant = newNeighbor(ctx)
})

// newTenant creates the namespace of an attacker. When the spec ends, every object in it
// is checked against the status contract.
func newTenant(ctx SpecContext) *fixture.Tenant {
	GinkgoHelper()
	t := fixture.NewTenant(ctx, cluster)
	DeferCleanup(func(ctx SpecContext) {
		if cluster.ReportFailure(ctx, t.Namespace, suite.Log) {
			return
		}
		// An object that has not been reconciled yet has no conditions.
		violations := slices.DeleteFunc(cluster.Violations(ctx, t.Namespace), func(v string) bool { return strings.HasSuffix(v, ": []") })
		Expect(violations).To(BeEmpty())
	})
	return t
}
