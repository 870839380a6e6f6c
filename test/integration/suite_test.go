// Package integration_test checks what users see when something goes wrong: charts,
// repositories and clusters with a fault, used through tasks and kubectl. The
// operator runs as a process on a local cluster with simulated nodes.
//
// # Writing a case
//
// A case is a spec of 1 to 3 seconds with a namespace of its own. Put the cases of
// one kind of fault into one file that is named after the fault, and name a spec by
// what the user sees:
//
//	var _ = Describe("A chart with one port number for two protocols", func() {
//		It("keeps both ports through an upgrade", func(ctx SpecContext) {
//			t := newTenant(ctx)
//			repository := t.Offer(ctx, ports.With("1.0.0", nil))
//			t.Succeed(ctx, v1alpha1.ActionInstall, "ports")
//
//			repository.Add(ports.With("1.1.0", fixture.Files{"values.yaml": "udp: true\n"}))
//			t.Sync(ctx)
//			t.Succeed(ctx, v1alpha1.ActionUpgrade, "ports")
//
//			service := &corev1.Service{}
//			t.Get(ctx, service, "ports")
//			Expect(service.Spec.Ports).To(HaveLen(2))
//		})
//	})
//
// newTenant creates the namespace and its service account, and checks the status
// contract of every object in the namespace when the spec ends. Package fixture has the
// other helpers: Tenant.Fail and Tenant.WaitEnd for failures, Tenant.Apply for YAML
// through kubectl, Tenant.Grant and Tenant.GrantCluster for more permissions,
// Repository.Serve for an index or an archive of any bytes, fixture.TarGzip for
// archives that no tool creates.
//
// Specs run in several processes at once that share one cluster and one operator.
// So a spec
//   - gives objects of the whole cluster (CRDs, ClusterRoles) a name of its own and
//     deletes them with DeferCleanup;
//   - does not depend on what else the operator is doing: no log lines, no counts of
//     requests, except for requests to its own Repository;
//   - is marked Serial if it kills or restarts the operator. Serial specs run alone,
//     at the end, and only they may use the variable operator.
//
// A simulated Pod is ready immediately, and the Pod of a Job succeeds immediately. The
// annotation "localcluster/waiting" on a Pod template, for example with the value
// ContainerCreating, keeps its Pods from starting. An image must be
// fixture.Image, unless the case is about a missing image.
//
// To run the cases of one kind:
//
//	KUBEBUILDER_ASSETS=$PWD/.local/bin go test ./test/integration -ginkgo.focus 'two protocols'
package integration_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
	"github.com/appmarket/operator/test/samplemarket"
)

// timeout limits every wait. A spec that waits that long has failed.
const timeout = 60 * time.Second

var (
	cluster *fixture.Cluster
	// operator is the process of the operator. It is set for Serial specs only.
	operator *fixture.Operator
	// suite is the shared data of all processes.
	suite suiteData
)

// privateRegistry is a registry that denies access to all its images.
const privateRegistry = "private.example"

func TestIntegration(t *testing.T) { fixture.RunSuite(t, "Integration", timeout, 50*time.Millisecond) }

// suiteData is the data that the first process passes to the others: the folder of the cluster, the
// program of the operator, the URL of its repository, the path of its log, and a folder that sources of
// type Directory may use.
type suiteData struct{ Cluster, Program, URL, Log, Directory string }

var _ = SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
	dir := GinkgoT().TempDir()
	started := fixture.StartCluster(ctx, filepath.Join(dir, "cluster"))
	_, samples := fixture.StartSampleMarket()
	directory := filepath.Join(dir, "directory")
	Expect(os.Mkdir(directory, 0o755)).To(Succeed())
	denying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	DeferCleanup(denying.Close)
	operator = fixture.NewOperator(fixture.BuildOperator(ctx, dir), started, dir, "--allowed-directories", directory,
		"--registry-mirror", samplemarket.Registry+"="+samples.URL, "--registry-mirror", privateRegistry+"="+denying.URL)
	operator.Start()
	text, err := json.Marshal(suiteData{Cluster: started.Dir, Program: operator.Program, URL: operator.URL, Log: operator.Log.Name(), Directory: directory})
	Expect(err).NotTo(HaveOccurred())
	return text
}, func(text []byte) {
	Expect(json.Unmarshal(text, &suite)).To(Succeed())
	cluster = fixture.ConnectCluster(suite.Cluster)
})

// newTenant creates a namespace in which apps can be installed. When the spec ends, every object in
// the namespace is checked against the status contract. The report of a failed spec shows the
// objects and the log lines of the operator about them.
func newTenant(ctx SpecContext) *fixture.Tenant {
	GinkgoHelper()
	return newTenantIn(ctx, cluster.Namespace(ctx, "tenant"))
}

// newMarketTenant creates a tenant in a market namespace.
func newMarketTenant(ctx SpecContext) *fixture.Tenant {
	GinkgoHelper()
	return newTenantIn(ctx, cluster.MarketNamespace(ctx))
}

func newTenantIn(ctx SpecContext, namespace string) *fixture.Tenant {
	GinkgoHelper()
	t := fixture.TenantIn(ctx, cluster, namespace)
	DeferCleanup(func(ctx SpecContext) {
		if !cluster.ReportFailure(ctx, t.Namespace, suite.Log) {
			cluster.CheckContract(ctx, t.Namespace)
		}
	})
	return t
}
