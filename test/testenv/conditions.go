package testenv

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AgeConditions makes all conditions a minute older, so that a condition that a reconcile removes and
// sets again causes a write.
func AgeConditions(conditions []metav1.Condition) {
	for i := range conditions {
		conditions[i].LastTransitionTime = metav1.NewTime(conditions[i].LastTransitionTime.Add(-time.Minute))
	}
}
