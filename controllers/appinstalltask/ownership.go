package appinstalltask

import (
	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskrecord"
	"github.com/appmarket/operator/internal/transitions"
)

// ownership is the relation between a task and its instance. It is determined whenever the
// scope reads or writes the instance or the status that it depends on, so that all phases of
// a reconcile have the same answer.
type ownership struct {
	// record identifies the task that last wrote the instance. It is zero if no task has
	// written it, or if another client has replaced the record with an invalid one.
	record taskrecord.Record
	// recordError is the error of an invalid record.
	recordError error
	// isWriter is set if this task, or a deleted task with the same name and spec, was the
	// last to write the instance.
	isWriter bool
	// isSigned is set if the record has the UID of this task.
	isSigned bool
	// isRecorded is set if the status of the task refers to the instance. If it is not set
	// and isWriter is, the status update was lost, and the operation may already be complete.
	isRecorded bool
	// isWriteLost is set if the task must record in its status a write that it has not
	// reverted.
	isWriteLost bool
	// isReverting is set if the task has decided to revert its changes.
	isReverting bool
	// hasStarted is set if the task is recorded or reverting, and no longer waits to be
	// admitted.
	hasStarted bool
	// isPastCancel is set if the task has started an action that cannot be canceled after its
	// start.
	isPastCancel bool
}

// newOwnership returns the ownership of a task with the given hash. The instance is nil if it
// does not exist.
func newOwnership(task *v1alpha1.AppInstallTask, hash string, instance *v1alpha1.AppInstance) ownership {
	o := ownership{
		isRecorded: task.Status.InstanceRef != nil, isReverting: task.Status.Reverting != nil, hasStarted: hasStarted(task),
	}
	if instance != nil {
		o.record, o.recordError = taskrecord.ReadRecord(instance)
		o.isSigned = task.UID != "" && o.record.UID == string(task.UID)
		o.isWriter = o.record.Task == task.Name && (o.isSigned || hash != "" && o.record.Hash == hash)
	}
	o.isWriteLost = o.isWriter && !o.hasStarted && !o.record.IsReverted()
	o.isPastCancel = (o.isRecorded || o.isWriter) && transitions.Outcomes[task.Spec.Action].Committed
	return o
}

// hasStarted reports whether a task has recorded that it wrote its instance, or reverts its
// changes.
func hasStarted(task *v1alpha1.AppInstallTask) bool {
	return task.Status.InstanceRef != nil || task.Status.Reverting != nil
}

// setInstance sets the instance of the scope, which may be nil.
func (s *scope) setInstance(instance *v1alpha1.AppInstance) {
	s.instance, s.ownership = instance, newOwnership(s.task, s.hash, instance)
}

// recordInstance sets the instance of the scope, and records its current generation as the one
// that the task follows.
func (s *scope) recordInstance(instance *v1alpha1.AppInstance) {
	s.task.Status.InstanceRef = &v1alpha1.InstanceReference{
		Name: instance.Name, UID: string(instance.UID), Generation: instance.Generation,
	}
	s.setInstance(instance)
}
