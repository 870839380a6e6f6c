package transitions

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
)

// CreatesRevision reports whether an operation creates a revision.
func CreatesRevision(kind v1alpha1.OperationType) bool {
	switch kind {
	case v1alpha1.OperationInstall, v1alpha1.OperationUpgrade, v1alpha1.OperationRollback, v1alpha1.OperationAdopt:
		return true
	}
	return false
}

// LastChange returns the newest operation that changed the installed releases, nil if there is
// none.
func LastChange(instance *v1alpha1.AppInstance) *v1alpha1.HistoryEntry {
	for i := range instance.Status.History {
		entry := &instance.Status.History[i]
		if CreatesRevision(entry.Operation.Type) || entry.Operation.Type == v1alpha1.OperationUninstall {
			return entry
		}
	}
	return nil
}

// FindRevision returns the history entry of a revision that can be rolled back to, nil if there
// is none. Revisions before the last uninstallation cannot, because their releases are gone.
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

// PreviousRevision returns the default revision to roll back to, nil if there is none. After a
// failed operation, which may have changed the releases, it is the last revision that
// succeeded. Otherwise it is the newest revision before the installed one. A revision that was
// rolled back is skipped.
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

// RollbackRevisions returns the revisions to which an instance can be rolled back, newest first. The installed
// one is among them after a failed operation, which may have changed the releases.
func RollbackRevisions(instance *v1alpha1.AppInstance) []*v1alpha1.HistoryEntry {
	previous := PreviousRevision(instance)
	seen := map[int32]bool{0: true}
	if previous == nil || previous.Revision != instance.Status.Revision {
		seen[instance.Status.Revision] = true
	}
	var revisions []*v1alpha1.HistoryEntry
	for i := range instance.Status.History {
		number := instance.Status.History[i].Revision
		if entry := FindRevision(instance, number); entry != nil && !seen[number] && entry.Outcome == v1alpha1.OutcomeSucceeded {
			seen[number] = true
			revisions = append(revisions, entry)
		}
	}
	return revisions
}

// FindTask returns the entry of a task in the completed tasks, nil if there is none.
func FindTask(instance *v1alpha1.AppInstance, task, hash string) *v1alpha1.CompletedTask {
	for i := range instance.Status.CompletedTasks {
		if entry := &instance.Status.CompletedTasks[i]; entry.Task == task && entry.Hash == hash {
			return entry
		}
	}
	return nil
}

// HashSpec returns the hash of the operation that a task requests. Fields that only control when
// and how it runs are not part of the hash, so that they can be changed without running the
// task again.
func HashSpec(task *v1alpha1.AppInstallTask) (string, error) {
	spec := task.Spec.DeepCopy()
	spec.Suspend, spec.Cancel, spec.TTLSecondsAfterFinished = nil, nil, nil
	spec.StartDeadline, spec.Timeout, spec.OnMissingInput, spec.OnUnmetRequirement = "", "", "", ""
	text, err := json.Marshal(spec)
	if err != nil {
		return "", fmt.Errorf("encode spec of task %s: %w", task.Name, err)
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
