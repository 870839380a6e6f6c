package appinstalltask

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/transitions"
)

// changedWorkloads contains, for each action that changes only workloads, the kinds that it changes.
var changedWorkloads = map[v1alpha1.Action]func(v1alpha1.ObjectReference) bool{
	v1alpha1.ActionStop:    release.IsWorkload,
	v1alpha1.ActionResume:  release.IsWorkload,
	v1alpha1.ActionRestart: release.IsRestartable,
}

// workloadChanges returns the workloads that Stop, Resume or Restart would change.
func workloadChanges(s *scope) []v1alpha1.PlannedObject {
	var changes []v1alpha1.PlannedObject
	for _, reference := range admission.InventoryObjects(s.instance) {
		if changedWorkloads[s.task.Spec.Action](reference) {
			changes = append(changes, v1alpha1.PlannedObject{Change: v1alpha1.ObjectChanged, Object: reference})
		}
	}
	sortChanges(changes)
	return changes
}

// rollbackChanges compares the recorded manifests of the installed revision and of the revision to roll
// back to. The rollback also removes objects of the inventory that no record contains, which a failed operation
// has left.
func rollbackChanges(ctx context.Context, r *Reconciler, s *scope) ([]v1alpha1.PlannedObject, error) {
	reader := r.Clients(s.tenant(), knownRecords{s.instance})
	after, err := revisionObjects(ctx, reader, s.task.Namespace, s.rollbackEntry)
	if err != nil {
		return nil, err
	}
	before := comparedObjects{}
	if current := transitions.FindRevision(s.instance, s.instance.Status.Revision); current != nil {
		if before, err = revisionObjects(ctx, reader, s.task.Namespace, current); err != nil {
			return nil, err
		}
	}
	for _, reference := range admission.InventoryObjects(s.instance) {
		key := objectKey(reference, s.task.Namespace)
		object := before[key]
		object.reference = reference
		before[key] = object
	}
	addReclaimed(before, after, s.instance)
	return compareObjects(before, after), nil
}

// revisionObjects returns the objects in the recorded manifests of a revision of an instance.
func revisionObjects(ctx context.Context, reader release.Reader, namespace string, entry *v1alpha1.HistoryEntry) (comparedObjects, error) {
	found := comparedObjects{}
	for _, made := range entry.Releases {
		list, err := reader.ListObjects(ctx, made.Name, int(made.Revision))
		if err != nil {
			return nil, err
		}
		for _, one := range list {
			found[objectKey(one.Object, namespace)] = comparedObject{
				reference: one.Object, digest: one.Digest, isKept: one.IsKept, storage: one.Storage,
			}
		}
	}
	return found, nil
}
