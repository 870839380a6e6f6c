package status

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// emitChanges emits events for transitions of the summary condition, of Stalled and of the
// last progress condition that became True since the last write. Transitions to an
// intermediate state have no event. Other reports follow.
func (w *Writer) emitChanges(ctx context.Context, before, after []metav1.Condition) {
	took := w.timeTaken(before, after)
	emit := func(severity string, c metav1.Condition) {
		w.emitReport(ctx, report{severity: severity, reason: c.Reason, message: eventMessage(c), condition: &c}, took)
	}
	defer func() {
		for _, r := range w.reports {
			w.emitReport(ctx, r, took)
		}
		w.reports = nil
	}()
	last := w.lastReached(before, after)
	if w.reportsReady(before, after) && last == w.conditionSet.Progress[len(w.conditionSet.Progress)-1] {
		last = "" // The event of the summary condition says more.
	}
	for _, c := range after {
		if !hasChanged(before, c) || c.Status == metav1.ConditionUnknown || w.emitted[c.Type] || w.emitted[c.Reason] {
			continue
		}
		if severity := w.severityOf(c, after, last); severity != "" {
			emit(severity, c)
		}
	}
}

// severityOf returns the severity of the event for a condition that has changed, empty if
// it has none.
func (w *Writer) severityOf(c metav1.Condition, after []metav1.Condition, last string) string {
	switch {
	case c.Type == w.conditionSet.Summary && c.Status == metav1.ConditionFalse:
		return corev1.EventTypeWarning
	case c.Type == w.conditionSet.Summary:
		return corev1.EventTypeNormal
	case c.Type == v1alpha1.ConditionStalled && meta.IsStatusConditionFalse(after, w.conditionSet.Summary):
		return "" // The summary condition reports the same failure.
	case c.Type == v1alpha1.ConditionStalled, slices.Contains(w.conditionSet.Flags, c.Type):
		return corev1.EventTypeWarning
	case slices.Contains(w.conditionSet.Facts, c.Type):
		return corev1.EventTypeNormal
	case c.Type == last && !slices.ContainsFunc(w.reports, func(r report) bool { return r.reason == c.Reason }):
		return corev1.EventTypeNormal // A report with the same reason says more.
	}
	return ""
}

// reportsReady reports whether the summary condition has an event that the object is ready.
func (w *Writer) reportsReady(before, after []metav1.Condition) bool {
	summary := meta.FindStatusCondition(after, w.conditionSet.Summary)
	return summary != nil && summary.Status == metav1.ConditionTrue && summary.Reason != v1alpha1.ReasonServingPrevious &&
		hasChanged(before, *summary) && !w.emitted[summary.Type] && !w.emitted[summary.Reason]
}

// lastReached returns the last progress condition that became True, empty if none did.
func (w *Writer) lastReached(before, after []metav1.Condition) string {
	for _, conditionType := range slices.Backward(w.conditionSet.Progress) {
		c := meta.FindStatusCondition(after, conditionType)
		if c != nil && c.Status == metav1.ConditionTrue && hasChanged(before, *c) {
			return conditionType
		}
	}
	return ""
}

// hasChanged reports whether the status or the reason of a condition changed.
func hasChanged(before []metav1.Condition, c metav1.Condition) bool {
	old := meta.FindStatusCondition(before, c.Type)
	return old == nil || old.Status != c.Status || old.Reason != c.Reason
}

func eventMessage(c metav1.Condition) string {
	if c.Message == "" {
		return c.Type
	}
	return c.Message
}
