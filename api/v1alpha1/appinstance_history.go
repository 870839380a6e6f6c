package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// OperationType is what Helm is asked to do.
// +kubebuilder:validation:Enum=Install;Upgrade;Rollback;Uninstall;Stop;Resume;Adopt
type OperationType string

// The operations.
const (
	OperationInstall   OperationType = "Install"
	OperationUpgrade   OperationType = "Upgrade"
	OperationRollback  OperationType = "Rollback"
	OperationUninstall OperationType = "Uninstall"
	OperationStop      OperationType = "Stop"
	OperationResume    OperationType = "Resume"
	OperationAdopt     OperationType = "Adopt"
)

// Operation is one run of Helm over all releases of an instance.
type Operation struct {
	// type is what Helm is asked to do.
	// +required
	Type OperationType `json:"type,omitempty"`

	// version is the one that is being installed.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// chartDigest is that of the published chart that is being installed.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ChartDigest string `json:"chartDigest,omitempty"`

	// valuesDigest is over the values that are being installed.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ValuesDigest string `json:"valuesDigest,omitempty"`

	// to is the revision that a rollback goes back to.
	// +optional
	To int32 `json:"to,omitempty"`

	// task names the AppInstallTask that requested the operation. It is empty if the spec of the
	// instance was edited since the task wrote it, or if no task did.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Task string `json:"task,omitempty"`

	// request is the value of the annotation appmarket.io/reconcile-requested-at when the operation
	// began.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Request string `json:"request,omitempty"`

	// interruptions is the number of times that the operation was cut off, by an end of the operator or an
	// internal error, before it had a result. After three it is not begun again until
	// another request is made.
	// +optional
	Interruptions int32 `json:"interruptions,omitempty"`

	// startedAt is when it began. spec.timeout counts from here.
	// +required
	StartedAt metav1.Time `json:"startedAt,omitzero"`
}

// Release is a Helm release of an instance.
type Release struct {
	// name is the name of the release, for helm status.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=53
	Name string `json:"name,omitempty"`

	// unit is the chart unit it is made from; empty for the app's own chart.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Unit string `json:"unit,omitempty"`

	// revision is Helm's.
	// +optional
	Revision int32 `json:"revision,omitempty"`

	// status is Helm's, such as deployed or failed.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Status string `json:"status,omitempty"`

	// chart is name and version of the chart.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Chart string `json:"chart,omitempty"`

	// records are the records of the release that were written for this instance. A record
	// with another digest is not carried out.
	// +optional
	// +listType=map
	// +listMapKey=revision
	// +kubebuilder:validation:MaxItems=50
	Records []ReleaseRecord `json:"records,omitempty"`
}

// ReleaseRecord defines what Helm recorded of a revision of a release.
type ReleaseRecord struct {
	// revision is Helm's.
	// +required
	Revision int32 `json:"revision,omitempty"`

	// digest is that of the objects and hooks that are recorded.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`
}

// Inventory lists the objects of an instance.
type Inventory struct {
	// total counts them.
	// +required
	Total int32 `json:"total"`

	// ready counts those that are ready.
	// +required
	Ready int32 `json:"ready"`

	// objects are the first 200 of them, in the order of installation.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=200
	Objects []ObjectReference `json:"objects,omitempty"`
}

// OperationOutcome says how an operation ended.
// +kubebuilder:validation:Enum=Succeeded;Failed;Interrupted;Cancelled
type OperationOutcome string

// The outcomes.
const (
	OutcomeSucceeded   OperationOutcome = "Succeeded"
	OutcomeFailed      OperationOutcome = "Failed"
	OutcomeInterrupted OperationOutcome = "Interrupted"
	OutcomeCancelled   OperationOutcome = "Cancelled"
)

// HistoryEntry is an operation that ended.
type HistoryEntry struct {
	// operation is what was done.
	// +required
	Operation Operation `json:"operation,omitzero"`

	// outcome says how it ended.
	// +required
	Outcome OperationOutcome `json:"outcome,omitempty"`

	// revision is the one that the operation made, to be used in a rollback. Unset
	// for one that made none.
	// +optional
	Revision int32 `json:"revision,omitempty"`

	// releases are Helm's revisions of the releases that make up the revision.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Releases []ReleaseRevision `json:"releases,omitempty"`

	// reason is that of the failure.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`

	// message says what went wrong.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// count is the number of times in a row that the same operation ended like this. The entry
	// shows the last time. If not specified, it ended like this once.
	// +optional
	// +kubebuilder:validation:Minimum=2
	Count int32 `json:"count,omitempty"`

	// endedAt is when Helm was done.
	// +required
	EndedAt metav1.Time `json:"endedAt,omitzero"`
}

// ReleaseRevision is a revision of a Helm release.
type ReleaseRevision struct {
	// name is that of the release.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=53
	Name string `json:"name,omitempty"`

	// revision is Helm's.
	// +required
	Revision int32 `json:"revision,omitempty"`
}

// SpecWriter defines the AppInstallTask that wrote the spec of an instance last.
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

	// undone reports whether the task has taken back what it wrote.
	// +optional
	Undone bool `json:"undone,omitempty"`

	// generation is that of the instance that the task wrote. Another generation was written
	// by another client.
	// +required
	Generation int64 `json:"generation,omitempty"`
}

// LedgerEntry is a task that was carried out.
type LedgerEntry struct {
	// task is its name.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Task string `json:"task,omitempty"`

	// hash is over its spec.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Hash string `json:"hash,omitempty"`

	// outcome says how it ended.
	// +required
	Outcome OperationOutcome `json:"outcome,omitempty"`

	// reason is that of the end.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`

	// message is that of the end.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// version is the one that it left.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// endedAt is when it ended.
	// +required
	EndedAt metav1.Time `json:"endedAt,omitzero"`
}

// DriftedObject is an object that differs from what Helm made of it.
type DriftedObject struct {
	// object is which.
	// +required
	Object ObjectReference `json:"object,omitzero"`

	// missing says that it is gone.
	// +optional
	Missing bool `json:"missing,omitempty"`

	// correctedAt is the time at which the object was corrected. It is set only if spec.driftPolicy is
	// Correct.
	// +optional
	CorrectedAt *metav1.Time `json:"correctedAt,omitempty"`

	// fields are the paths of the first 20 fields that differ. Values are not
	// shown, since they may be secret.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	Fields []string `json:"fields,omitempty"`
}
