package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// AppInstallTaskSpec defines one request about an instance. What it requests cannot be
// changed; the parameters can be, as long as the task has not been admitted.
// +kubebuilder:validation:XValidation:rule="self.action == oldSelf.action",message="action cannot be changed; create another task"
// +kubebuilder:validation:XValidation:rule="self.app == oldSelf.app",message="app cannot be changed; create another task"
// +kubebuilder:validation:XValidation:rule="has(self.instanceName) == has(oldSelf.instanceName) && (!has(self.instanceName) || self.instanceName == oldSelf.instanceName)",message="instanceName cannot be changed; create another task"
// +kubebuilder:validation:XValidation:rule="self.action != 'Clone' || has(self.cloneOf)",message="action Clone needs cloneOf"
// +kubebuilder:validation:XValidation:rule="self.action != 'Clone' || has(self.instanceName) && (has(self.cloneNamespace) || !has(self.cloneOf) || self.cloneOf != self.instanceName)",message="action Clone needs instanceName, and not that of the origin"
// +kubebuilder:validation:XValidation:rule="self.action == 'Clone' || !has(self.cloneOf) && !has(self.cloneNamespace)",message="cloneOf and cloneNamespace may only be set if action is Clone"
// +kubebuilder:validation:XValidation:rule="self.action in ['Install', 'Upgrade', 'Clone', 'Adopt'] || !has(self.version) && !has(self.values) && !has(self.valuesFrom) && !has(self.envs)",message="version, values, valuesFrom and envs may only be set if action is Install, Upgrade, Clone or Adopt"
// +kubebuilder:validation:XValidation:rule="self.action in ['Install', 'Upgrade', 'Clone', 'Adopt'] || !has(self.title) && !has(self.entrances) && !has(self.credentialRef) && !has(self.purchaseRequestRef)",message="title, entrances, credentialRef and purchaseRequestRef may only be set if action is Install, Upgrade, Clone or Adopt"
// +kubebuilder:validation:XValidation:rule="!has(self.allowDowngrade) || self.action == 'Upgrade'",message="allowDowngrade may only be set if action is Upgrade"
// +kubebuilder:validation:XValidation:rule="!has(self.all) || self.action == 'Uninstall'",message="all may only be set if action is Uninstall"
// +kubebuilder:validation:XValidation:rule="has(self.cloneOf) == has(oldSelf.cloneOf) && (!has(self.cloneOf) || self.cloneOf == oldSelf.cloneOf)",message="cloneOf cannot be changed; create another task"
// +kubebuilder:validation:XValidation:rule="!has(self.revision) || self.action == 'Rollback'",message="revision may only be set if action is Rollback"
// +kubebuilder:validation:XValidation:rule="!has(self.targetTask) || self.action == 'Cancel'",message="targetTask may only be set if action is Cancel"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.cancel) || !oldSelf.cancel || (has(self.cancel) && self.cancel)",message="cancel cannot be taken back; create another task"
type AppInstallTaskSpec struct {
	// action is the operation that the task requests.
	// +required
	Action Action `json:"action,omitempty"`

	// app names the app.
	// +required
	App AppReference `json:"app,omitzero"`

	// instanceName is the AppInstance to act on. Unset means the name of the app.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	InstanceName string `json:"instanceName,omitempty"`

	// version is a range of semantic versions, or an exact one. Unset means the
	// newest stable version that is published.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// allowDowngrade lets an upgrade go to an older version that spec.version
	// names. Unset means false.
	// +optional
	AllowDowngrade *bool `json:"allowDowngrade,omitempty"`

	// revision is the entry of the instance's status.history to roll back to.
	// Unset means the one before the present.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Revision int32 `json:"revision,omitempty"`

	// cloneOf is the instance that a clone copies. Values, inputs and account are
	// those of that instance where the task gives none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	CloneOf string `json:"cloneOf,omitempty"`

	// cloneNamespace is that of the instance that a clone copies, which the service
	// account must be allowed to get. Unset means the namespace of the task. What
	// the origin reads from Secrets and ConfigMaps is read in the clone's own
	// namespace.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	CloneNamespace string `json:"cloneNamespace,omitempty"`

	// targetTask is the task of the instance to cancel. Unset means the one at
	// work, or else the next in turn.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	TargetTask string `json:"targetTask,omitempty"`

	// title is what people call the instance. A clone needs one.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// entrances give the ways into the app titles of their own. A clone needs one
	// for each entrance that people see.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Entrances []EntranceTitle `json:"entrances,omitempty"`

	// credentialRef is the key of a Secret of this namespace that holds the
	// credential of an app that must be bought.
	// +optional
	CredentialRef *KeyReference `json:"credentialRef,omitempty"`

	// purchaseRequestRef is the key of a Secret of this namespace that holds the
	// signed request by which the developer's checkout finds the purchase. It is
	// used where credentialRef has no credential yet; the one that the checkout
	// gives is stored there, as the tenant's service account.
	// +optional
	PurchaseRequestRef *KeyReference `json:"purchaseRequestRef,omitempty"`

	// values are merged over those of the chart. For an upgrade, unset means that
	// the values of the instance are kept.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Values *runtime.RawExtension `json:"values,omitempty"`

	// valuesFrom are merged in order below values. For an upgrade, unset means
	// that those of the instance are kept.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	ValuesFrom []ValuesReference `json:"valuesFrom,omitempty"`

	// envs are the inputs of the app. For an upgrade they are added to those of
	// the instance.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Envs []EnvVar `json:"envs,omitempty"`

	// serviceAccountName is the account of this namespace that Helm acts as. Unset
	// means that of the instance, or "default".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	ServiceAccountName string `json:"serviceAccountName,omitempty"`

	// dataPolicy says what becomes of volume claims when the instance is removed.
	// Unset means that of the instance, or Retain.
	// +optional
	DataPolicy DataPolicy `json:"dataPolicy,omitempty"`

	// all lets an uninstall remove the instances that depend on this one first, and
	// after it the parts of its app that serve the whole cluster, if nobody else uses
	// them. Unset means that it is refused while there are instances that depend on
	// it, and that what serves the cluster stays.
	// +optional
	All *bool `json:"all,omitempty"`

	// dependencies says what to do about apps that this one needs and that do not
	// run: Wait or Install.
	// +optional
	// +default="Wait"
	Dependencies DependencyPolicy `json:"dependencies,omitempty"`

	// onFailure says what is left behind when the work fails.
	// +optional
	// +default="Keep"
	OnFailure FailurePolicy `json:"onFailure,omitempty"`

	// onMissingInput says what to do about inputs that are missing: Wait or Fail.
	// +optional
	// +default="Wait"
	OnMissingInput MissingInputPolicy `json:"onMissingInput,omitempty"`

	// timeout bounds the operation: hooks, and the time until every object is
	// ready.
	// +optional
	// +default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="timeout must be from 1s to 24h"
	Timeout Duration `json:"timeout,omitempty"`

	// deadline bounds the time from creation until the task is admitted. A task
	// that waits longer, for its turn, an app or an input, fails. Unset means that
	// it may wait without end.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="deadline must be at least 1s"
	Deadline Duration `json:"deadline,omitempty"`

	// cancel ends the task, whatever it is at: nothing new is left behind, or the
	// version before. It cannot be taken back. Unset means false.
	// +optional
	Cancel *bool `json:"cancel,omitempty"`

	// runID makes a task that is applied again, under the name and with the spec
	// of one that was carried out, run again: give it another value.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	RunID string `json:"runID,omitempty"`

	// suspend holds the task back before it is admitted. Unset means false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// ttlSecondsAfterFinished removes the task that long after its end, at least 60
	// seconds. Unset means that it stays. It has no effect on a task that Argo CD
	// or Flux keeps, since they would create it again.
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=31536000
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`
}

// AppInstallTask is one request about an app: it checks, writes the AppInstance,
// follows it to the end and keeps the result, as a Job does.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=atask,categories=market
// +kubebuilder:printcolumn:name="Action",type=string,JSONPath=`.spec.action`
// +kubebuilder:printcolumn:name="App",type=string,JSONPath=`.spec.app.name`
// +kubebuilder:printcolumn:name="Instance",type=string,JSONPath=`.status.instanceName`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Succeeded",type=string,JSONPath=`.status.conditions[?(@.type=="Succeeded")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Succeeded")].message`
// +kubebuilder:printcolumn:name="Queue",type=integer,JSONPath=`.status.queuePosition`,priority=1
type AppInstallTask struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the request.
	// +required
	Spec AppInstallTaskSpec `json:"spec,omitzero"`

	// status is how far it is.
	// +optional
	// +default={"observedGeneration": -1}
	Status AppInstallTaskStatus `json:"status,omitzero"`
}

// Instance is the name of the AppInstance that the task acts on.
func (o *AppInstallTask) Instance() string {
	if o.Spec.InstanceName != "" {
		return o.Spec.InstanceName
	}
	return o.Spec.App.Name
}

// Finished reports whether the task has ended, well or not.
func (o *AppInstallTask) Finished() bool { return o.Status.CompletionTime != nil }

// AppInstallTaskList is a list of tasks.
// +kubebuilder:object:root=true
type AppInstallTaskList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the tasks.
	Items []AppInstallTask `json:"items"`
}
