package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// AppInstallTaskSpec defines the requested operation. The fields action, app, instanceName and
// cloneOf are immutable. The other fields can be changed until the task is admitted;
// afterwards, only cancel and ttlSecondsAfterFinished have an effect.
// +kubebuilder:validation:XValidation:rule="self.action == oldSelf.action",message="action is immutable; create another task"
// +kubebuilder:validation:XValidation:rule="self.app == oldSelf.app",message="app is immutable; create another task"
// +kubebuilder:validation:XValidation:rule="has(self.instanceName) == has(oldSelf.instanceName) && (!has(self.instanceName) || self.instanceName == oldSelf.instanceName)",message="instanceName is immutable; create another task"
// +kubebuilder:validation:XValidation:rule="self.action != 'Clone' || has(self.cloneOf)",message="cloneOf is required when action is Clone"
// +kubebuilder:validation:XValidation:rule="self.action != 'Clone' || has(self.instanceName) && (has(self.cloneNamespace) || !has(self.cloneOf) || self.cloneOf != self.instanceName)",message="instanceName is required when action is Clone, and must differ from cloneOf in the same namespace"
// +kubebuilder:validation:XValidation:rule="self.action == 'Clone' || !has(self.cloneOf) && !has(self.cloneNamespace)",message="cloneOf and cloneNamespace may only be set when action is Clone"
// +kubebuilder:validation:XValidation:rule="self.action in ['Install', 'Upgrade', 'Clone', 'Adopt'] || !has(self.version) && !has(self.values) && !has(self.valuesFrom) && !has(self.envs)",message="version, values, valuesFrom and envs may only be set when action is Install, Upgrade, Clone or Adopt"
// +kubebuilder:validation:XValidation:rule="self.action in ['Install', 'Upgrade', 'Clone', 'Adopt'] || !has(self.title) && !has(self.entrances) && !has(self.credentialRef) && !has(self.purchaseRequestRef)",message="title, entrances, credentialRef and purchaseRequestRef may only be set when action is Install, Upgrade, Clone or Adopt"
// +kubebuilder:validation:XValidation:rule="!has(self.allowDowngrade) || self.action == 'Upgrade'",message="allowDowngrade may only be set when action is Upgrade"
// +kubebuilder:validation:XValidation:rule="!has(self.all) || self.action == 'Uninstall'",message="all may only be set when action is Uninstall"
// +kubebuilder:validation:XValidation:rule="has(self.cloneOf) == has(oldSelf.cloneOf) && (!has(self.cloneOf) || self.cloneOf == oldSelf.cloneOf)",message="cloneOf is immutable; create another task"
// +kubebuilder:validation:XValidation:rule="!has(self.revision) || self.action == 'Rollback'",message="revision may only be set when action is Rollback"
// +kubebuilder:validation:XValidation:rule="!has(self.targetTask) || self.action == 'Cancel'",message="targetTask may only be set when action is Cancel"
// +kubebuilder:validation:XValidation:rule="self.action != 'Cancel' || !has(self.onUnmetRequirement) || self.onUnmetRequirement == 'Fail'",message="onUnmetRequirement may not be Wait when action is Cancel"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.cancel) || !oldSelf.cancel || (has(self.cancel) && self.cancel)",message="cancel is immutable once true; create another task"
type AppInstallTaskSpec struct {
	// action specifies the operation to perform.
	// +required
	Action Action `json:"action,omitempty"`

	// app refers to the app of the instance.
	// +required
	App AppReference `json:"app,omitzero"`

	// instanceName specifies the name of the AppInstance. It is required if action is Clone.
	// Defaults to spec.app.name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	InstanceName string `json:"instanceName,omitempty"`

	// version specifies a semantic version or a range of semantic versions; the latest
	// published version in the range is used. If not specified, a clone uses the version of the
	// cloned instance, an adoption the version of the Helm release, and any other action the
	// latest published stable version.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// allowDowngrade specifies whether an upgrade may install a version that is older than the
	// installed version. The older version must be specified in version. It can be set only if
	// action is Upgrade. Defaults to false.
	// +optional
	AllowDowngrade *bool `json:"allowDowngrade,omitempty"`

	// revision specifies the revision in status.history of the instance to roll back to. It can
	// be set only if action is Rollback. Defaults to the previous revision.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Revision int32 `json:"revision,omitempty"`

	// cloneOf specifies the name of the AppInstance to clone. The clone uses the version, the
	// values, the inputs and the service account of that instance unless the task specifies
	// them. It is required if action is Clone, and cannot be set otherwise.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	CloneOf string `json:"cloneOf,omitempty"`

	// cloneNamespace specifies the namespace of the AppInstance to clone. The service account
	// must have permission to get AppInstances in that namespace. Secrets and ConfigMaps to
	// which the AppInstance refers are read from the namespace of the clone. It can be set only
	// if action is Clone. Defaults to the namespace of the task.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	CloneNamespace string `json:"cloneNamespace,omitempty"`

	// targetTask specifies the name of the task to cancel. It can be set only if action is
	// Cancel. Defaults to the running task of the instance, or to the next queued task if no
	// task is running.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	TargetTask string `json:"targetTask,omitempty"`

	// title specifies the display name of the instance. It is required if action is Clone. If
	// not specified, an upgrade keeps the title of the instance, and an installation the title of
	// the removed instance with the same name.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// entrances specifies titles for the entrances of the app. If action is Clone, it must
	// contain a title for each visible entrance. If not specified, an upgrade keeps the titles
	// of the instance, and an installation the titles of the removed instance with the same
	// name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Entrances []EntranceTitle `json:"entrances,omitempty"`

	// credentialRef refers to the key of a Secret in the same namespace that contains the
	// credential for an app that must be purchased. If not specified, an upgrade uses the
	// credential of the instance, and an installation the credential of the removed instance with
	// the same name.
	// +optional
	CredentialRef *KeyReference `json:"credentialRef,omitempty"`

	// purchaseRequestRef refers to the key of a Secret in the same namespace that contains a
	// signed purchase request. If the Secret or the key in credentialRef does not exist, the
	// request is sent to the checkout of the developer, and the returned credential is stored
	// there with the permissions of the service account. If not specified, the checkout is not
	// contacted.
	// +optional
	PurchaseRequestRef *KeyReference `json:"purchaseRequestRef,omitempty"`

	// values specifies Helm values. They override the values of the chart and valuesFrom. If
	// not specified, an upgrade uses the values of the instance, a clone the values of the cloned
	// instance, and an installation the values of the removed instance with the same name.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Values *runtime.RawExtension `json:"values,omitempty"`

	// valuesFrom refers to Secrets and ConfigMaps with Helm values. They are merged in order,
	// so that later entries override earlier ones. If not specified, an upgrade uses the
	// references of the instance, a clone the references of the cloned instance, and an
	// installation the references of the removed instance with the same name.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	ValuesFrom []ValuesReference `json:"valuesFrom,omitempty"`

	// envs specifies inputs of the app. An upgrade adds them to the inputs of the instance, a
	// clone to the inputs of the cloned instance, and an installation to the inputs of the removed
	// instance with the same name. If not specified, no inputs are added.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Envs []EnvVar `json:"envs,omitempty"`

	// serviceAccountName specifies the service account in the same namespace that is used for
	// all Helm operations. Defaults to the service account of the instance, for a clone to the
	// service account of the cloned instance, and for any other installation to "default".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	ServiceAccountName string `json:"serviceAccountName,omitempty"`

	// dataPolicy specifies whether PersistentVolumeClaims are retained when the instance is
	// uninstalled. Defaults to the policy of the instance, for a clone to the policy of the
	// cloned instance, and for any other installation to Retain.
	// +optional
	DataPolicy DataPolicy `json:"dataPolicy,omitempty"`

	// all specifies whether an uninstallation also uninstalls other instances: first the
	// instances that depend on this instance, and afterwards the shared charts of the app if no
	// other instance uses them. If false, the uninstallation is rejected while dependent
	// instances exist, and shared charts are kept. It can be set only if action is Uninstall.
	// Defaults to false.
	// +optional
	All *bool `json:"all,omitempty"`

	// dependencies specifies how the task handles apps that its app requires and that are not
	// running: Wait or Install. Defaults to Wait.
	// +optional
	// +default="Wait"
	Dependencies DependencyPolicy `json:"dependencies,omitempty"`

	// onFailure specifies what happens to the changes of the task if it fails: Keep, Rollback
	// or Remove. Defaults to Keep.
	// +optional
	// +default="Keep"
	OnFailure FailurePolicy `json:"onFailure,omitempty"`

	// onMissingInput specifies how the task handles inputs that are missing or invalid: Wait or
	// Fail. Defaults to Wait.
	// +optional
	// +default="Wait"
	OnMissingInput MissingInputPolicy `json:"onMissingInput,omitempty"`

	// onUnmetRequirement specifies how the task handles requirements that are not met and that
	// may be met later, such as permissions, free resources, or the removal of a conflicting
	// app: Fail or Wait. A task that waits is bounded by deadline. Missing inputs and
	// dependencies are handled as onMissingInput and dependencies specify. It can be set to Wait
	// only if action is not Cancel. Defaults to Fail.
	// +optional
	// +default="Fail"
	OnUnmetRequirement UnmetRequirementPolicy `json:"onUnmetRequirement,omitempty"`

	// timeout specifies the time limit of the operation, including its hooks. After the
	// operation, the same limit applies to the objects becoming ready. Must be from 1s to 24h.
	// Defaults to 10m.
	// +optional
	// +default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="timeout must be between 1s and 24h"
	Timeout Duration `json:"timeout,omitempty"`

	// deadline specifies the time after creation within which the task must be admitted. A task
	// that is still waiting then, for another task, an app or an input, fails with reason
	// DeadlineExceeded. Must be at least 1s. If not specified, the task waits indefinitely.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="deadline must be at least 1s"
	Deadline Duration `json:"deadline,omitempty"`

	// cancel specifies whether to cancel the task. Changes that the task has made are reverted:
	// a new installation is uninstalled, and any other instance returns to its previous
	// revision or state. An Adopt or Uninstall task cannot be canceled after it was admitted.
	// Once set to true, this field is immutable. Defaults to false.
	// +optional
	Cancel *bool `json:"cancel,omitempty"`

	// runID specifies an arbitrary value that distinguishes requests. A task that is re-created
	// with the same name and spec as a completed task runs again only if this value differs. If
	// not specified, such a task does not run again.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	RunID string `json:"runID,omitempty"`

	// suspend specifies whether the admission of the task is suspended. It has no effect after
	// the task was admitted. Defaults to false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// ttlSecondsAfterFinished specifies the time in seconds after which a completed task is
	// deleted. Must be from 60 to 31536000. It has no effect on a task that is tracked by Argo
	// CD or Flux, because they would re-create it. If not specified, the task is not deleted.
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=31536000
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`
}

// AppInstallTask requests one operation on an AppInstance. The controller validates the
// request, updates the AppInstance, waits for it to become ready, and records the result. Like
// a Job, a task runs to completion.
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
// +kubebuilder:printcolumn:name="Unmet",type=string,JSONPath=`.spec.onUnmetRequirement`,priority=1
type AppInstallTask struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec defines the requested operation.
	// +required
	Spec AppInstallTaskSpec `json:"spec,omitzero"`

	// status reports the progress and the result of the operation.
	// +optional
	// +default={"observedGeneration": -1}
	Status AppInstallTaskStatus `json:"status,omitzero"`
}

// Instance returns the name of the AppInstance that the task acts on.
func (o *AppInstallTask) Instance() string {
	if o.Spec.InstanceName != "" {
		return o.Spec.InstanceName
	}
	return o.Spec.App.Name
}

// Finished reports whether the task has succeeded or failed.
func (o *AppInstallTask) Finished() bool { return o.Status.CompletionTime != nil }

// AppInstallTaskList contains a list of AppInstallTasks.
// +kubebuilder:object:root=true
type AppInstallTaskList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the AppInstallTasks.
	Items []AppInstallTask `json:"items"`
}
