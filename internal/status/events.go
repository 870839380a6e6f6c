package status

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// announce emits an event for every condition that changed its meaning. What
// merely goes on makes none.
func (k *Keeper) announce(before, after []metav1.Condition) {
	for _, c := range after {
		if c.Type == v1alpha1.ConditionReconciling || c.Status == metav1.ConditionUnknown {
			continue
		}
		old := meta.FindStatusCondition(before, c.Type)
		if old != nil && old.Status == c.Status && old.Reason == c.Reason {
			continue
		}
		severity := corev1.EventTypeNormal
		if bad := c.Status == metav1.ConditionFalse || c.Type == v1alpha1.ConditionStalled; bad {
			if c.Type != k.kind.Root && slices.Contains(k.kind.Milestones, c.Type) {
				continue // The root condition tells of the same failure.
			}
			severity = corev1.EventTypeWarning
		}
		if c.Type == v1alpha1.ConditionStalled && meta.IsStatusConditionFalse(after, k.kind.Root) {
			continue // So does it here.
		}
		k.recorder.Eventf(k.object, nil, severity, c.Reason, "Reconcile", "%s", note(c))
	}
}

func note(c metav1.Condition) string {
	if c.Message == "" {
		return c.Type
	}
	return c.Message
}
