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

// jitter is the part of an interval by which it varies, so that objects made
// together do not move in step.
const jitter = 0.1

// Keeper writes the status of one object in one reconcile.
type Writer struct {
	client           client.Client
	recorder         events.EventRecorder
	conditionSet     ConditionSet
	object           v1alpha1.Object
	saved            v1alpha1.Object
	summary          Summary
	finalizerRemoved bool
	ignoreConflicts  bool
	// told are the conditions and reasons that an event was emitted for.
	emitted   map[string]bool
	startedAt time.Time
	reports   []report
}

// maxRequest bounds the value of a request for a reconcile, as it is echoed in status.
const maxRequestLength = 256

// ReconcileRequest returns the value of the annotation that requests a reconcile of an
// object, cut to what status can hold.
func ReconcileRequest(object metav1.Object) string {
	value := object.GetAnnotations()[v1alpha1.ReconcileRequestAnnotation]
	return strings.ToValidUTF8(value[:min(len(value), maxRequestLength)], "")
}

// Begin starts to keep the status of an object as it was read.
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

// Hold adds the finalizer, so that the object does not go away before what it
// stands for has gone. It must come before anything is changed in the status.
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

// Release removes the finalizer and lets the object go. Nothing is written to its
// status after that.
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

// Says sets what the root condition says when the reconcile ends well.
func (w *Writer) SetReady(reason, message string) {
	w.summary.Reason, w.summary.Message = reason, message
}

// Serving keeps the root condition True, with this message, if the reconcile fails.
func (w *Writer) KeepReady(message string) {
	w.summary.Serving = true
	if w.summary.Message == "" {
		w.summary.Message = message
	}
}

// SaysNow sets what the root condition says while work goes on or has failed. It stays
// True while work goes on only if the object is ready.
func (w *Writer) SetInterim(ready bool, message string) {
	w.summary.Interim, w.summary.Unready = message, !ready
}

// ShowRoot changes the root condition before the reconcile ends. It is seen once saved.
// What is True stays so and says the message; what is not becomes Unknown.
func (w *Writer) ShowSummary(reason, message string) {
	conditions := w.object.GetConditions()
	if current := meta.FindStatusCondition(conditions, w.conditionSet.Summary); current != nil && current.Status == metav1.ConditionTrue {
		current.Message = truncateMessage(message)
		return
	}
	w.applyCondition(w.conditionSet.Summary, metav1.ConditionUnknown, reason, message)
}

// Reached sets a milestone to True.
func (w *Writer) MarkTrue(conditionType, reason, message string) {
	w.applyCondition(conditionType, metav1.ConditionTrue, reason, message)
}

// Working shows that work goes on, before it is done. It is seen once saved.
func (w *Writer) MarkReconciling(message string) {
	w.applyCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing, message)
	conditions := w.object.GetConditions()
	meta.RemoveStatusCondition(&conditions, v1alpha1.ConditionStalled)
	w.object.SetConditions(conditions)
	if meta.FindStatusCondition(conditions, w.conditionSet.Summary) == nil {
		w.applyCondition(w.conditionSet.Summary, metav1.ConditionUnknown, v1alpha1.ReasonProgressing, message)
	}
}

// ShowWaiting shows what the object waits for as End does for the same error. It is seen once
// saved.
func (w *Writer) ShowWaiting(err error) {
	conditions, _ := Summarize(w.object.GetConditions(), w.conditionSet, w.object.GetGeneration(), w.summary, err)
	w.object.SetConditions(w.conditionSet.sortConditions(conditions))
}

func (w *Writer) applyCondition(conditionType string, status metav1.ConditionStatus, reason, message string) {
	s := summarizer{conditions: w.object.GetConditions(), generation: w.object.GetGeneration()}
	s.setCondition(conditionType, status, reason, message)
	w.object.SetConditions(w.conditionSet.sortConditions(s.conditions))
}

// Save writes status now, at a milestone worth seeing, if anything changed.
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

// Insist lets everything that is written from now on through, whoever has changed
// the object meanwhile: what was done outside of it must not be lost because its
// spec was edited. It is for a kind whose status has no other writer. What is
// written speaks of the generation that the reconcile began with.
func (w *Writer) IgnoreConflicts() { w.ignoreConflicts = true }

// Marks sets a condition that exists only while it is True, or takes it away where
// the reason is empty.
func (w *Writer) SetFlag(conditionType, reason, message string) {
	if reason != "" {
		w.applyCondition(conditionType, metav1.ConditionTrue, reason, message)
		return
	}
	conditions := w.object.GetConditions()
	meta.RemoveStatusCondition(&conditions, conditionType)
	w.object.SetConditions(conditions)
}

// End brings the conditions in line with the error of the reconcile, writes status
// if anything changed, and says what the queue is to do. The interval is the time
// to the next look at an object that is dealt with; zero means that only a watch
// brings it back.
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
		// With the back-off of the queue, which a delay would reset: another writer may go on
		// and on. An error would be logged, and this is none.
		return ctrl.Result{Requeue: true}, nil //nolint:staticcheck // It is the only way to back off without an error.
	case saveErr != nil:
		return ctrl.Result{}, saveErr
	}
	return result.toResult(interval)
}

// soon is when an object is looked at once more that has just begun to wait.
const recheckDelay = time.Second

// wokenByReason are the reasons by which controllers find what waits. What an object
// begins to wait for may have come before the reason was there to be found.
var recheckedReasons = map[string]bool{v1alpha1.ReasonWaitingForSource: true, v1alpha1.ReasonWaitingForDependency: true}

// waitingReason is why work does not go on, empty if nothing is in progress.
func waitingReason(conditions []metav1.Condition) string {
	if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling); c != nil {
		return c.Reason
	}
	return ""
}

// answer turns a verdict into what controller-runtime expects. A stalled object
// with an interval is looked at again then, since what it points to may change
// without a word.
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
