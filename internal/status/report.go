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

// report is a change of an object that is reported to users as an event, and in the log, after
// status is written.
type report struct {
	severity, reason, message string
	// condition is set if the report is about a transition of a condition.
	condition *metav1.Condition
}

// Report adds an event and a log entry to the reports of condition transitions. They are
// emitted with the next write of status.
func (w *Writer) Report(severity, reason, message string) {
	w.reports = append(w.reports, report{severity: severity, reason: reason, message: truncateMessage(message)})
}

// SetNotReady sets the summary condition to False before the end of the reconcile, if it is
// True and no longer correct.
func (w *Writer) SetNotReady(reason, message string) {
	if meta.IsStatusConditionTrue(w.object.GetConditions(), w.conditionSet.Summary) {
		w.applyCondition(w.conditionSet.Summary, metav1.ConditionFalse, reason, message)
	}
}

// Event adds a report that replaces others: in the same reconcile, neither the transition of
// the condition nor a transition with the same reason is reported.
func (w *Writer) Event(condition, severity, reason, message string) {
	if w.emitted == nil {
		w.emitted = map[string]bool{}
	}
	w.emitted[condition], w.emitted[reason] = true, true
	w.Report(severity, reason, message)
}

// emitReport emits the event and the log entry of a report.
func (w *Writer) emitReport(ctx context.Context, r report, took time.Duration) {
	w.recorder.Eventf(w.object, nil, r.severity, r.reason, "Reconcile", "%s", r.message)
	log, err := logr.FromContext(ctx)
	if err != nil {
		return // Tests have no logger.
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

// operatorErrors are the reasons that the administrator of the operator must resolve. The
// owner of the object resolves all others.
var operatorErrors = []string{v1alpha1.ReasonStorageFull, v1alpha1.ReasonStorageReadOnly, v1alpha1.ReasonStorageFailed}

// timeTaken returns the duration of the work that the conditions complete: the time since the
// object became Reconciling, or since the beginning of the reconcile.
func (w *Writer) timeTaken(before, after []metav1.Condition) time.Duration {
	since := w.startedAt
	working := meta.FindStatusCondition(before, v1alpha1.ConditionReconciling)
	if working != nil && !meta.IsStatusConditionTrue(after, v1alpha1.ConditionReconciling) && working.LastTransitionTime.Time.Before(since) {
		since = working.LastTransitionTime.Time
	}
	return time.Since(since).Round(time.Millisecond)
}

// reportedError is an error that the conditions of the object report.
type reportedError struct{ error }

func (e reportedError) Unwrap() error { return e.error }

// AsReported marks an error that the conditions of the object report.
func AsReported(err error) error { return reportedError{err} }

// IsReported reports whether the conditions of the object, an event and a log entry report an
// error that a reconcile returned.
func IsReported(err error) bool {
	_, ok := errors.AsType[reportedError](err)
	return ok
}
