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
func (k *Keeper) announce(ctx context.Context, before, after []metav1.Condition) {
	took := k.took(before, after)
	tell := func(severity string, c metav1.Condition) {
		k.tell(ctx, report{severity: severity, reason: c.Reason, message: note(c), condition: &c}, took)
	}
	defer func() {
		for _, r := range k.reports {
			k.tell(ctx, r, took)
		}
		k.reports = nil
	}()
	furthest := k.furthest(before, after)
	if k.rootTells(before, after) && furthest == k.kind.Milestones[len(k.kind.Milestones)-1] {
		furthest = "" // That all is done says more.
	}
	for _, c := range after {
		if !changed(before, c) || c.Status == metav1.ConditionUnknown || k.told[c.Type] || k.told[c.Reason] {
			continue
		}
		if severity := k.severityOf(c, after, furthest); severity != "" {
			tell(severity, c)
		}
	}
}

// severityOf returns the severity of the event for a condition that has changed, empty if
// it has none.
func (k *Keeper) severityOf(c metav1.Condition, after []metav1.Condition, furthest string) string {
	switch {
	case c.Type == k.kind.Root && c.Status == metav1.ConditionFalse:
		return corev1.EventTypeWarning
	case c.Type == k.kind.Root:
		return corev1.EventTypeNormal
	case c.Type == v1alpha1.ConditionStalled && meta.IsStatusConditionFalse(after, k.kind.Root):
		return "" // The root tells of the same failure.
	case c.Type == v1alpha1.ConditionStalled, slices.Contains(k.kind.Marks, c.Type):
		return corev1.EventTypeWarning
	case c.Type == furthest && !slices.ContainsFunc(k.reports, func(r report) bool { return r.reason == c.Reason }):
		return corev1.EventTypeNormal // Or a report with the same reason says more.
	}
	return ""
}

// rootTells reports whether the event of the root condition says that all is well now.
func (k *Keeper) rootTells(before, after []metav1.Condition) bool {
	root := meta.FindStatusCondition(after, k.kind.Root)
	return root != nil && root.Status == metav1.ConditionTrue && root.Reason != v1alpha1.ReasonServingPrevious &&
		changed(before, *root) && !k.told[root.Type] && !k.told[root.Reason]
}

// furthest is the last milestone that became True, empty if none did.
func (k *Keeper) furthest(before, after []metav1.Condition) string {
	for _, milestone := range slices.Backward(k.kind.Milestones) {
		c := meta.FindStatusCondition(after, milestone)
		if c != nil && c.Status == metav1.ConditionTrue && changed(before, *c) {
			return milestone
		}
	}
	return ""
}

// changed reports whether a condition means something else than before.
func changed(before []metav1.Condition, c metav1.Condition) bool {
	old := meta.FindStatusCondition(before, c.Type)
	return old == nil || old.Status != c.Status || old.Reason != c.Reason
}

func note(c metav1.Condition) string {
	if c.Message == "" {
		return c.Type
	}
	return c.Message
}
