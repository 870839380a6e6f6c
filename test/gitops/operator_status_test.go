package gitops_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/test/conformance"
)

// healthByReason is the health in Argo CD for each reason of Reconciling. Argo CD waits for
// Progressing and Suspended in a wave and in a hook; Suspended shows that a person must act.
var healthByReason = map[string]string{
	v1alpha1.ReasonProgressing:                 progressing,
	v1alpha1.ReasonProgressingWithRetry:        progressing,
	v1alpha1.ReasonWaitingForInput:             suspended,
	v1alpha1.ReasonWaitingForApp:               progressing,
	v1alpha1.ReasonWaitingForSource:            progressing,
	v1alpha1.ReasonWaitingForArtifact:          progressing,
	v1alpha1.ReasonWaitingForDependency:        progressing,
	v1alpha1.ReasonWaitingForTurn:              progressing,
	v1alpha1.ReasonPermissionDenied:            progressing,
	v1alpha1.ReasonClusterPermissionRequired:   progressing,
	v1alpha1.ReasonServiceAccountNotFound:      progressing,
	v1alpha1.ReasonNoKindMatch:                 progressing,
	v1alpha1.ReasonStorageClassNotFound:        progressing,
	v1alpha1.ReasonInsufficientResources:       progressing,
	v1alpha1.ReasonQuotaExceeded:               progressing,
	v1alpha1.ReasonUnschedulable:               progressing,
	v1alpha1.ReasonPodSecurityViolation:        progressing,
	v1alpha1.ReasonRegistryCredentialsRequired: progressing,
	v1alpha1.ReasonWaitingForObjects:           progressing,
	v1alpha1.ReasonRateLimited:                 progressing,
	v1alpha1.ReasonLicenseKeysUnavailable:      progressing,
	v1alpha1.ReasonPurchasePending:             progressing,
	v1alpha1.ReasonPurchaseNotFound:            progressing,
	v1alpha1.ReasonInUse:                       progressing,
	v1alpha1.ReasonWithdrawn:                   progressing,
	v1alpha1.ReasonDraft:                       progressing,
	v1alpha1.ReasonAuditFailed:                 progressing,
	v1alpha1.ReasonListingSuspended:            progressing,
	v1alpha1.ReasonListingWithdrawn:            progressing,
	v1alpha1.ReasonDependencyFailed:            progressing,
	v1alpha1.ReasonConflictingApp:              progressing,
	v1alpha1.ReasonSingleInstance:              progressing,
	v1alpha1.ReasonSuspended:                   suspended,
	// The scripts support these reasons, which the operator does not use yet.
	"WaitingForApproval": suspended,
	"WaitingForWindow":   suspended,
}

func TestEveryReasonOfReconcilingIsShown(t *testing.T) {
	g := NewWithT(t)
	documented, err := conformance.AllowedReasons(status.AppInstallTask, v1alpha1.ConditionReconciling, metav1.ConditionTrue)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(documented).NotTo(BeEmpty())
	for _, reason := range documented {
		g.Expect(healthByReason).To(HaveKey(reason), "add the health in Argo CD here and in health.lua")
	}
}

var errBroken = errors.New("broken")

// previousStatus is the status at the beginning of a reconcile.
type previousStatus struct {
	why string
	// observed is the observed generation.
	observed   int64
	conditions []metav1.Condition
}

// resultingStatus is the status at the end of a reconcile.
type resultingStatus struct {
	why    string
	object v1alpha1.Object
	want   string
}

// kindCase is a kind with a constructor of its objects.
type kindCase struct {
	kind      status.ConditionSet
	newObject func() v1alpha1.Object
}

var kindCases = []kindCase{
	{status.MarketSource, func() v1alpha1.Object { return &v1alpha1.MarketSource{} }},
	{status.AppInfo, func() v1alpha1.Object { return &v1alpha1.AppInfo{} }},
	{status.AppInstance, func() v1alpha1.Object { return &v1alpha1.AppInstance{} }},
	{status.AppInstallTask, func() v1alpha1.Object { return &v1alpha1.AppInstallTask{} }},
}

// TestStatusesOfTheOperator runs internal/status for every previous status and every result of a reconcile, and
// checks that the three readers agree about the resulting status.
func TestStatusesOfTheOperator(t *testing.T) {
	r := newReaders(t)
	shown := map[string]bool{}
	for _, s := range kindCases {
		for _, w := range s.resultingStatuses() {
			t.Run(w.why, func(t *testing.T) {
				g := NewWithT(t)
				o := toUnstructured(g, w.object)
				v := r.readStatuses(g, o)
				g.Expect(v.argo).To(Equal(w.want), "%+v", w.object.GetConditions())
				g.Expect(v.doAgree()).To(BeTrue(), "%+v: %+v", v, w.object.GetConditions())
				shown[v.argo] = true
			})
		}
	}
	NewWithT(t).Expect(shown).To(HaveLen(4))
}

// resultingStatuses returns all resulting statuses of a kind.
func (s kindCase) resultingStatuses() []resultingStatus {
	var all []resultingStatus
	for _, before := range s.previousStatuses() {
		for _, o := range s.reconcileResults() {
			for _, serving := range []bool{false, true} {
				if serving && (o.err == nil || s.kind.Summary != v1alpha1.ConditionReady) {
					continue
				}
				all = append(all, s.summarizeStatus(before, o, serving))
			}
		}
	}
	return all
}

// reconcileResult is the result of a reconcile, and the health that Argo CD must show.
type reconcileResult struct {
	why  string
	err  error
	want string
}

func (s kindCase) reconcileResults() []reconcileResult {
	all := []reconcileResult{
		{"done", nil, healthy},
		{"failed", errBroken, progressing},
		{"failed for a reason", outcome.Failed(v1alpha1.ReasonFetchFailed, errBroken), progressing},
		{"stalled", outcome.Stalled(v1alpha1.ReasonInvalidSpec, errBroken), degraded},
	}
	if s.kind.Summary == v1alpha1.ConditionSucceeded {
		all = append(all,
			reconcileResult{"canceled", outcome.Stalled(v1alpha1.ReasonCanceled, errBroken), degraded},
			reconcileResult{"expired", outcome.Stalled(v1alpha1.ReasonDeadlineExceeded, errBroken), degraded})
	}
	for _, milestone := range s.kind.Progress {
		all = append(all,
			reconcileResult{"failed at " + milestone, status.ForCondition(milestone, errBroken), progressing},
			reconcileResult{"stalled at " + milestone, status.ForCondition(milestone, outcome.Stalled(v1alpha1.ReasonLimitExceeded, errBroken)), degraded},
			reconcileResult{"waits at " + milestone, status.ForCondition(milestone, outcome.Waiting(v1alpha1.ReasonWaitingForObjects, 0, errBroken)), progressing})
	}
	for reason, want := range healthByReason {
		all = append(all, reconcileResult{"waits with " + reason, outcome.Waiting(reason, time.Minute, errBroken), want})
	}
	return all
}

// previousStatuses returns the statuses at the beginning of a reconcile.
func (s kindCase) previousStatuses() []previousStatus {
	root := func(state metav1.ConditionStatus, reason string) metav1.Condition {
		return previousCondition(s.kind.Summary, state, reason)
	}
	all := []previousStatus{
		{"new", -1, nil},
		{"reconciling", -1, []metav1.Condition{root(metav1.ConditionUnknown, v1alpha1.ReasonProgressing), previousCondition("Reconciling", metav1.ConditionTrue, v1alpha1.ReasonProgressing)}},
		{"retried", -1, []metav1.Condition{root(metav1.ConditionFalse, v1alpha1.ReasonFetchFailed), previousCondition("Reconciling", metav1.ConditionTrue, v1alpha1.ReasonProgressingWithRetry)}},
		{"stalled", generation - 1, []metav1.Condition{root(metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec), previousCondition("Stalled", metav1.ConditionTrue, v1alpha1.ReasonInvalidSpec)}},
	}
	if s.kind.Summary == v1alpha1.ConditionReady {
		all = append(all,
			previousStatus{"ready", generation, []metav1.Condition{root(metav1.ConditionTrue, v1alpha1.ReasonReady)}},
			previousStatus{"ready before an edit", generation - 1, []metav1.Condition{root(metav1.ConditionTrue, v1alpha1.ReasonReady)}},
			previousStatus{"serving the previous version", generation, []metav1.Condition{root(metav1.ConditionTrue, v1alpha1.ReasonServingPrevious), previousCondition("Stalled", metav1.ConditionTrue, v1alpha1.ReasonRenderFailed)}})
	}
	return all
}

func previousCondition(kind string, state metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{
		Type: kind, Status: state, Reason: reason, Message: "before", ObservedGeneration: generation - 1,
		LastTransitionTime: metav1.NewTime(time.Unix(1, 0)),
	}
}

// summarizeStatus returns the object at the end of a reconcile.
func (s kindCase) summarizeStatus(before previousStatus, e reconcileResult, serving bool) resultingStatus {
	o := s.newObject()
	o.SetName("one")
	o.SetNamespace("demo")
	o.SetGeneration(generation)
	o.SetObservedGeneration(before.observed)
	setSuspend(o, e.err)
	root := status.Summary{Reason: s.kind.Summary, Message: "ready", Serving: serving}
	conditions, verdict := status.Summarize(slices.Clone(before.conditions), s.kind, generation, root, e.err)
	o.SetConditions(conditions)
	if verdict.Done {
		o.SetObservedGeneration(generation)
	}
	if task, ok := o.(*v1alpha1.AppInstallTask); ok && verdict.Done {
		task.Status.CompletionTime = ptr.To(metav1.Now())
	}
	w := resultingStatus{object: o, want: e.want, why: s.kindName() + ", " + before.why + ": " + e.why}
	if serving {
		w.why += ", serving"
	}
	if s.kind.Summary == v1alpha1.ConditionReady && outcome.Reason(e.err, "") == v1alpha1.ReasonSuspended {
		w.want = suspendedHealth(before)
	}
	return w
}

// setSuspend sets spec.suspend if the reconcile ended because of it.
func setSuspend(o v1alpha1.Object, err error) {
	if outcome.Reason(err, "") != v1alpha1.ReasonSuspended {
		return
	}
	switch o := o.(type) {
	case *v1alpha1.MarketSource:
		o.Spec.Suspend = ptr.To(true)
	case *v1alpha1.AppInfo:
		o.Spec.Suspend = ptr.To(true)
	case *v1alpha1.AppInstallTask:
		o.Spec.Suspend = ptr.To(true)
	}
}

// suspendedHealth returns the health of a suspended long-lived object: the previous health if the object was
// Stalled or Ready, and otherwise Suspended.
func suspendedHealth(before previousStatus) string {
	switch {
	case meta.IsStatusConditionTrue(before.conditions, v1alpha1.ConditionStalled):
		return degraded
	case meta.IsStatusConditionTrue(before.conditions, v1alpha1.ConditionReady):
		return healthy
	}
	return suspended
}

func (s kindCase) kindName() string { return kindOf(s.newObject()) }

func kindOf(o v1alpha1.Object) string {
	switch o.(type) {
	case *v1alpha1.MarketSource:
		return "MarketSource"
	case *v1alpha1.AppInfo:
		return "AppInfo"
	case *v1alpha1.AppInstance:
		return "AppInstance"
	default:
		return "AppInstallTask"
	}
}

// toUnstructured converts an object to the form in which the API server returns it.
func toUnstructured(g Gomega, o v1alpha1.Object) *unstructured.Unstructured {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	g.Expect(err).NotTo(HaveOccurred())
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kindOf(o)))
	return u
}
