package appinstance

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/lifecycle"
)

// maxHistory bounds the operations that are remembered.
const maxHistory = 10

// conclude moves the operation from status into the history.
func (s *scope) conclude(ended v1alpha1.OperationOutcome, reason string, err error) {
	st := &s.instance.Status
	entry := v1alpha1.HistoryEntry{Operation: *st.Operation, Outcome: ended, EndedAt: metav1.Now()}
	if err != nil {
		entry.Reason, entry.Message = reason, catalog.Bounded(err.Error(), 1000)
	}
	if ended == v1alpha1.OutcomeSucceeded && lifecycle.Revises(entry.Operation.Type) {
		st.Revision = s.nextRevision()
		entry.Revision = st.Revision
		for _, made := range st.Releases {
			entry.Releases = append(entry.Releases, v1alpha1.ReleaseRevision{Name: made.Name, Revision: made.Revision})
		}
	}
	st.Operation = nil
	st.History = s.trimmed(append([]v1alpha1.HistoryEntry{entry}, st.History...))
}

// trimmed is a history within its bound. What runs now, and what is pinned, stays.
func (s *scope) trimmed(history []v1alpha1.HistoryEntry) []v1alpha1.HistoryEntry {
	for i := len(history) - 1; i > 0 && len(history) > maxHistory; i-- {
		pinned := history[i].Revision != 0 &&
			(history[i].Revision == s.instance.Status.Revision || history[i].Revision == s.instance.Spec.Revision)
		if !pinned {
			history = slices.Delete(history, i, i+1)
		}
	}
	return history
}

// nextRevision counts on over removals, so that a revision is never two things.
func (s *scope) nextRevision() int32 {
	highest := s.instance.Status.Revision
	for _, entry := range s.instance.Status.History {
		highest = max(highest, entry.Revision)
	}
	return highest + 1
}
