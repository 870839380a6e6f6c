package failpoint

// Points of the helm package; their subject is "namespace/release".
const (
	// HelmRecordPending comes when the record of a new revision was written, before
	// anything else is done for it.
	HelmRecordPending = "helm-record-pending"
	// HelmHookCreated comes when a hook was created.
	HelmHookCreated = "helm-hook-created"
	// HelmHookEnded comes when a hook was waited for and its end was recorded.
	HelmHookEnded = "helm-hook-ended"
	// HelmObjectsApplied comes when the objects of a release were created, or
	// brought to what they should be, before it is recorded.
	HelmObjectsApplied = "helm-objects-applied"
	// HelmRecordFinal comes when the last word on an operation was recorded, or
	// the record of a removed release was deleted, before the caller hears of it.
	HelmRecordFinal = "helm-record-final"
	// HelmObjectsDeleted comes when the objects of a release that is uninstalled
	// are gone, before its last hooks run and before its record says so.
	HelmObjectsDeleted = "helm-objects-deleted"
)

// Points of the controllers; their subject is "namespace/name" of the object.
const (
	// SourceBegun comes when it is in the status of a source that it is asked, before
	// anything of its answer is read.
	SourceBegun = "source-begun"
	// AppBegun comes when it is in the status of an app that a version is hydrated,
	// before anything of it is read.
	AppBegun = "app-begun"
	// InstanceBegun comes when an instance's operation was written to its status,
	// before Helm is called.
	InstanceBegun = "instance-begun"
	// InstanceOperated comes when Helm has done everything for the operation,
	// before that is in status.
	InstanceOperated = "instance-operated"
	// InstanceSaved comes when the end of the operation was written to status.
	InstanceSaved = "instance-saved"
	// TaskAdmitted comes when a task was admitted, before it writes its instance.
	TaskAdmitted = "task-admitted"
	// TaskWritten comes when a task has written its instance.
	TaskWritten = "task-written"
	// TaskNoted comes when the outcome of a task was noted in the ledger of its
	// instance, before it is in the task's own status.
	TaskNoted = "task-noted"
)
