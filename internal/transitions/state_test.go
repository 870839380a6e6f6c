package transitions_test

import (
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
)

// newInstance returns an instance of generation 2 whose status has observed it.
func newInstance(change func(*v1alpha1.AppInstance), conditions ...metav1.Condition) *v1alpha1.AppInstance {
	i := &v1alpha1.AppInstance{}
	i.Generation, i.Status.ObservedGeneration = 2, 2
	i.Spec.DesiredState = v1alpha1.StateRunning
	for _, c := range conditions {
		if c.ObservedGeneration == 0 {
			c.ObservedGeneration = 2
		}
		i.Status.Conditions = append(i.Status.Conditions, c)
	}
	change(i)
	return i
}

func condition(kind string, of metav1.ConditionStatus) metav1.Condition {
	return metav1.Condition{Type: kind, Status: of}
}

func TestStateOf(t *testing.T) {
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse
	applied, healthy := condition(v1alpha1.ConditionApplied, yes), condition(v1alpha1.ConditionHealthy, yes)
	resolved, ready := condition(v1alpha1.ConditionResolved, yes), condition(v1alpha1.ConditionReady, yes)
	stalled := condition(v1alpha1.ConditionStalled, yes)
	installed := func(i *v1alpha1.AppInstance) {
		i.Status.Revision = 1
		i.Status.Releases = []v1alpha1.Release{{Name: "web"}}
	}
	for _, c := range []struct {
		why  string
		of   *v1alpha1.AppInstance
		want transitions.State
	}{
		{"the instance does not exist", nil, transitions.None},
		{"the instance was just created", newInstance(func(*v1alpha1.AppInstance) {}), transitions.Installing},
		{"the installation failed", newInstance(func(*v1alpha1.AppInstance) {}, stalled), transitions.InstallFailed},
		{"the failure belongs to an older spec", newInstance(func(i *v1alpha1.AppInstance) { i.Generation = 3 }, stalled), transitions.Installing},
		{"all objects are ready", newInstance(installed, applied, healthy), transitions.Running},
		{"objects are not ready", newInstance(installed, applied), transitions.Unhealthy},
		{"objects have failed", newInstance(installed, applied, condition(v1alpha1.ConditionHealthy, no), stalled), transitions.Unhealthy},
		{"the spec was changed", newInstance(func(i *v1alpha1.AppInstance) { installed(i); i.Generation = 3 }, resolved, applied, healthy), transitions.Changing},
		{"the spec is resolved and not applied", newInstance(installed, resolved, ready), transitions.Changing},
		{"the app is missing, and the release is running", newInstance(installed, ready), transitions.Running},
		{"the app is missing, and objects are not ready", newInstance(installed, condition(v1alpha1.ConditionReady, metav1.ConditionUnknown)), transitions.Unhealthy},
		{"a Secret with values is missing", newInstance(installed, condition(v1alpha1.ConditionResolved, no), ready), transitions.Running},
		{"an operation is in progress", newInstance(func(i *v1alpha1.AppInstance) {
			installed(i)
			i.Status.CurrentOperation = &v1alpha1.Operation{Type: v1alpha1.OperationUpgrade}
		}, resolved, applied, healthy), transitions.Changing},
		{"an upgrade has failed", newInstance(installed, condition(v1alpha1.ConditionApplied, no), stalled), transitions.ChangeFailed},
		{"the instance is stopped", newInstance(func(i *v1alpha1.AppInstance) { installed(i); i.Status.Stopped = true }, applied, healthy), transitions.Stopped},
		{"spec.desiredState is Uninstalled", newInstance(func(i *v1alpha1.AppInstance) { installed(i); i.Spec.DesiredState = v1alpha1.StateUninstalled }, applied), transitions.Uninstalling},
		{"the uninstallation failed", newInstance(func(i *v1alpha1.AppInstance) {
			installed(i)
			i.Spec.DesiredState = v1alpha1.StateUninstalled
		}, stalled), transitions.UninstallFailed},
		{"the instance is uninstalled", newInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateUninstalled }), transitions.Uninstalled},
		{"the instance is being deleted", newInstance(func(i *v1alpha1.AppInstance) {
			installed(i)
			now := metav1.Now()
			i.DeletionTimestamp = &now
		}, applied, healthy), transitions.Deleting},
	} {
		t.Run(c.why, func(t *testing.T) { NewWithT(t).Expect(transitions.StateOf(c.of)).To(Equal(c.want)) })
	}
}

func historyEntry(revision, to int32, kind v1alpha1.OperationType, outcome v1alpha1.OperationOutcome) v1alpha1.HistoryEntry {
	return v1alpha1.HistoryEntry{Revision: revision, Outcome: outcome, Operation: v1alpha1.Operation{Type: kind, To: to}}
}

func TestPreviousRevision(t *testing.T) {
	const good, bad = v1alpha1.OutcomeSucceeded, v1alpha1.OutcomeFailed
	const install, upgrade, rollback, uninstall = v1alpha1.OperationInstall, v1alpha1.OperationUpgrade, v1alpha1.OperationRollback, v1alpha1.OperationUninstall
	for _, c := range []struct {
		why     string
		current int32
		history []v1alpha1.HistoryEntry // newest first
		want    int32
		all     []int32
	}{
		{"no previous revision", 1, []v1alpha1.HistoryEntry{historyEntry(1, 0, install, good)}, 0, nil},
		{"one previous revision", 2, []v1alpha1.HistoryEntry{historyEntry(2, 0, upgrade, good), historyEntry(1, 0, install, good)}, 1, []int32{1}},
		{"after a failure: the last successful revision", 1, []v1alpha1.HistoryEntry{historyEntry(0, 0, upgrade, bad), historyEntry(1, 0, install, good)}, 1, []int32{1}},
		{"after an interrupted upgrade: the last successful revision", 2, []v1alpha1.HistoryEntry{
			historyEntry(0, 0, upgrade, v1alpha1.OutcomeInterrupted), historyEntry(2, 0, upgrade, good), historyEntry(1, 0, install, good)}, 2, []int32{2, 1}},
		{"after a failed rollback: the last successful revision", 2, []v1alpha1.HistoryEntry{
			historyEntry(0, 1, rollback, bad), historyEntry(2, 0, upgrade, good), historyEntry(1, 0, install, good)}, 2, []int32{2, 1}},
		{"a revision that was rolled back is skipped", 4, []v1alpha1.HistoryEntry{
			historyEntry(4, 2, rollback, good), historyEntry(3, 0, upgrade, good), historyEntry(2, 0, upgrade, good), historyEntry(1, 0, install, good)}, 1, []int32{3, 2, 1}},
		{"a revision before an uninstallation cannot be rolled back to", 2, []v1alpha1.HistoryEntry{
			historyEntry(2, 0, install, good), historyEntry(0, 0, uninstall, good), historyEntry(1, 0, install, good)}, 0, nil},
		{"a failed uninstallation keeps the revisions", 2, []v1alpha1.HistoryEntry{
			historyEntry(0, 0, uninstall, bad), historyEntry(2, 0, upgrade, good), historyEntry(1, 0, install, good)}, 1, []int32{1}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			i := &v1alpha1.AppInstance{}
			i.Status.Revision, i.Status.History = c.current, c.history
			var all []int32
			for _, entry := range transitions.RollbackRevisions(i) {
				all = append(all, entry.Revision)
			}
			g.Expect(all).To(Equal(c.all))
			got := transitions.PreviousRevision(i)
			if c.want == 0 {
				g.Expect(got).To(BeNil())
				return
			}
			g.Expect(got).NotTo(BeNil())
			g.Expect(got.Revision).To(Equal(c.want))
		})
	}
}

func TestHashSpec(t *testing.T) {
	g := NewWithT(t)
	hash := func(change func(*v1alpha1.AppInstallTaskSpec)) string {
		task := &v1alpha1.AppInstallTask{}
		task.Spec = v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionInstall, AppRef: v1alpha1.AppReference{Source: "main", Name: "web"}}
		change(&task.Spec)
		got, err := transitions.HashSpec(task)
		g.Expect(err).NotTo(HaveOccurred())
		return got
	}
	plain := hash(func(*v1alpha1.AppInstallTaskSpec) {})
	yes := true
	g.Expect(hash(func(s *v1alpha1.AppInstallTaskSpec) { s.Suspend, s.Timeout, s.Cancel = &yes, "1h", &yes })).To(Equal(plain), "fields that control when and how the task runs do not change the hash")
	g.Expect(hash(func(s *v1alpha1.AppInstallTaskSpec) { s.OnUnmetRequirement = v1alpha1.UnmetRequirementWait })).To(Equal(plain))
	g.Expect(hash(func(s *v1alpha1.AppInstallTaskSpec) { s.EnsureParameters().Version = "1.0.0" })).NotTo(Equal(plain))
	g.Expect(hash(func(s *v1alpha1.AppInstallTaskSpec) { s.RunID = "again" })).NotTo(Equal(plain))
}

// TestEveryStateHasADecisionForEveryAction fails if the table has a gap.
func TestEveryStateHasADecisionForEveryAction(t *testing.T) {
	for action := range transitions.Outcomes {
		for _, state := range transitions.States {
			NewWithT(t).Expect(transitions.HasDecision(action, state)).To(BeTrue(), "%s in %s", action, state)
		}
	}
}

// TestPageMatchesTheTable fails if the page does not match the table. If the environment
// variable UPDATE is set, it updates the page.
func TestPageMatchesTheTable(t *testing.T) {
	const page, begin, end = "../../docs/spec/lifecycle.md", "<!-- table -->\n", "<!-- end of table -->"
	g := NewWithT(t)
	text, err := os.ReadFile(page)
	g.Expect(err).NotTo(HaveOccurred())
	before, rest, found := strings.Cut(string(text), begin)
	g.Expect(found).To(BeTrue())
	shown, after, found := strings.Cut(rest, end)
	g.Expect(found).To(BeTrue())
	if os.Getenv("UPDATE") != "" {
		g.Expect(os.WriteFile(page, []byte(before+begin+transitions.TableMarkdown()+end+after), 0o644)).To(Succeed())
		return
	}
	g.Expect(shown).To(Equal(transitions.TableMarkdown()), "run the tests of this package with UPDATE=1 to update the page")
}

func TestFailedAt(t *testing.T) {
	for _, c := range []struct {
		why, at string
		want    transitions.State
	}{
		{"the instance was not changed yet", v1alpha1.ConditionAdmitted, transitions.Before},
		{"the version is not available", v1alpha1.ConditionResolved, transitions.ChangeFailed},
		{"the operation failed", v1alpha1.ConditionApplied, transitions.ChangeFailed},
		{"the operation succeeded, but objects are not ready", v1alpha1.ConditionHealthy, transitions.Unhealthy},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(transitions.Outcomes[v1alpha1.ActionUpgrade].FailedAt(c.at)).To(Equal(c.want))
		})
	}
}
