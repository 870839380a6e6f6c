package conformance_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/test/conformance"
)

func newCondition(kind, state, reason, message string) metav1.Condition {
	return metav1.Condition{
		Type: kind, Status: metav1.ConditionStatus(state), Reason: reason, Message: message,
		ObservedGeneration: 2, LastTransitionTime: metav1.NewTime(time.Unix(1, 0)),
	}
}

// newApp returns an AppInfo of generation 2 whose status has observed it.
func newApp(conditions ...metav1.Condition) *v1alpha1.AppInfo {
	a := &v1alpha1.AppInfo{ObjectMeta: metav1.ObjectMeta{Name: "market.web", Generation: 2}}
	a.Status.ObservedGeneration, a.Status.Conditions = 2, conditions
	return a
}

func newTask(conditions ...metav1.Condition) *v1alpha1.AppInstallTask {
	t := &v1alpha1.AppInstallTask{ObjectMeta: metav1.ObjectMeta{Name: "install", Generation: 2}}
	t.Status.ObservedGeneration, t.Status.Conditions = 2, conditions
	return t
}

func withObserved(a *v1alpha1.AppInfo, generation int64) *v1alpha1.AppInfo {
	a.Status.ObservedGeneration = generation
	return a
}

func withCompletion(t *v1alpha1.AppInstallTask) *v1alpha1.AppInstallTask {
	t.Status.CompletionTime = &metav1.Time{Time: time.Unix(2, 0)}
	return t
}

func withDeletion(a *v1alpha1.AppInfo) *v1alpha1.AppInfo {
	a.DeletionTimestamp = &metav1.Time{Time: time.Unix(2, 0)}
	return a
}

var (
	ready       = newCondition("Ready", "True", "Ready", "serving 1.0.0")
	fetched     = newCondition("Fetched", "True", "Fetched", "12 files")
	rendered    = newCondition("Rendered", "True", "Rendered", "3 objects")
	unrendered  = newCondition("Rendered", "False", "RenderFailed", "web/templates/a.yaml:3: no value")
	unready     = newCondition("Ready", "False", "RenderFailed", "web/templates/a.yaml:3: no value")
	stalled     = newCondition("Stalled", "True", "RenderFailed", "web/templates/a.yaml:3: no value")
	reconciling = newCondition("Reconciling", "True", "ProgressingWithRetry", "get index: no answer")
	unknown     = newCondition("Ready", "Unknown", "Progressing", "hydrating")
)

func TestContractHolds(t *testing.T) {
	for _, c := range []struct {
		why    string
		object v1alpha1.Object
	}{
		{"ready", newApp(ready, fetched, rendered)},
		{"the previous version is served, and the new version failed", newApp(newCondition("Ready", "True", "ServingPrevious", "serving 1.0.0"), fetched, unrendered, stalled)},
		{"stalled", newApp(unready, fetched, unrendered, stalled)},
		{"failed and retried", withObserved(newApp(newCondition("Ready", "False", "FetchFailed", "no answer"), newCondition("Fetched", "False", "FetchFailed", "no answer"), reconciling), 1)},
		{"in progress", withObserved(newApp(unknown, newCondition("Reconciling", "True", "Progressing", "hydrating")), -1)},
		{"being deleted", withDeletion(newApp())},
		{"a task that succeeded", withCompletion(newTask(newCondition("Succeeded", "True", "Succeeded", "done")))},
		{"a task that failed", withCompletion(newTask(newCondition("Succeeded", "False", "VersionNotNewer", "1.0.0 is installed"), newCondition("Admitted", "False", "VersionNotNewer", "1.0.0 is installed"), newCondition("Stalled", "True", "VersionNotNewer", "1.0.0 is installed")))},
		{"a task that waits", newTask(newCondition("Succeeded", "Unknown", "WaitingForTurn", "behind another"), newCondition("Reconciling", "True", "WaitingForTurn", "behind another"))},
	} {
		t.Run(c.why, func(t *testing.T) {
			conformance.ExpectContract(NewWithT(t), c.object)
		})
	}
}

func TestContractBroken(t *testing.T) {
	at := func(generation int64, c metav1.Condition) metav1.Condition {
		c.ObservedGeneration = generation
		return c
	}
	said := func(message string) *v1alpha1.AppInfo {
		return newApp(newCondition("Ready", "True", "Ready", message))
	}
	for _, c := range []struct {
		why    string
		object v1alpha1.Object
		says   string
	}{
		{"a condition without a generation", newApp(at(0, ready)), "observedGeneration is 0"},
		{"a condition of a future generation", newApp(at(3, ready)), "observedGeneration is 3"},
		{"a reason that is not documented", newApp(newCondition("Ready", "True", "Great", "")), "reason Great"},
		{"a reason of another status", newApp(newCondition("Ready", "True", "AppsNotReady", "")), "reason AppsNotReady"},
		{"a reason of a condition of another kind", newApp(newCondition("Ready", "False", "VersionNotNewer", ""), newCondition("Stalled", "True", "VersionNotNewer", "")), "reason VersionNotNewer"},
		{"a status that is not documented", newApp(ready, newCondition("Fetched", "Unknown", "Fetched", "")), "Fetched=Unknown"},
		{"a condition of another kind", newApp(ready, newCondition("Admitted", "True", "Admitted", "")), "Admitted is not a condition"},
		{"Reconciling that is False", newApp(ready, newCondition("Reconciling", "False", "Progressing", "")), "Reconciling exists"},
		{"Stalled that is Unknown", newApp(ready, newCondition("Stalled", "Unknown", "RenderFailed", "")), "Stalled exists"},
		{"both", newApp(unready, fetched, unrendered, stalled, reconciling), "both Reconciling and Stalled"},
		{"no summary condition", newApp(fetched), "no summary condition Ready"},
		{"the summary condition of another kind", newTask(ready), "no summary condition Succeeded"},
		{"failed without a retry, not Stalled", newApp(unready, fetched, unrendered), "Stalled is not True"},
		{"Stalled for a generation that was not observed", withObserved(newApp(unready, fetched, unrendered, stalled), 1), "Stalled has observed generation 2"},
		{"not Reconciling with a generation that was not observed", withObserved(newApp(ready), 1), "not Reconciling, but"},
		{"a missing progress condition", newApp(ready, rendered), "Rendered is True, although Fetched is missing"},
		{"a progress condition that is True after one that failed", newApp(unready, fetched, unrendered, stalled, newCondition("Customized", "True", "Customized", "")), "Customized is True, although Rendered is False"},
		{"two progress conditions that failed", newApp(unready, newCondition("Fetched", "False", "NotFound", ""), unrendered, stalled), "Rendered is False, although Fetched is False"},
		{"a date", said("failed at 2026-08-21"), "a date"},
		{"a time", said("failed at 10:11:12"), "a time"},
		{"a port", said("read tcp 127.0.0.1:45678: reset"), "a port"},
		{"a port of IPv6", said("dial tcp [::1]:45678: refused"), "a port"},
		{"a password", said("get https://me:secret@example.com/index.yaml: 401"), "a credential"},
		{"a token", said("sent Bearer abcdefghijkl"), "a credential"},
		{"a pointer", said("no method on 0xc000123456"), "an address in memory"},
		{"too long", said(strings.Repeat("a", 1025)), "1025 bytes"},
		{"a complete task without a completion time", newTask(newCondition("Succeeded", "True", "Succeeded", "")), "completionTime is"},
		{"a running task with a completion time", withCompletion(newTask(newCondition("Succeeded", "Unknown", "Progressing", ""), newCondition("Reconciling", "True", "Progressing", ""))), "completionTime is"},
		{"ready, but in progress for kstatus", withObserved(newApp(ready), -1), "kstatus computes InProgress"},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(conformance.Violations(c.object)).To(ContainElement(ContainSubstring(c.says)))
		})
	}
}

func TestAllowedReasons(t *testing.T) {
	for _, c := range []struct {
		why       string
		kind      status.ConditionSet
		condition string
		status    metav1.ConditionStatus
		has       string
		hasNot    string
	}{
		{"listed", status.AppInfo, "Fetched", "True", "Fetched", "Rendered"},
		{"the reason of a failed progress condition", status.MarketSource, "Ready", "False", "InvalidIndex", "RenderFailed"},
		{"listed after that sentence", status.MarketSource, "Ready", "False", "AppsNotReady", "Ready"},
		{"the reason of Reconciling", status.AppInstallTask, "Succeeded", "Unknown", "WaitingForTurn", "VersionNotNewer"},
		{"the reason of the failure", status.AppInfo, "Stalled", "True", "RenderFailed", "VersionNotNewer"},
		{"with a remark after it", status.AppInstallTask, "Reconciling", "True", "Suspended", "Succeeded"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			allowed, err := conformance.AllowedReasons(c.kind, c.condition, c.status)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(allowed).To(And(ContainElement(c.has), Not(ContainElement(c.hasNot))))
		})
	}
	_, err := conformance.AllowedReasons(status.AppInfo, "Glowing", "True")
	NewWithT(t).Expect(err).To(HaveOccurred())
}
