package status

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// report is what a person may want to be told of an object. It becomes an event and a
// line of the log once status is written.
type report struct {
	severity, reason, message string
	// condition is set for a transition of one.
	condition *metav1.Condition
}

// Report adds an event and a line of the log beside those of the conditions, which
// are told with the next write of status.
func (w *Writer) Report(severity, reason, message string) {
	w.reports = append(w.reports, report{severity: severity, reason: reason, message: truncateMessage(message)})
}

// Fails sets the root condition to False before the reconcile ends, where it is True
// and what it speaks of is no longer so.
func (w *Writer) SetNotReady(reason, message string) {
	if meta.IsStatusConditionTrue(w.object.GetConditions(), w.conditionSet.Summary) {
		w.applyCondition(w.conditionSet.Summary, metav1.ConditionFalse, reason, message)
	}
}

// Event reports what belongs to no condition with the next write. A transition of the
// condition, and any other with the same reason, is then not reported in the same
// reconcile.
func (w *Writer) Event(condition, severity, reason, message string) {
	if w.emitted == nil {
		w.emitted = map[string]bool{}
	}
	w.emitted[condition], w.emitted[reason] = true, true
	w.Report(severity, reason, message)
}

// tell emits the event and the line of the log of a report.
func (w *Writer) emitReport(ctx context.Context, r report, took time.Duration) {
	w.recorder.Eventf(w.object, nil, r.severity, r.reason, "Reconcile", "%s", r.message)
	log, err := logr.FromContext(ctx)
	if err != nil {
		return // A test has no log.
	}
	fields := []any{"reason", r.reason, "message", r.message}
	if c := r.condition; c != nil {
		fields = append(fields, "condition", c.Type, "status", string(c.Status), "duration", took.String())
	}
	switch {
	case slices.Contains(operatorErrors, r.reason) && r.severity == corev1.EventTypeWarning:
		log.Error(nil, r.message, fields...)
	case r.condition != nil:
		log.Info("Condition changed", fields...)
	default:
		log.Info("Event", fields...)
	}
}

// faultsOfOperator are the reasons for which whoever runs the operator is called. All
// others are the matter of those who wrote the object.
var operatorErrors = []string{v1alpha1.ReasonStorageFull, v1alpha1.ReasonStorageReadOnly, v1alpha1.ReasonStorageFailed}

// took is how long the work took that is done with these conditions: since the object
// is Reconciling, or else since the reconcile began.
func (w *Writer) timeTaken(before, after []metav1.Condition) time.Duration {
	since := w.startedAt
	working := meta.FindStatusCondition(before, v1alpha1.ConditionReconciling)
	if working != nil && !meta.IsStatusConditionTrue(after, v1alpha1.ConditionReconciling) && working.LastTransitionTime.Time.Before(since) {
		since = working.LastTransitionTime.Time
	}
	return time.Since(since).Round(time.Millisecond)
}

// reported is an error that the conditions of the object tell of.
type reportedError struct{ error }

func (e reportedError) Unwrap() error { return e.error }

// AsReported marks an error as one that the conditions of the object tell of.
func AsReported(err error) error { return reportedError{err} }

// IsReported reports whether an error that a reconcile returned is told by the
// conditions of its object, an event and a line of the log.
func IsReported(err error) bool {
	_, ok := errors.AsType[reportedError](err)
	return ok
}
