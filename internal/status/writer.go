package status

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// jitter is the fraction by which an interval varies, so that objects that are created
// together are not reconciled at the same time.
const jitter = 0.1

// Writer writes the status of one object in one reconcile.
type Writer struct {
	client           client.Client
	recorder         events.EventRecorder
	conditionSet     ConditionSet
	object           v1alpha1.Object
	saved            v1alpha1.Object
	summary          Summary
	finalizerRemoved bool
	ignoreConflicts  bool
	// emitted are the condition types and reasons for which an event was emitted.
	emitted   map[string]bool
	startedAt time.Time
	reports   []report
}

// maxRequestLength bounds the value of a reconcile request that is echoed in status.
const maxRequestLength = 256

// ReconcileRequest returns the value of the annotation that requests a reconcile, cut to the
// length that status can hold.
func ReconcileRequest(object metav1.Object) string {
	value := object.GetAnnotations()[v1alpha1.ReconcileRequestAnnotation]
	return strings.ToValidUTF8(value[:min(len(value), maxRequestLength)], "")
}

// NewWriter returns a Writer for an object as it was read.
func NewWriter(c client.Client, recorder events.EventRecorder, set ConditionSet, object v1alpha1.Object) *Writer {
	object.SetConditions(set.sortConditions(object.GetConditions()))
	return &Writer{
		client: c, recorder: recorder, conditionSet: set, object: object, saved: copyObject(object),
		summary: Summary{Reason: set.Summary}, startedAt: time.Now(),
	}
}

func copyObject(object v1alpha1.Object) v1alpha1.Object {
	return object.DeepCopyObject().(v1alpha1.Object)
}

// AddFinalizer adds the finalizer, so that the object is not removed before its resources
// are. Call it before the first change of the status.
func (w *Writer) AddFinalizer(ctx context.Context) error {
	before := client.MergeFromWithOptions(copyObject(w.object), client.MergeFromWithOptimisticLock{})
	if !controllerutil.AddFinalizer(w.object, v1alpha1.Finalizer) {
		return nil
	}
	if err := w.client.Patch(ctx, w.object, before); err != nil {
		return fmt.Errorf("add finalizer: %w", err)
	}
	w.saved = copyObject(w.object)
	return nil
}

// RemoveFinalizer removes the finalizer, after which the object can be removed. The status is
// not written afterwards.
func (w *Writer) RemoveFinalizer(ctx context.Context) error {
	before := client.MergeFromWithOptions(copyObject(w.object), client.MergeFromWithOptimisticLock{})
	if !controllerutil.RemoveFinalizer(w.object, v1alpha1.Finalizer) {
		return nil
	}
	if err := w.client.Patch(ctx, w.object, before); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove finalizer: %w", err)
	}
	w.finalizerRemoved = true
	w.emitChanges(ctx, nil, nil)
	return nil
}

// SetReady sets the reason and message of the summary condition for a successful reconcile.
func (w *Writer) SetReady(reason, message string) {
	w.summary.Reason, w.summary.Message = reason, message
}

// KeepReady keeps the summary condition True, with this message, if the reconcile fails.
func (w *Writer) KeepReady(message string) {
	w.summary.Serving = true
	if w.summary.Message == "" {
		w.summary.Message = message
	}
}

// SetInterim sets the message of the summary condition for a reconcile that is in progress or
// has failed. While it is in progress, the condition stays True only if the object is ready.
func (w *Writer) SetInterim(ready bool, message string) {
	w.summary.Interim, w.summary.Unready = message, !ready
}

// ShowSummary changes the summary condition before the end of the reconcile. If it is True, it
// gets the message. Otherwise it becomes Unknown. Call Save to persist it.
func (w *Writer) ShowSummary(reason, message string) {
	conditions := w.object.GetConditions()
	if current := meta.FindStatusCondition(conditions, w.conditionSet.Summary); current != nil && current.Status == metav1.ConditionTrue {
		current.Message = truncateMessage(message)
		return
	}
	w.applyCondition(w.conditionSet.Summary, metav1.ConditionUnknown, reason, message)
}

// MarkTrue sets a progress condition to True.
func (w *Writer) MarkTrue(conditionType, reason, message string) {
	w.applyCondition(conditionType, metav1.ConditionTrue, reason, message)
}

// MarkReconciling sets Reconciling to True with the given message. Call Save to persist it.
func (w *Writer) MarkReconciling(message string) {
	w.applyCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing, message)
	conditions := w.object.GetConditions()
	meta.RemoveStatusCondition(&conditions, v1alpha1.ConditionStalled)
	w.object.SetConditions(conditions)
	if meta.FindStatusCondition(conditions, w.conditionSet.Summary) == nil {
		w.applyCondition(w.conditionSet.Summary, metav1.ConditionUnknown, v1alpha1.ReasonProgressing, message)
	}
}

// ShowWaiting sets the same conditions as Finish for an error. Call Save to persist them.
func (w *Writer) ShowWaiting(err error) {
	conditions, _ := Summarize(w.object.GetConditions(), w.conditionSet, w.object.GetGeneration(), w.summary, err)
	w.object.SetConditions(w.conditionSet.sortConditions(conditions))
}

func (w *Writer) applyCondition(conditionType string, status metav1.ConditionStatus, reason, message string) {
	s := summarizer{conditions: w.object.GetConditions(), generation: w.object.GetGeneration()}
	s.setCondition(conditionType, status, reason, message)
	w.object.SetConditions(w.conditionSet.sortConditions(s.conditions))
}

// Save writes status before the end of the reconcile, if it changed.
func (w *Writer) Save(ctx context.Context) error {
	if equality.Semantic.DeepEqual(w.saved, w.object) {
		w.emitChanges(ctx, nil, nil)
		return nil
	}
	written := copyObject(w.object)
	patch := client.MergeFromWithOptions(w.saved, client.MergeFromWithOptimisticLock{})
	if w.ignoreConflicts {
		patch = client.MergeFrom(w.saved)
	}
	if err := w.client.Status().Patch(ctx, written, patch); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	w.emitChanges(ctx, w.saved.GetConditions(), w.object.GetConditions())
	w.object.SetResourceVersion(written.GetResourceVersion())
	w.saved = copyObject(w.object)
	return nil
}

// IgnoreConflicts makes subsequent status writes succeed although the object has changed,
// because the result of an operation outside of the cluster state must not be lost when the
// spec is edited. Use it only for kinds whose status has a single writer. The observed
// generation is the generation at the beginning of the reconcile.
func (w *Writer) IgnoreConflicts() { w.ignoreConflicts = true }

// SetFact sets a condition that describes a property of the object, and removes it if the reason is
// empty.
func (w *Writer) SetFact(conditionType string, isTrue bool, reason, message string) {
	if isTrue || reason == "" {
		w.SetFlag(conditionType, reason, message)
		return
	}
	w.applyCondition(conditionType, metav1.ConditionFalse, reason, message)
}

// SetFlag sets a condition that exists only while it is True, and removes it if the reason is
// empty.
func (w *Writer) SetFlag(conditionType, reason, message string) {
	if reason != "" {
		w.applyCondition(conditionType, metav1.ConditionTrue, reason, message)
		return
	}
	conditions := w.object.GetConditions()
	meta.RemoveStatusCondition(&conditions, conditionType)
	w.object.SetConditions(conditions)
}

// Finish updates the conditions for the error of the reconcile, writes status if it changed,
// and returns the result for the work queue. The interval is the time until the next reconcile
// of an object that is done. Zero means that only a watch triggers it.
func (w *Writer) Finish(ctx context.Context, err error, interval time.Duration) (ctrl.Result, error) {
	if p, ok := errors.AsType[*outcome.Panic](err); ok {
		log.FromContext(ctx).Error(err, "Recovered from a panic", "stack", string(p.Stack))
	}
	if w.finalizerRemoved {
		return ctrl.Result{}, err
	}
	conditions, result := Summarize(w.object.GetConditions(), w.conditionSet, w.object.GetGeneration(), w.summary, err)
	w.object.SetConditions(w.conditionSet.sortConditions(conditions))
	if reason := waitingReason(conditions); recheckedReasons[reason] && reason != waitingReason(w.saved.GetConditions()) {
		result.After = recheckDelay
	}
	if result.Done {
		w.object.SetObservedGeneration(w.object.GetGeneration())
		if h, ok := w.object.(interface{ SetLastHandledReconcileAt(string) }); ok {
			h.SetLastHandledReconcileAt(ReconcileRequest(w.object))
		}
	}
	switch saveErr := w.Save(ctx); {
	case apierrors.IsNotFound(saveErr):
		return ctrl.Result{}, nil
	case apierrors.IsConflict(saveErr):
		// Retry with the backoff of the queue. A delay would reset the backoff, and an error would
		// be logged as a failure.
		return ctrl.Result{Requeue: true}, nil //nolint:staticcheck // There is no other way to back off without an error.
	case saveErr != nil:
		return ctrl.Result{}, saveErr
	}
	return result.toResult(interval)
}

// recheckDelay is the time after which an object that begins to wait is reconciled again.
const recheckDelay = time.Second

// recheckedReasons are the reasons by which controllers find waiting objects. The awaited
// object may have changed before the reason was written.
var recheckedReasons = map[string]bool{
	v1alpha1.ReasonWaitingForSource: true, v1alpha1.ReasonWaitingForDependency: true,
	v1alpha1.ReasonConflictingApp: true, v1alpha1.ReasonSingleInstance: true,
}

// waitingReason returns the reason of Reconciling, empty if the condition does not exist.
func waitingReason(conditions []metav1.Condition) string {
	if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling); c != nil {
		return c.Reason
	}
	return ""
}

// toResult converts the result for controller-runtime. A stalled object with an interval is
// reconciled again after the interval, because objects that its spec refers to can change
// without triggering a watch.
func (r Result) toResult(interval time.Duration) (ctrl.Result, error) {
	switch {
	case r.Terminal && interval == 0:
		return ctrl.Result{}, reconcile.TerminalError(AsReported(r.Err))
	case r.Err != nil && !r.Terminal:
		return ctrl.Result{}, AsReported(r.Err)
	case r.After > 0:
		return ctrl.Result{RequeueAfter: r.After}, nil
	case r.Done && interval > 0:
		return ctrl.Result{RequeueAfter: wait.Jitter(interval-time.Duration(jitter*float64(interval)), 2*jitter)}, nil
	}
	return ctrl.Result{}, nil
}
