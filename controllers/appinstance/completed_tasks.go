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
func recordTask(s *scope, err error) {
	record := currentSpecTask(s.instance)
	dealtWith := err == nil || outcome.IsStalled(err)
	if !dealtWith || record.Task == "" || record.Hash == "" || transitions.FindTask(s.instance, record.Task, record.Hash) != nil {
		return
	}
	st := &s.instance.Status
	entry := v1alpha1.CompletedTask{
		Task: record.Task, Hash: record.Hash, Outcome: v1alpha1.OutcomeSucceeded, Reason: v1alpha1.ReasonSucceeded,
		Version: st.Version, EndedAt: metav1.Now(),
	}
	if err != nil {
		entry.Outcome, entry.Reason = v1alpha1.OutcomeFailed, outcome.Reason(err, v1alpha1.ReasonInterrupted)
		entry.Message = text.Limit(err.Error(), 1024)
	}
	if record.IsReverted() {
		entry.Outcome, entry.Reason = v1alpha1.OutcomeFailed, record.RevertReason
		if record.RevertReason == v1alpha1.ReasonCanceled {
			entry.Outcome = v1alpha1.OutcomeCanceled
		}
	}
	st.CompletedTasks = catalog.FirstItems(append([]v1alpha1.CompletedTask{entry}, st.CompletedTasks...), maxCompletedTasks)
}
