package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// DesiredState is the desired state of an AppInstance.
// +kubebuilder:validation:Enum=Running;Stopped;Uninstalled
type DesiredState string

const (
	// StateRunning means that the app is installed and its workloads run.
	StateRunning DesiredState = "Running"
	// StateStopped means that the app is installed and its workloads have no Pods. Other
	// changes of the spec are applied when the instance is resumed.
	StateStopped DesiredState = "Stopped"
	// StateUninstalled means that the Helm releases are uninstalled. The AppInstance is kept as a
	// record of its history and of the retained PersistentVolumeClaims.
	StateUninstalled DesiredState = "Uninstalled"
)

// DriftPolicy specifies how objects that differ from their Helm release are handled.
// +kubebuilder:validation:Enum=Correct;Warn;Ignore
type DriftPolicy string

const (
	// DriftCorrect restores the objects to the state in the Helm release.
	DriftCorrect DriftPolicy = "Correct"
	// DriftWarn lists the objects in status.drift and sets the condition Drifted.
	DriftWarn DriftPolicy = "Warn"
	// DriftIgnore disables drift detection.
	DriftIgnore DriftPolicy = "Ignore"
)

// AdoptionPolicy specifies how an existing Helm release with the same name as an instance is
// handled.
// +kubebuilder:validation:Enum=Reject;Adopt
type AdoptionPolicy string

const (
	// AdoptionReject fails the installation.
	AdoptionReject AdoptionPolicy = "Reject"
	// AdoptionAdopt adopts the Helm release without changing its objects.
	AdoptionAdopt AdoptionPolicy = "Adopt"
)

// AppInstanceSpec defines the desired state of an AppInstance.
// +kubebuilder:validation:XValidation:rule="self.appRef.source == oldSelf.appRef.source && self.appRef.name == oldSelf.appRef.name",message="appRef.source and appRef.name are immutable; create another instance"
// +kubebuilder:validation:XValidation:rule="has(self.appRef.__namespace__) == has(oldSelf.appRef.__namespace__) && (!has(self.appRef.__namespace__) || self.appRef.__namespace__ == oldSelf.appRef.__namespace__)",message="appRef.namespace is immutable; create another instance"
type AppInstanceSpec struct {
	// appRef refers to the app to install. It is immutable.
	// +required
	AppRef AppReference `json:"appRef,omitzero"`

	// version specifies a semantic version or a range of semantic versions. The latest
	// published version in the range is installed, and newer versions in the range are
	// installed automatically when they are published. If not specified, the latest stable
	// version at the time of installation is used, and the instance is not upgraded
	// automatically.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// pinnedRevision specifies the revision in status.history to roll back to. The chart and the
	// values are restored from the Helm release, even if the version is no longer published.
	// While this field is set, version, values, valuesFrom and inputs are ignored. If not
	// specified, they are used.
	// +optional
	// +kubebuilder:validation:Minimum=1
	PinnedRevision int32 `json:"pinnedRevision,omitempty"`

	// adoptionPolicy specifies how an existing Helm release with the same name as the instance is
	// handled: Reject or Adopt. It has an effect only while the instance has no installed
	// revision. Defaults to Reject.
	// +optional
	// +default="Reject"
	AdoptionPolicy AdoptionPolicy `json:"adoptionPolicy,omitempty"`

	// title specifies the display name of the instance. If not specified, the instance has no
	// display name.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// entrances specifies titles for the entrances of the app. If not specified, the titles in
	// the app manifest are used.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Entrances []EntranceTitle `json:"entrances,omitempty"`

	// credentialSecretRef refers to the key of a Secret in the same namespace that contains the
	// credential for an app that must be purchased. If not specified, such an app is not
	// installed.
	// +optional
	CredentialSecretRef *KeyReference `json:"credentialSecretRef,omitempty"`

	// values specifies Helm values. They override the values of the chart, the platform values
	// of the source and valuesFrom; a null value removes the key. If not specified, these
	// values are not overridden.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Values *runtime.RawExtension `json:"values,omitempty"`

	// valuesFrom refers to Secrets and ConfigMaps with Helm values. They are merged in order,
	// so that later entries override earlier ones, and values overrides all of them. If not
	// specified, no Secrets and ConfigMaps are read.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	ValuesFrom []ValuesReference `json:"valuesFrom,omitempty"`

	// inputs specifies inputs of the app. They override values. If not specified, the defaults of
	// the inputs are used.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Inputs []InputValue `json:"inputs,omitempty"`

	// desiredState specifies the desired state of the app: Running, Stopped or Uninstalled.
	// Defaults to Running.
	// +optional
	// +default="Running"
	DesiredState DesiredState `json:"desiredState,omitempty"`

	// restartRequestedAt specifies the time of the last requested restart. When it changes, the Pod
	// templates of the Deployments, StatefulSets and DaemonSets get this time in the annotation
	// kubectl.kubernetes.io/restartedAt, so that their Pods are replaced. A new installation and
	// an instance that is resumed are not restarted, because their Pods are new. If not
	// specified, the workloads are not restarted.
	// +optional
	RestartRequestedAt *metav1.Time `json:"restartRequestedAt,omitempty"`

	// suspend specifies whether the reconciliation of the instance is suspended: no operation
	// starts, and drift is not detected. An operation that is in progress continues to its end,
	// and the health of the objects is still reported. The deletion of the instance is not
	// suspended. Defaults to false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// serviceAccountName specifies the service account in the same namespace that is used for
	// all Helm operations. It must have permissions on all objects of the app, and on the
	// Secrets in which Helm stores releases. Defaults to "default".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	ServiceAccountName string `json:"serviceAccountName,omitempty"`

	// dataPolicy specifies whether PersistentVolumeClaims are retained when the instance is
	// uninstalled: Retain or Delete. Defaults to Retain.
	// +optional
	// +default="Retain"
	DataPolicy DataPolicy `json:"dataPolicy,omitempty"`

	// driftPolicy specifies how objects that differ from their Helm release are handled:
	// Correct, Warn or Ignore. Defaults to Ignore.
	// +optional
	// +default="Ignore"
	DriftPolicy DriftPolicy `json:"driftPolicy,omitempty"`

	// timeout specifies the time limit of an operation, including its hooks. After the
	// operation, the same limit applies to the objects becoming ready. Must be from 1s to 24h.
	// Defaults to 10m.
	// +optional
	// +default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="timeout must be between 1s and 24h"
	Timeout Duration `json:"timeout,omitempty"`

	// revisionHistoryLimit specifies the number of revisions that are kept for each Helm release. Must be
	// from 1 to 20. Defaults to 5.
	// +optional
	// +default=5
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=20
	RevisionHistoryLimit int32 `json:"revisionHistoryLimit,omitempty"`
}

// AppInstanceStatus defines the observed state of an AppInstance.
type AppInstanceStatus struct {
	// conditions represent the current state of the instance. Ready summarizes it. Resolved,
	// Applied and Healthy report, in this order, the progress of the last operation.
	// Reconciling, Stalled and Drifted exist only while they are True.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that the status reflects.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// lastHandledReconcileAt is the last value of the annotation
	// appmarket.io/reconcile-requested-at that the controller has handled.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// revision is the revision in history that is installed. Operations that change what is
	// installed create a new revision. It is not set if nothing is installed.
	// +optional
	Revision int32 `json:"revision,omitempty"`

	// version is the installed version of the app.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// chartDigest is the digest of the published chart that is installed.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ChartDigest string `json:"chartDigest,omitempty"`

	// verification describes the verified signature of the chart that is installed. It is not set if
	// the source did not verify signatures.
	// +optional
	Verification *SignatureVerdict `json:"verification,omitempty"`

	// valuesDigest is the digest of the values and inputs with which the app is installed. The
	// platform values of the source are not included.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ValuesDigest string `json:"valuesDigest,omitempty"`

	// availableUpdate is the latest stable version of the app, if it is newer than the
	// installed version and is not installed automatically.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	AvailableUpdate string `json:"availableUpdate,omitempty"`

	// writer identifies the AppInstallTask that last wrote the spec. It is not set if no task
	// wrote the spec.
	// +optional
	Writer *SpecWriter `json:"writer,omitempty"`

	// currentOperation is the operation in progress. It is not set if no operation is in progress. It
	// is written before Helm is called, so that an interrupted operation can be detected after
	// a restart.
	// +optional
	CurrentOperation *Operation `json:"currentOperation,omitempty"`

	// preflight lists the problems that prevent the installation or the upgrade. The controller
	// checks problems again that can be solved without changing the spec.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Preflight []Problem `json:"preflight,omitempty"`

	// releases are the Helm releases of the app, in installation order.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Releases []Release `json:"releases,omitempty"`

	// entrances are the user-facing endpoints of the app, with the addresses at which users can
	// open them.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Entrances []Entrance `json:"entrances,omitempty"`

	// inventory lists the objects of the Helm releases.
	// +optional
	Inventory *Inventory `json:"inventory,omitempty"`

	// claims lists the first 100 PersistentVolumeClaims in the namespace of the instance that the
	// app requested in the last operation, including the claims of StatefulSets. After a rollback, the
	// storage of claims that the version before did not have is not set.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Claims []VolumeClaim `json:"claims,omitempty"`

	// history lists the last 10 operations, newest first. The entries of the installed revision
	// and of spec.pinnedRevision are always kept.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	History []HistoryEntry `json:"history,omitempty"`

	// completedTasks lists the last 30 completed tasks, newest first. A task that is re-created with
	// the same name and spec as one of them ends without being carried out again.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=30
	CompletedTasks []CompletedTask `json:"completedTasks,omitempty"`

	// stopped indicates whether the workloads have no Pods because spec.desiredState is
	// Stopped.
	// +optional
	Stopped bool `json:"stopped,omitempty"`

	// restartedAt is the last value of spec.restartRequestedAt that was carried out.
	// +optional
	RestartedAt *metav1.Time `json:"restartedAt,omitempty"`

	// drift lists the first 50 objects that differ from their Helm release. If spec.driftPolicy
	// is Correct, it lists the objects that were corrected last. It is not set if
	// spec.driftPolicy is Ignore.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Drift []DriftedObject `json:"drift,omitempty"`

	// outputs are the values that other AppInstances can use with valueFrom.outputRef.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Outputs []Output `json:"outputs,omitempty"`

	// adoptedValues refers to the Secret that contains the values of an adopted Helm release.
	// spec.valuesFrom overrides these values.
	// +optional
	AdoptedValues *LocalObjectReference `json:"adoptedValues,omitempty"`

	// retainedObjects lists the objects that were kept when a release was uninstalled or changed:
	// PersistentVolumeClaims, objects whose deletion would delete PersistentVolumeClaims, and
	// objects with the annotation helm.sh/resource-policy: keep. At most 100 objects are
	// listed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	RetainedObjects []ObjectReference `json:"retainedObjects,omitempty"`
}

// AppInstance is an installation of an app. When it is deleted, its Helm releases are
// uninstalled first; spec.dataPolicy specifies whether its PersistentVolumeClaims are retained.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ainst,categories=market
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 40",message="metadata.name must have at most 40 characters, because Helm releases are named after it"
// +kubebuilder:printcolumn:name="App",type=string,JSONPath=`.spec.appRef.name`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Update",type=string,JSONPath=`.status.availableUpdate`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Desired",type=string,JSONPath=`.spec.desiredState`,priority=1
// +kubebuilder:printcolumn:name="Objects",type=integer,JSONPath=`.status.inventory.total`,priority=1
// +kubebuilder:printcolumn:name="Suspended",type=boolean,JSONPath=`.spec.suspend`,priority=1
type AppInstance struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec defines the desired state of the AppInstance.
	// +required
	Spec AppInstanceSpec `json:"spec,omitzero"`

	// status reports the observed state of the AppInstance.
	// +optional
	// +default={"observedGeneration": -1}
	Status AppInstanceStatus `json:"status,omitzero"`
}

// AppInstanceList contains a list of AppInstances.
// +kubebuilder:object:root=true
type AppInstanceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the AppInstances.
	Items []AppInstance `json:"items"`
}
