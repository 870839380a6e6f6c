package status

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// announce tells of what changed its meaning: the root condition, Stalled, and of the
// milestones that were reached since the last write the furthest. What merely goes on
// is not told. Other reports follow.
func (k *Writer) emitChanges(ctx context.Context, before, after []metav1.Condition) {
	took := k.timeTaken(before, after)
	tell := func(severity string, c metav1.Condition) {
		k.emitReport(ctx, report{severity: severity, reason: c.Reason, message: eventMessage(c), condition: &c}, took)
	}
	defer func() {
		for _, r := range k.reports {
			k.emitReport(ctx, r, took)
		}
		k.reports = nil
	}()
	furthest := k.lastReached(before, after)
	if k.reportsReady(before, after) && furthest == k.conditionSet.Progress[len(k.conditionSet.Progress)-1] {
		furthest = "" // That all is done says more.
	}
	for _, c := range after {
		if !hasChanged(before, c) || c.Status == metav1.ConditionUnknown || k.emitted[c.Type] || k.emitted[c.Reason] {
			continue
		}
		if severity := k.severityOf(c, after, furthest); severity != "" {
			tell(severity, c)
		}
	}
}

// severityOf returns the severity of the event for a condition that has changed, empty if
// it has none.
func (k *Writer) severityOf(c metav1.Condition, after []metav1.Condition, furthest string) string {
	switch {
	case c.Type == k.conditionSet.Summary && c.Status == metav1.ConditionFalse:
		return corev1.EventTypeWarning
	case c.Type == k.conditionSet.Summary:
		return corev1.EventTypeNormal
	case c.Type == v1alpha1.ConditionStalled && meta.IsStatusConditionFalse(after, k.conditionSet.Summary):
		return "" // The root tells of the same failure.
	case c.Type == v1alpha1.ConditionStalled, slices.Contains(k.conditionSet.Flags, c.Type):
		return corev1.EventTypeWarning
	case c.Type == furthest && !slices.ContainsFunc(k.reports, func(r report) bool { return r.reason == c.Reason }):
		return corev1.EventTypeNormal // Or a report with the same reason says more.
	}
	return ""
}

// rootTells reports whether the event of the root condition says that all is well now.
func (k *Writer) reportsReady(before, after []metav1.Condition) bool {
	root := meta.FindStatusCondition(after, k.conditionSet.Summary)
	return root != nil && root.Status == metav1.ConditionTrue && root.Reason != v1alpha1.ReasonServingPrevious &&
		hasChanged(before, *root) && !k.emitted[root.Type] && !k.emitted[root.Reason]
}

// furthest is the last milestone that became True, empty if none did.
func (k *Writer) lastReached(before, after []metav1.Condition) string {
	for _, milestone := range slices.Backward(k.conditionSet.Progress) {
		c := meta.FindStatusCondition(after, milestone)
		if c != nil && c.Status == metav1.ConditionTrue && hasChanged(before, *c) {
			return milestone
		}
	}
	return ""
}

// changed reports whether a condition means something else than before.
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
