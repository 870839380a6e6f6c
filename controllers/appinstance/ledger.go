package appinstance

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/transitions"
)

// maxLedger bounds the tasks that are remembered.
const maxLedger = 30

// enter notes in the ledger that the task which wrote the spec was carried out, for
// better or worse, once the reconcile has dealt with that spec. What a task took
// back it has written itself, with how it ended. A spec that was edited since is not
// that of the task.
func (s *scope) enter(err error) {
	name, hash := s.requester(), s.instance.Annotations[v1alpha1.TaskHashAnnotation]
	dealtWith := err == nil || outcome.IsStalled(err)
	if !dealtWith || name == "" || hash == "" || transitions.FindTask(s.instance, name, hash) != nil {
		return
	}
	st := &s.instance.Status
	entry := v1alpha1.LedgerEntry{
		Task: name, Hash: hash, Outcome: v1alpha1.OutcomeSucceeded, Reason: v1alpha1.ReasonSucceeded,
		Version: st.Version, EndedAt: metav1.Now(),
	}
	if err != nil {
		entry.Outcome, entry.Reason = v1alpha1.OutcomeFailed, outcome.Reason(err, v1alpha1.ReasonInterrupted)
		entry.Message = text.Limit(err.Error(), 1024)
	}
	if undone := s.instance.Annotations[v1alpha1.TaskUndoneAnnotation]; undone != "" {
		entry.Outcome, entry.Reason = v1alpha1.OutcomeFailed, undone
		if undone == v1alpha1.ReasonCancelled {
			entry.Outcome = v1alpha1.OutcomeCancelled
		}
	}
	st.Ledger = catalog.First(append([]v1alpha1.LedgerEntry{entry}, st.Ledger...), maxLedger)
}
