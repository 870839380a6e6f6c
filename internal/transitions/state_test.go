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

// instance is one of generation 2 whose status speaks of it.
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
		{"there is none", nil, transitions.None},
		{"it was just made", newInstance(func(*v1alpha1.AppInstance) {}), transitions.Installing},
		{"Helm has refused it", newInstance(func(*v1alpha1.AppInstance) {}, stalled), transitions.InstallFailed},
		{"the failure is of an older spec", newInstance(func(i *v1alpha1.AppInstance) { i.Generation = 3 }, stalled), transitions.Installing},
		{"all is well", newInstance(installed, applied, healthy), transitions.Running},
		{"objects are not ready", newInstance(installed, applied), transitions.Unhealthy},
		{"objects will not be ready", newInstance(installed, applied, condition(v1alpha1.ConditionHealthy, no), stalled), transitions.Unhealthy},
		{"the spec was changed", newInstance(func(i *v1alpha1.AppInstance) { installed(i); i.Generation = 3 }, resolved, applied, healthy), transitions.Changing},
		{"the spec is resolved and not applied", newInstance(installed, resolved, ready), transitions.Changing},
		{"its app is gone, what is installed runs", newInstance(installed, ready), transitions.Running},
		{"its app is gone, and objects are not ready", newInstance(installed, condition(v1alpha1.ConditionReady, metav1.ConditionUnknown)), transitions.Unhealthy},
		{"a Secret with values is gone", newInstance(installed, condition(v1alpha1.ConditionResolved, no), ready), transitions.Running},
		{"Helm is at work", newInstance(func(i *v1alpha1.AppInstance) {
			installed(i)
			i.Status.Operation = &v1alpha1.Operation{Type: v1alpha1.OperationUpgrade}
		}, resolved, applied, healthy), transitions.Changing},
		{"an upgrade has failed", newInstance(installed, condition(v1alpha1.ConditionApplied, no), stalled), transitions.ChangeFailed},
		{"it is stopped", newInstance(func(i *v1alpha1.AppInstance) { installed(i); i.Status.Stopped = true }, applied, healthy), transitions.Stopped},
		{"it should go", newInstance(func(i *v1alpha1.AppInstance) { installed(i); i.Spec.DesiredState = v1alpha1.StateAbsent }, applied), transitions.Removing},
		{"it cannot go", newInstance(func(i *v1alpha1.AppInstance) {
			installed(i)
			i.Spec.DesiredState = v1alpha1.StateAbsent
		}, stalled), transitions.RemoveFailed},
		{"it has gone", newInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateAbsent }), transitions.Removed},
		{"somebody deletes it", newInstance(func(i *v1alpha1.AppInstance) {
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
	}{
		{"nothing ran before", 1, []v1alpha1.HistoryEntry{historyEntry(1, 0, install, good)}, 0},
		{"one ran before", 2, []v1alpha1.HistoryEntry{historyEntry(2, 0, upgrade, good), historyEntry(1, 0, install, good)}, 1},
		{"after a failure: the last that succeeded", 1, []v1alpha1.HistoryEntry{historyEntry(0, 0, upgrade, bad), historyEntry(1, 0, install, good)}, 1},
		{"after an upgrade that was cut off: the last that succeeded", 2, []v1alpha1.HistoryEntry{
			historyEntry(0, 0, upgrade, v1alpha1.OutcomeInterrupted), historyEntry(2, 0, upgrade, good), historyEntry(1, 0, install, good)}, 2},
		{"after a rollback that failed: the last that succeeded", 2, []v1alpha1.HistoryEntry{
			historyEntry(0, 1, rollback, bad), historyEntry(2, 0, upgrade, good), historyEntry(1, 0, install, good)}, 2},
		{"what was gone back from is not gone back to", 4, []v1alpha1.HistoryEntry{
			historyEntry(4, 2, rollback, good), historyEntry(3, 0, upgrade, good), historyEntry(2, 0, upgrade, good), historyEntry(1, 0, install, good)}, 1},
		{"what was before a removal has gone with it", 2, []v1alpha1.HistoryEntry{
			historyEntry(2, 0, install, good), historyEntry(0, 0, uninstall, good), historyEntry(1, 0, install, good)}, 0},
		{"a removal that failed has taken nothing", 2, []v1alpha1.HistoryEntry{
			historyEntry(0, 0, uninstall, bad), historyEntry(2, 0, upgrade, good), historyEntry(1, 0, install, good)}, 1},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			i := &v1alpha1.AppInstance{}
			i.Status.Revision, i.Status.History = c.current, c.history
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
		task.Spec = v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionInstall, App: v1alpha1.AppReference{Source: "main", Name: "web"}}
		change(&task.Spec)
		got, err := transitions.HashSpec(task)
		g.Expect(err).NotTo(HaveOccurred())
		return got
	}
	plain := hash(func(*v1alpha1.AppInstallTaskSpec) {})
	yes := true
	g.Expect(hash(func(s *v1alpha1.AppInstallTaskSpec) { s.Suspend, s.Timeout, s.Cancel = &yes, "1h", &yes })).To(Equal(plain), "how and when is no other wish")
	g.Expect(hash(func(s *v1alpha1.AppInstallTaskSpec) { s.Version = "1.0.0" })).NotTo(Equal(plain))
	g.Expect(hash(func(s *v1alpha1.AppInstallTaskSpec) { s.RunID = "again" })).NotTo(Equal(plain))
}

// TestEveryStateAnswersEveryAction fails for a hole in the table.
func TestEveryStateHasADecisionForEveryAction(t *testing.T) {
	for action := range transitions.Outcomes {
		for _, state := range transitions.States {
			NewWithT(t).Expect(transitions.HasDecision(action, state)).To(BeTrue(), "%s in %s", action, state)
		}
	}
}

// TestPageShowsTheTable fails where the page is not what the code does. With the
// environment variable UPDATE set it writes the page anew.
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
	g.Expect(shown).To(Equal(transitions.TableMarkdown()), "run the tests of this package with UPDATE=1")
}

func TestFailedAt(t *testing.T) {
	for _, c := range []struct {
		why, at string
		want    transitions.State
	}{
		{"nothing was written yet", v1alpha1.ConditionAdmitted, transitions.Before},
		{"the version cannot be had", v1alpha1.ConditionResolved, transitions.ChangeFailed},
		{"Helm has refused it", v1alpha1.ConditionApplied, transitions.ChangeFailed},
		{"it is done, and not ready", v1alpha1.ConditionHealthy, transitions.Unhealthy},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(transitions.Outcomes[v1alpha1.ActionUpgrade].FailedAt(c.at)).To(Equal(c.want))
		})
	}
}
