package hostile_test

import (
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/testenv"
)

// coveredAttack is an attack that a spec of another suite runs, with the file of that spec.
type coveredAttack struct{ attack, file, spec string }

// coveredAttacks are the attacks that other suites cover.
var coveredAttacks = []coveredAttack{
	{"A Deployment that is adopted by a release with a null in a list", "internal/helm/release/null_records_test.go", "TestNullsInRecordsAndManifests"},
	{"The same by a task, and by an instance", "test/integration/null_in_list_test.go", "is adopted by a release with a null in a list"},
	{"A rollback to a record with a null", "internal/helm/release/panic_test.go", "TestPanicsInTheCallsOfHelmAreErrors"},
	{"A changed record that the drift correction would apply", "controllers/appinstance/records_test.go", "is not carried out to correct drift"},
	{"A panic in a phase of a controller", "controllers/appinstance/panic_test.go", "in a phase is a failure of the instance"},
	{"A chart that terminates the operator each time it is read", "test/story/interrupted_reconcile_test.go", "during the hydration of an app stalls only that app after three attempts"},
	{"A source that terminates the operator each time it is read", "test/story/interrupted_reconcile_test.go", "during the sync of a source stalls only that source after three attempts"},
	{"An operation that was interrupted three times", "test/integration/endless_hook_test.go", "is not started again after three interruptions"},
	{"A service account that the user is not permitted to use", "test/integration/service_account_policy_test.go", "requires the permission to use the service account"},
	{"A remedy that grants more than the removal of a shared chart", "test/story/shared_chart_test.go", "is removed with all clients if the service account is permitted to"},
	{"A namespace with the name of a shared chart", "test/story/shared_chart_test.go", "does not use the shared chart of a namespace without the label"},
	{"A source whose charts take precedence over the charts of the market", "test/integration/market_test.go", "does not take precedence over the charts of a market in the joined repository"},
	{"A folder of the operator as a source", "test/integration/market_test.go", "must be in an allowed directory, also in a market"},
	{"An index with internal addresses", "test/integration/internal_address_test.go", "gets each address rejected, or at least no response shown"},
	{"A source on loopback", "test/integration/internal_address_test.go", "is rejected without the flag for local runs, also in a market"},
	{"A host that a proxy resolves to an internal address", "internal/netguard/transport_test.go", "TestHostsAreCheckedBeforeTheProxyIsUsed"},

	{"The deletion of volumes of a custom resource", "test/integration/removal_test.go", "keeps and lists the volumes that a custom resource owns"},
	{"The deletion of a Namespace of a chart with volumes", "test/integration/removal_test.go", "keeps a Namespace of the chart while it contains volumes"},
	{"The deletion of the data of dependent apps", "test/integration/dependent_apps_test.go", "is removed with its data, and its dependents keep their data"},
	{"The deletion of the data of a shared chart", "test/integration/dependent_apps_test.go", "is removed with a shared chart, whose data is kept"},
	{"A dependency that is never satisfied", "controllers/appinstalltask/admission_test.go", "ReasonDependencyFailed"},
	{"A subtask that the tenant created", "test/integration/forged_subtask_test.go", "does not check continuously"},
	{"A status that exceeds the size limit", "controllers/appinfo/status_size_test.go", "TestFitStatus"},
	{"Watches as many service accounts", "internal/health/watch_limit_test.go", "TestWatchesOfANamespaceAreLimited"},
	{"A private source read without a token", "test/integration/private_source_test.go", "is not accessible to other clients"},
	{"Platform values in a report", "hydrate/mask_test.go", "TestReportsMaskPlatformValues"},
	{"A credential of another product, issuer or key", "test/story/license_test.go", "is issued to another subject"},
}

// TestCoveredAttacks checks that the specs of the rows exist.
func TestCoveredAttacks(t *testing.T) {
	g := NewWithT(t)
	root, err := testenv.ModuleRoot()
	g.Expect(err).NotTo(HaveOccurred())
	for _, c := range coveredAttacks {
		text, err := os.ReadFile(root + "/" + c.file)
		g.Expect(err).NotTo(HaveOccurred(), c.attack)
		g.Expect(strings.Contains(string(text), c.spec)).To(BeTrue(), "%s: %s has no %q", c.attack, c.file, c.spec)
	}
}
