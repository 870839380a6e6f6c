package status

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// announce emits an event for what changed its meaning: the root condition, Stalled,
// and of the milestones that were reached since the last write the furthest. What
// merely goes on makes none.
func (k *Keeper) announce(before, after []metav1.Condition) {
	furthest := k.furthest(before, after)
	for _, c := range after {
		if !changed(before, c) || c.Status == metav1.ConditionUnknown {
			continue
		}
		if k.told[c.Type] || k.told[c.Reason] {
			continue
		}
		switch c.Type {
		case k.kind.Root:
			severity := corev1.EventTypeNormal
			if c.Status == metav1.ConditionFalse {
				severity = corev1.EventTypeWarning
			}
			k.tell(severity, c)
		case v1alpha1.ConditionStalled:
			// A root that is False tells of the same failure.
			if !meta.IsStatusConditionFalse(after, k.kind.Root) {
				k.tell(corev1.EventTypeWarning, c)
			}
		case furthest:
			k.tell(corev1.EventTypeNormal, c)
		default:
			if slices.Contains(k.kind.Marks, c.Type) {
				k.tell(corev1.EventTypeWarning, c)
			}
		}
	}
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

// Event emits an event that belongs to no condition. A transition of the condition, and
// any other with the same reason, is then not told in the same reconcile.
func (k *Keeper) Event(condition, severity, reason, message string) {
	if k.told == nil {
		k.told = map[string]bool{}
	}
	k.told[condition], k.told[reason] = true, true
	k.recorder.Eventf(k.object, nil, severity, reason, "Reconcile", "%s", truncate(message))
}

func (k *Keeper) tell(severity string, c metav1.Condition) {
	k.recorder.Eventf(k.object, nil, severity, c.Reason, "Reconcile", "%s", note(c))
}

func note(c metav1.Condition) string {
	if c.Message == "" {
		return c.Type
	}
	return c.Message
}
