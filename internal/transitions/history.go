package transitions

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Revises reports whether an operation makes a revision.
func CreatesRevision(kind v1alpha1.OperationType) bool {
	switch kind {
	case v1alpha1.OperationInstall, v1alpha1.OperationUpgrade, v1alpha1.OperationRollback, v1alpha1.OperationAdopt:
		return true
	}
	return false
}

// LastChange is the newest operation that changed what is installed, nil if there
// was none.
func LastChange(instance *v1alpha1.AppInstance) *v1alpha1.HistoryEntry {
	for i := range instance.Status.History {
		entry := &instance.Status.History[i]
		if CreatesRevision(entry.Operation.Type) || entry.Operation.Type == v1alpha1.OperationUninstall {
			return entry
		}
	}
	return nil
}

// Revision is an entry of the history that can be gone back to, nil if there is
// none: those before the last removal have lost their releases.
func FindRevision(instance *v1alpha1.AppInstance, number int32) *v1alpha1.HistoryEntry {
	for i := range instance.Status.History {
		entry := &instance.Status.History[i]
		switch {
		case entry.Operation.Type == v1alpha1.OperationUninstall && entry.Outcome == v1alpha1.OutcomeSucceeded:
			return nil
		case entry.Revision != 0 && entry.Revision == number:
			return entry
		}
	}
	return nil
}

// Previous is the revision to go back to where nobody names one: the last that
// succeeded, if an operation has failed since and may have changed what is installed;
// otherwise the newest before the one that is installed; nil if there is none. What was
// gone back from is not gone back to again.
func PreviousRevision(instance *v1alpha1.AppInstance) *v1alpha1.HistoryEntry {
	current := FindRevision(instance, instance.Status.Revision)
	if current == nil {
		return nil
	}
	if last := LastChange(instance); last != nil && last.Outcome != v1alpha1.OutcomeSucceeded && CreatesRevision(last.Operation.Type) {
		return current
	}
	below := current.Revision
	if current.Operation.To != 0 {
		below = current.Operation.To
	}
	for i := range instance.Status.History {
		entry := &instance.Status.History[i]
		if entry.Revision != 0 && entry.Revision < below && entry.Operation.To == 0 && FindRevision(instance, entry.Revision) != nil {
			return entry
		}
	}
	return nil
}

// Carried is the ledger entry of a task, nil if it was not carried out.
func FindTask(instance *v1alpha1.AppInstance, task, hash string) *v1alpha1.LedgerEntry {
	for i := range instance.Status.Ledger {
		if entry := &instance.Status.Ledger[i]; entry.Task == task && entry.Hash == hash {
			return entry
		}
	}
	return nil
}

// Hash is over what a task wishes for. What only says when and how it is carried
// out is left out, so that it can be changed without running the task again.
func HashSpec(task *v1alpha1.AppInstallTask) (string, error) {
	spec := task.Spec.DeepCopy()
	spec.Suspend, spec.Cancel, spec.TTLSecondsAfterFinished = nil, nil, nil
	spec.Deadline, spec.Timeout, spec.OnMissingInput = "", "", ""
	text, err := json.Marshal(spec)
	if err != nil {
		return "", fmt.Errorf("encode spec of task %s: %w", task.Name, err)
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
