package appinstance

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/transitions"
)

// maxHistory is the maximum number of operations in status.history.
const maxHistory = 10

// recordHistory moves the current operation from status to the history.
func recordHistory(s *scope, ended v1alpha1.OperationOutcome, reason string, err error) {
	st := &s.instance.Status
	entry := v1alpha1.HistoryEntry{Operation: *st.CurrentOperation, Outcome: ended, EndedAt: metav1.Now()}
	if err != nil {
		entry.Reason, entry.Message = reason, text.Limit(err.Error(), 1000)
	}
	if ended == v1alpha1.OutcomeSucceeded && transitions.CreatesRevision(entry.Operation.Type) {
		st.Revision = nextRevision(s.instance)
		entry.Revision = st.Revision
		for _, made := range st.Releases {
			entry.Releases = append(entry.Releases, v1alpha1.ReleaseRevision{Name: made.Name, Revision: made.Revision})
		}
	}
	st.CurrentOperation = nil
	emitEndEvent(s, entry)
	before := st.History
	if len(before) > 0 && isRepetition(before[0], entry) {
		entry.Count = max(before[0].Count, 1) + 1
		before = before[1:]
	}
	st.History = truncateHistory(s.instance, append([]v1alpha1.HistoryEntry{entry}, before...))
}

// isRepetition reports whether an operation failed in the same way and for the same request
// as the one before it. Both share one entry, so that retries do not remove older entries.
func isRepetition(before, entry v1alpha1.HistoryEntry) bool {
	return entry.Outcome != v1alpha1.OutcomeSucceeded && entry.Outcome == before.Outcome &&
		isSameOperation(before.Operation, entry.Operation) &&
		entry.Operation.Task == before.Operation.Task && entry.Operation.Request == before.Operation.Request
}

// truncateHistory limits a history to maxHistory entries. It keeps the installed and the pinned
// revision.
func truncateHistory(instance *v1alpha1.AppInstance, history []v1alpha1.HistoryEntry) []v1alpha1.HistoryEntry {
	for i := len(history) - 1; i > 0 && len(history) > maxHistory; i-- {
		pinned := history[i].Revision != 0 &&
			(history[i].Revision == instance.Status.Revision || history[i].Revision == instance.Spec.PinnedRevision)
		if !pinned {
			history = slices.Delete(history, i, i+1)
		}
	}
	return history
}

// nextRevision returns the next revision number. Numbers are not reused after an
// uninstallation.
func nextRevision(instance *v1alpha1.AppInstance) int32 {
	highest := instance.Status.Revision
	for _, entry := range instance.Status.History {
		highest = max(highest, entry.Revision)
	}
	return highest + 1
}
