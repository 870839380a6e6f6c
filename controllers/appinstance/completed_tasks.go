package appinstance

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/transitions"
)

// maxCompletedTasks is the maximum number of tasks in status.completedTasks.
const maxCompletedTasks = 30

// recordTask records the result of the task that last wrote the spec, after the reconcile has
// handled that spec. A reverted task is recorded with the reason of the reversal. Nothing
// is recorded if the spec was edited since.
func (s *scope) recordTask(err error) {
	name, hash := s.currentSpecTask(), s.instance.Annotations[v1alpha1.TaskHashAnnotation]
	dealtWith := err == nil || outcome.IsStalled(err)
	if !dealtWith || name == "" || hash == "" || transitions.FindTask(s.instance, name, hash) != nil {
		return
	}
	st := &s.instance.Status
	entry := v1alpha1.CompletedTask{
		Task: name, Hash: hash, Outcome: v1alpha1.OutcomeSucceeded, Reason: v1alpha1.ReasonSucceeded,
		Version: st.Version, EndedAt: metav1.Now(),
	}
	if err != nil {
		entry.Outcome, entry.Reason = v1alpha1.OutcomeFailed, outcome.Reason(err, v1alpha1.ReasonInterrupted)
		entry.Message = text.Limit(err.Error(), 1024)
	}
	if undone := s.instance.Annotations[v1alpha1.TaskUndoneAnnotation]; undone != "" {
		entry.Outcome, entry.Reason = v1alpha1.OutcomeFailed, undone
		if undone == v1alpha1.ReasonCanceled {
			entry.Outcome = v1alpha1.OutcomeCanceled
		}
	}
	st.CompletedTasks = catalog.FirstItems(append([]v1alpha1.CompletedTask{entry}, st.CompletedTasks...), maxCompletedTasks)
}
