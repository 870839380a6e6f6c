package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// DesiredState says what an instance should be.
// +kubebuilder:validation:Enum=Running;Stopped;Absent
type DesiredState string

const (
	// StateRunning means that the releases are there.
	StateRunning DesiredState = "Running"
	// StateStopped means that the releases are there, and their workloads have no
	// pods. Nothing else is done to the releases meanwhile.
	StateStopped DesiredState = "Stopped"
	// StateAbsent means that the releases are removed; the instance stays as the
	// record of what was, and of the volumes that were kept.
	StateAbsent DesiredState = "Absent"
)

// DriftPolicy says what to do about objects that somebody has changed.
// +kubebuilder:validation:Enum=Correct;Warn;Ignore
type DriftPolicy string

const (
	// DriftCorrect brings them back to what Helm made of them.
	DriftCorrect DriftPolicy = "Correct"
	// DriftWarn lists them in status.drift and sets the condition Drifted.
	DriftWarn DriftPolicy = "Warn"
	// DriftIgnore does not look.
	DriftIgnore DriftPolicy = "Ignore"
)

// AppInstanceSpec says which app runs, and how.
// +kubebuilder:validation:XValidation:rule="self.appRef.source == oldSelf.appRef.source && self.appRef.name == oldSelf.appRef.name",message="appRef.source and appRef.name cannot be changed; create another instance"
// +kubebuilder:validation:XValidation:rule="has(self.appRef.__namespace__) == has(oldSelf.appRef.__namespace__) && (!has(self.appRef.__namespace__) || self.appRef.__namespace__ == oldSelf.appRef.__namespace__)",message="appRef.namespace cannot be changed; create another instance"
type AppInstanceSpec struct {
	// appRef names the app.
	// +required
	AppRef AppReference `json:"appRef,omitzero"`

	// version is a range of semantic versions; the newest published version in it
	// runs, and a newer one is taken when it appears. An exact version pins it.
	// Unset means that the newest stable version is installed and then kept.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// revision pins the instance to an entry of status.history: what was installed
	// then is brought back, chart and values, from Helm's own record. While it is
	// set, version, values, valuesFrom and envs have no effect. Unset means that
	// they do.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Revision int32 `json:"revision,omitempty"`

	// cloneOf is the instance of this namespace that this one was copied from.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	CloneOf string `json:"cloneOf,omitempty"`

	// adopt takes over the Helm release of the name of the instance, which
	// somebody else has made, as it is and once. Unset means that such a release
	// is in the way.
	// +optional
	Adopt *bool `json:"adopt,omitempty"`

	// title is what people call this instance.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// entrances give the ways into the app titles of their own.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Entrances []EntranceTitle `json:"entrances,omitempty"`

	// credentialRef is the key of a Secret of this namespace that holds the
	// credential of an app that must be bought.
	// +optional
	CredentialRef *KeyReference `json:"credentialRef,omitempty"`

	// values are merged over those of the chart, the platform and valuesFrom.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Values *runtime.RawExtension `json:"values,omitempty"`

	// valuesFrom are merged in order, each over the one before, below values.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	ValuesFrom []ValuesReference `json:"valuesFrom,omitempty"`

	// envs are the inputs of the app. They count more than values.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Envs []EnvVar `json:"envs,omitempty"`

	// desiredState is Running, Stopped or Absent.
	// +optional
	// +default="Running"
	DesiredState DesiredState `json:"desiredState,omitempty"`

	// serviceAccountName is the account of this namespace that Helm acts as; it
	// needs the permissions that the app's objects ask for. Unset means "default".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	ServiceAccountName string `json:"serviceAccountName,omitempty"`

	// dataPolicy says what becomes of volume claims when the instance is removed.
	// +optional
	// +default="Retain"
	DataPolicy DataPolicy `json:"dataPolicy,omitempty"`

	// driftPolicy says what to do about objects that somebody has changed.
	// +optional
	// +default="Ignore"
	DriftPolicy DriftPolicy `json:"driftPolicy,omitempty"`

	// timeout bounds one operation: hooks, and the time until every object is
	// ready.
	// +optional
	// +default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="timeout must be from 1s to 24h"
	Timeout Duration `json:"timeout,omitempty"`

	// history is how many revisions of each release Helm keeps.
	// +optional
	// +default=5
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=20
	History int32 `json:"history,omitempty"`
}

// AppInstanceStatus is what runs.
type AppInstanceStatus struct {
	// conditions are, in order, Resolved, Applied, Healthy and Ready; Reconciling,
	// Stalled and Drifted while they are true.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// lastHandledReconcileAt is the last value of the annotation
	// appmarket.io/reconcile-requested-at that was carried out.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// revision counts the operations that changed what is installed; it is that of
	// the entry of history that runs now.
	// +optional
	Revision int32 `json:"revision,omitempty"`

	// version is the one installed.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// chartDigest is that of the published chart that is installed.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ChartDigest string `json:"chartDigest,omitempty"`

	// valuesDigest is over the values that are installed.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ValuesDigest string `json:"valuesDigest,omitempty"`

	// availableUpdate is a newer published version that spec.version does not
	// take by itself.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	AvailableUpdate string `json:"availableUpdate,omitempty"`

	// writer is the AppInstallTask that wrote the spec last. It is not set if no task did.
	// +optional
	Writer *SpecWriter `json:"writer,omitempty"`

	// operation is the one going on, unset when there is none. It is written
	// before Helm is called, so that a restart knows what was interrupted.
	// +optional
	Operation *Operation `json:"operation,omitempty"`

	// preflight lists what keeps the install or upgrade that the spec asks for from being
	// begun. What time may solve is waited for.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Preflight []Problem `json:"preflight,omitempty"`

	// releases are the Helm releases of the app, in the order of installation.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Releases []Release `json:"releases,omitempty"`

	// entrances are the ways into the app.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Entrances []Entrance `json:"entrances,omitempty"`

	// inventory lists the objects of the releases.
	// +optional
	Inventory *Inventory `json:"inventory,omitempty"`

	// history are the last 10 operations, newest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	History []HistoryEntry `json:"history,omitempty"`

	// ledger are the last 30 tasks that were carried out, newest first. A task that
	// is applied again with the same spec finds itself here and ends at once.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=30
	Ledger []LedgerEntry `json:"ledger,omitempty"`

	// stopped says that the workloads have no pods, because desiredState asks for
	// it.
	// +optional
	Stopped bool `json:"stopped,omitempty"`

	// drift are the first 50 objects that differ from what Helm made of them,
	// where spec.driftPolicy is Warn or Correct.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Drift []DriftedObject `json:"drift,omitempty"`

	// outputs are what other apps can use of this one, by valueFrom.outputRef.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Outputs []Output `json:"outputs,omitempty"`

	// adoptedValues is the Secret that holds the values of a release that was
	// adopted. They are merged below spec.valuesFrom.
	// +optional
	AdoptedValues *LocalObjectReference `json:"adoptedValues,omitempty"`

	// retained lists the objects that were kept when a release was removed or went
	// without them: volume claims, what would have taken volume claims with it, and
	// objects that the chart marks with helm.sh/resource-policy: keep.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Retained []ObjectReference `json:"retained,omitempty"`
}

// AppInstance is one installation of an app. Deleting it removes its Helm releases
// first; spec.dataPolicy decides on its volume claims.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ainst,categories=market
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 40",message="metadata.name must have at most 40 characters, since Helm releases are named after it"
// +kubebuilder:printcolumn:name="App",type=string,JSONPath=`.spec.appRef.name`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Update",type=string,JSONPath=`.status.availableUpdate`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Desired",type=string,JSONPath=`.spec.desiredState`,priority=1
// +kubebuilder:printcolumn:name="Objects",type=integer,JSONPath=`.status.inventory.total`,priority=1
type AppInstance struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says which app runs.
	// +required
	Spec AppInstanceSpec `json:"spec,omitzero"`

	// status is what runs.
	// +optional
	// +default={"observedGeneration": -1}
	Status AppInstanceStatus `json:"status,omitzero"`
}

// AppInstanceList is a list of instances.
// +kubebuilder:object:root=true
type AppInstanceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the instances.
	Items []AppInstance `json:"items"`
}
