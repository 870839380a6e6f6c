//go:build e2e

// Package e2e_test checks that the released operator runs: its image is pulled by a
// kubelet from a registry, and it is installed from its chart and with kustomize on a
// node that runs containers. The tests need root and what `localcluster node up` needs;
// use make e2e.
//
// The specs are the steps of one run, in the order of the files install, samples,
// interruption, failure, pages, removal and audit. A step may use the results of earlier steps.
// At the end, a table shows each step with its duration in seconds and its result.
//
// Environment variables:
//   - IMAGE_LAYOUT is the folder of the OCI image layout of the operator.
//   - DIST is the folder of the release files that make samples and make chart write.
//   - E2E_DIR is the folder of the cluster.
//   - KUBEBUILDER_ASSETS is a folder of links to a local cluster with the build tag node.
//   - HELM3 is the helm client.
//   - REPORTS is the folder for the logs. If not set, the logs are not kept.
package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
)

const (
	// host is the address of this process for the node and its Pods; see hack/localcluster/node.go.
	host = "10.99.0.1"
	// registryAddress is the registry from which the node pulls every image.
	registryAddress = host + ":5000"
	// system is the namespace of the operator.
	system = "appmarket-system"
	// timeout limits every wait. A step that waits that long has failed.
	timeout = 90 * time.Second
)

var (
	cluster *fixture.Cluster
	// digest is the digest of the operator's image.
	digest string
)

func TestEndToEnd(t *testing.T) {
	for _, name := range []string{"IMAGE_LAYOUT", "DIST", "E2E_DIR", "KUBEBUILDER_ASSETS", "HELM3"} {
		if os.Getenv(name) == "" {
			t.Fatalf("%s is not set; use make e2e", name)
		}
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(timeout)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "End to end")
}

// Ginkgo runs the cleanup of the node even if the run is interrupted.
var _ = BeforeSuite(func(ctx SpecContext) {
	program, err := filepath.EvalSymlinks(filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kube-apiserver"))
	Expect(err).NotTo(HaveOccurred())
	state := os.Getenv("E2E_DIR")
	DeferCleanup(func(ctx SpecContext) {
		keepLogs(state)
		fixture.Run(ctx, program, "down", "--dir", state)
	})
	fixture.Run(ctx, program, "up", "--dir", state, "--simulated-nodes=false")
	fixture.Run(ctx, program, "node", "up", "--dir", state)
	cluster = fixture.ConnectCluster(state)
	startRegistry(ctx, GinkgoT().TempDir())
})

// keepLogs copies the audit log and the logs of the node to the folder REPORTS, if it is set.
func keepLogs(state string) {
	reports := os.Getenv("REPORTS")
	if reports == "" {
		return
	}
	for _, pattern := range []string{"audit.log", "cluster/node/logs/*.log", "cluster/logs/*.log"} {
		found, err := filepath.Glob(filepath.Join(state, pattern))
		Expect(err).NotTo(HaveOccurred())
		for _, path := range found {
			text, err := os.ReadFile(path)
			Expect(err).NotTo(HaveOccurred())
			Expect(os.MkdirAll(reports, 0o755)).To(Succeed())
			Expect(os.WriteFile(filepath.Join(reports, filepath.Base(path)), text, 0o644)).To(Succeed())
		}
	}
}

var _ = ReportAfterSuite("table of the steps", func(report Report) {
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-68s %7s  %s\n", "step", "seconds", "outcome")
	for _, spec := range report.SpecReports {
		name := spec.LeafNodeText
		if name == "" {
			name = spec.LeafNodeType.String()
		}
		outcome := map[types.SpecState]string{types.SpecStatePassed: "ok", types.SpecStateSkipped: "skipped"}[spec.State]
		if outcome == "" {
			outcome = strings.ToUpper(spec.State.String())
		}
		fmt.Fprintf(&table, "%-68s %7.1f  %s\n", name, spec.RunTime.Seconds(), outcome)
		for _, entry := range spec.ReportEntries {
			if entry.Name == lineEntry {
				fmt.Fprintf(&table, "    %s\n", entry.Value.String())
			}
		}
	}
	fmt.Fprintf(&table, "%-68s %7.1f\n", "total", report.RunTime.Seconds())
	fmt.Print(table.String())
})

// lineEntry is the name of the report entries with the lines that the table shows below a step.
const lineEntry = "line"

// addLine adds a line to the table below the step.
func addLine(format string, args ...any) {
	AddReportEntry(lineEntry, fmt.Sprintf(format, args...), ReportEntryVisibilityNever)
}

var _ = Describe("The operator on a node that runs containers", Ordered, ContinueOnFailure, func() {
	AfterEach(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			out, _ := cluster.TryKubectl(ctx, nil, "get", "market,all,persistentvolumeclaim", "--all-namespaces")
			AddReportEntry("objects", out)
			out, _ = cluster.TryKubectl(ctx, nil, "logs", "--namespace", system, "deployment/appmarket", "--tail", "60")
			AddReportEntry("log of the operator", out)
		}
	})
	installSteps()
	sampleSteps()
	Context("with interruptions", interruptionSteps)
	Context("with failing apps", failureSteps)
	pageSteps()
	removalSteps()
	auditSteps()
})
