package failpoint

// Points of package helm. Their subject is "namespace/release".
const (
	// HelmRecordPending is reached after the record of a new revision was written, before
	// any other step of the operation.
	HelmRecordPending = "helm-record-pending"
	// HelmHookCreated is reached after a hook was created.
	HelmHookCreated = "helm-hook-created"
	// HelmHookEnded is reached after a hook ended and its result was recorded.
	HelmHookEnded = "helm-hook-ended"
	// HelmObjectsApplied is reached after the objects of a release were created or updated,
	// before the result is recorded.
	HelmObjectsApplied = "helm-objects-applied"
	// HelmRecordFinal is reached after the result of an operation was recorded, or the
	// record of a removed release was deleted, before the operation returns.
	HelmRecordFinal = "helm-record-final"
	// HelmObjectsDeleted is reached after the objects of a release were deleted, before its
	// post-delete hooks run and its record is updated.
	HelmObjectsDeleted = "helm-objects-deleted"
)

// Points of the controllers. Their subject is "namespace/name" of the object.
const (
	// SourceBegun is reached after the start of a synchronization was written to the status
	// of a source, before its response is read.
	SourceBegun = "source-begun"
	// AppBegun is reached after the start of a hydration was written to the status of an app,
	// before the chart is read.
	AppBegun = "app-begun"
	// InstanceBegun is reached after an operation was written to the status of an instance,
	// before Helm is called.
	InstanceBegun = "instance-begun"
	// InstanceOperated is reached after Helm completed the operation, before the result is
	// written to status.
	InstanceOperated = "instance-operated"
	// InstanceSaved is reached after the end of the operation was written to status.
	InstanceSaved = "instance-saved"
	// TaskAdmitted is reached after a task was admitted, before it updates its instance.
	TaskAdmitted = "task-admitted"
	// TaskWritten is reached after a task updated its instance.
	TaskWritten = "task-written"
	// TaskNoted is reached after the result of a task was recorded in its instance, before
	// it is written to the status of the task.
	TaskNoted = "task-noted"
)
