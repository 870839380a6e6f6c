package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// OperationType is the type of an operation on the Helm releases of an AppInstance.
// +kubebuilder:validation:Enum=Install;Upgrade;Rollback;Uninstall;Stop;Resume;Restart;Adopt
type OperationType string

// Types of operations.
const (
	OperationInstall   OperationType = "Install"
	OperationUpgrade   OperationType = "Upgrade"
	OperationRollback  OperationType = "Rollback"
	OperationUninstall OperationType = "Uninstall"
	OperationStop      OperationType = "Stop"
	OperationResume    OperationType = "Resume"
	OperationRestart   OperationType = "Restart"
	OperationAdopt     OperationType = "Adopt"
)

// Operation is an operation on all Helm releases of an AppInstance.
type Operation struct {
	// type is the type of the operation.
	// +required
	Type OperationType `json:"type,omitempty"`

	// version is the version of the app that the operation applies to.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// chartDigest is the digest of the published chart that the operation applies to.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ChartDigest string `json:"chartDigest,omitempty"`

	// valuesDigest is the digest of the values and inputs in the spec of the instance. The
	// platform values of the source are not included.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ValuesDigest string `json:"valuesDigest,omitempty"`

	// to is the revision that a rollback restores.
	// +optional
	To int32 `json:"to,omitempty"`

	// task is the name of the AppInstallTask that requested the operation. It is empty if no
	// task requested the operation, or if the spec of the instance was changed after the task
	// wrote it.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Task string `json:"task,omitempty"`

	// requestedBy is the name of the user who created the task, from the annotation
	// appmarket.io/requested-by of the task. It is empty if the task has no such annotation.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	RequestedBy string `json:"requestedBy,omitempty"`

	// request is the value of the annotation appmarket.io/reconcile-requested-at at the time at
	// which the operation started.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Request string `json:"request,omitempty"`

	// interruptions is the number of times that the operation was interrupted before it had a
	// result, because the operator stopped or had an internal error. After three interruptions,
	// the operation is not started again until the spec requires a different operation or the
	// annotation appmarket.io/reconcile-requested-at has another value.
	// +optional
	Interruptions int32 `json:"interruptions,omitempty"`

	// startedAt is the time at which the operation started. spec.timeout is measured from this
	// time.
	// +required
	StartedAt metav1.Time `json:"startedAt,omitzero"`
}

// Release is a Helm release of an AppInstance.
type Release struct {
	// name is the name of the Helm release.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=53
	Name string `json:"name,omitempty"`

	// unit is the name of the chart in the app from which the release is installed. It is empty
	// for the main chart of the app.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Unit string `json:"unit,omitempty"`

	// revision is the revision number of the Helm release.
	// +optional
	Revision int32 `json:"revision,omitempty"`

	// status is the status of the Helm release, such as deployed or failed.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Status string `json:"status,omitempty"`

	// chart is the name and the version of the chart, in the form `<name>-<version>`.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Chart string `json:"chart,omitempty"`

	// records are the Helm records of the release that the operator wrote for this instance. An
	// operation fails with reason RecordChanged if the digest of a record differs.
	// +optional
	// +listType=map
	// +listMapKey=revision
	// +kubebuilder:validation:MaxItems=50
	Records []ReleaseRecord `json:"records,omitempty"`
}

// ReleaseRecord identifies the content of the Helm record of a release revision.
type ReleaseRecord struct {
	// revision is the revision number of the Helm release.
	// +required
	Revision int32 `json:"revision,omitempty"`

	// digest is the digest of the objects and hooks in the record.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`
}

// Inventory lists the objects of the Helm releases of an AppInstance.
type Inventory struct {
	// total is the number of objects.
	// +required
	Total int32 `json:"total"`

	// ready is the number of objects that are ready.
	// +required
	Ready int32 `json:"ready"`

	// unready lists the first 20 objects that are not ready: missing objects, then objects that
	// have failed, then objects in progress, each in installation order. While the instance is
	// stopped, it lists workloads only.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Unready []UnreadyObject `json:"unready,omitempty"`

	// objects are the first 200 objects, in installation order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=200
	Objects []ObjectReference `json:"objects,omitempty"`
}

// ObjectStatus is the status of an object that is not ready.
// +kubebuilder:validation:Enum=InProgress;Failed;Missing
type ObjectStatus string

const (
	// ObjectInProgress indicates that the object may become ready without a change.
	ObjectInProgress ObjectStatus = "InProgress"
	// ObjectFailed indicates that the object will not become ready without a change.
	ObjectFailed ObjectStatus = "Failed"
	// ObjectMissing indicates that the object does not exist.
	ObjectMissing ObjectStatus = "Missing"
)

// UnreadyObject is an object that is not ready.
type UnreadyObject struct {
	// object refers to the object.
	// +required
	Object ObjectReference `json:"object,omitzero"`

	// status is the status of the object: InProgress, Failed or Missing.
	// +required
	Status ObjectStatus `json:"status,omitempty"`

	// message describes why the object is not ready. Only the message of the first object is
	// determined from its Pods.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}

// ClaimRemoval specifies what an uninstallation does to a PersistentVolumeClaim.
// +kubebuilder:validation:Enum=Retained;Deleted
type ClaimRemoval string

const (
	// ClaimRetained indicates that an uninstallation retains the claim.
	ClaimRetained ClaimRemoval = "Retained"
	// ClaimDeleted indicates that an uninstallation deletes the claim and its data.
	ClaimDeleted ClaimRemoval = "Deleted"
)

// VolumeClaim is a PersistentVolumeClaim of an AppInstance.
type VolumeClaim struct {
	// name is the name of the PersistentVolumeClaim.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// storage is the storage that the claim requests, as a Kubernetes quantity. It is not set if
	// the request is not known.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Storage string `json:"storage,omitempty"`

	// onRemoval describes what an uninstallation would do to the claim, as spec.dataPolicy
	// specifies: Retained or Deleted.
	// +required
	OnRemoval ClaimRemoval `json:"onRemoval,omitempty"`
}

// OperationOutcome is the outcome of an operation or a task.
// +kubebuilder:validation:Enum=Succeeded;Failed;Interrupted;Canceled
type OperationOutcome string

// Outcomes of operations and tasks.
const (
	OutcomeSucceeded   OperationOutcome = "Succeeded"
	OutcomeFailed      OperationOutcome = "Failed"
	OutcomeInterrupted OperationOutcome = "Interrupted"
	OutcomeCanceled    OperationOutcome = "Canceled"
)

// HistoryEntry is an operation that has ended.
type HistoryEntry struct {
	// operation is the operation that has ended.
	// +required
	Operation Operation `json:"operation,omitzero"`

	// outcome is the outcome of the operation.
	// +required
	Outcome OperationOutcome `json:"outcome,omitempty"`

	// revision is the revision that the operation created, which can be rolled back to. It is
	// not set if the operation did not create a revision.
	// +optional
	Revision int32 `json:"revision,omitempty"`

	// releases are the revisions of the Helm releases that belong to the revision.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Releases []ReleaseRevision `json:"releases,omitempty"`

	// reason is the machine-readable reason why the operation did not succeed.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`

	// message describes why the operation did not succeed.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// count is the number of consecutive times that the same operation had this outcome. The
	// entry describes the last time. If not set, the operation had this outcome once.
	// +optional
	// +kubebuilder:validation:Minimum=2
	Count int32 `json:"count,omitempty"`

	// endedAt is the time at which the operation ended.
	// +required
	EndedAt metav1.Time `json:"endedAt,omitzero"`
}

// ReleaseRevision is a revision of a Helm release.
type ReleaseRevision struct {
	// name is the name of the Helm release.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=53
	Name string `json:"name,omitempty"`

	// revision is the revision number of the Helm release.
	// +required
	Revision int32 `json:"revision,omitempty"`
}

// SpecWriter identifies the AppInstallTask that last wrote the spec of an AppInstance.
type SpecWriter struct {
	// task is the name of the task.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Task string `json:"task,omitempty"`

	// uid is the UID of the task.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	UID string `json:"uid,omitempty"`

	// reverted indicates whether the task has reverted its changes.
	// +optional
	Reverted bool `json:"reverted,omitempty"`

	// generation is the generation of the AppInstance that the task wrote. If the current
	// generation differs, another client has changed the spec since.
	// +required
	Generation int64 `json:"generation,omitempty"`
}

// CompletedTask is a task that has completed.
type CompletedTask struct {
	// task is the name of the task.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Task string `json:"task,omitempty"`

	// hash is the hash of the request of the task.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Hash string `json:"hash,omitempty"`

	// outcome is the outcome of the task.
	// +required
	Outcome OperationOutcome `json:"outcome,omitempty"`

	// reason is the machine-readable reason of the outcome.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`

	// message describes why the task did not succeed.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// version is the version of the app that was installed when the task ended.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// endedAt is the time at which the task ended.
	// +required
	EndedAt metav1.Time `json:"endedAt,omitzero"`
}

// DriftedObject is an object that differs from its Helm release.
type DriftedObject struct {
	// object refers to the object.
	// +required
	Object ObjectReference `json:"object,omitzero"`

	// missing indicates whether the object does not exist.
	// +optional
	Missing bool `json:"missing,omitempty"`

	// correctedAt is the time at which the object was corrected. It is set only if
	// spec.driftPolicy is Correct.
	// +optional
	CorrectedAt *metav1.Time `json:"correctedAt,omitempty"`

	// fields are the paths of the first 20 fields that differ. The values of the fields are
	// omitted because they can be confidential.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	Fields []string `json:"fields,omitempty"`
}
