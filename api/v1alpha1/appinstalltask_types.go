package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AppInstallTaskSpec defines the requested operation. The fields action, appRef, instanceName,
// clone.from and dryRun are immutable. The other fields can be changed until the task is admitted;
// afterwards, only cancel and ttlSecondsAfterFinished have an effect.
// +kubebuilder:validation:XValidation:rule="self.action == oldSelf.action",message="action is immutable; create another task"
// +kubebuilder:validation:XValidation:rule="self.appRef == oldSelf.appRef",message="appRef is immutable; create another task"
// +kubebuilder:validation:XValidation:rule="has(self.instanceName) == has(oldSelf.instanceName) && (!has(self.instanceName) || self.instanceName == oldSelf.instanceName)",message="instanceName is immutable; create another task"
// +kubebuilder:validation:XValidation:rule="self.action == 'Install' || !has(self.install)",message="install may only be set when action is Install"
// +kubebuilder:validation:XValidation:rule="self.action == 'Upgrade' || !has(self.upgrade)",message="upgrade may only be set when action is Upgrade"
// +kubebuilder:validation:XValidation:rule="self.action == 'Configure' || !has(self.configure)",message="configure may only be set when action is Configure"
// +kubebuilder:validation:XValidation:rule="self.action == 'Rollback' || !has(self.rollback)",message="rollback may only be set when action is Rollback"
// +kubebuilder:validation:XValidation:rule="self.action == 'Clone' || !has(self.clone)",message="clone may only be set when action is Clone"
// +kubebuilder:validation:XValidation:rule="self.action == 'Adopt' || !has(self.adopt)",message="adopt may only be set when action is Adopt"
// +kubebuilder:validation:XValidation:rule="self.action == 'Uninstall' || !has(self.uninstall)",message="uninstall may only be set when action is Uninstall"
// +kubebuilder:validation:XValidation:rule="self.action == 'Cancel' || !has(self.cancelTask)",message="cancelTask may only be set when action is Cancel"
// +kubebuilder:validation:XValidation:rule="self.action != 'Clone' || has(self.clone)",message="clone is required when action is Clone"
// +kubebuilder:validation:XValidation:rule="self.action != 'Clone' || has(self.instanceName)",message="instanceName is required when action is Clone"
// +kubebuilder:validation:XValidation:rule="!has(self.clone) || !has(self.instanceName) || has(self.clone.from.__namespace__) || self.clone.from.name != self.instanceName",message="instanceName must not be the name of the cloned instance"
// +kubebuilder:validation:XValidation:rule="has(self.clone) == has(oldSelf.clone) && (!has(self.clone) || self.clone.from == oldSelf.clone.from)",message="clone.from is immutable; create another task"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.cancel) || !oldSelf.cancel || (has(self.cancel) && self.cancel)",message="cancel is immutable once true; create another task"
// +kubebuilder:validation:XValidation:rule="self.action != 'Cancel' || !has(self.onUnmetRequirement) || self.onUnmetRequirement == 'Fail'",message="onUnmetRequirement may not be Wait when action is Cancel"
// +kubebuilder:validation:XValidation:rule="self.action != 'Cancel' || !has(self.dryRun) || !self.dryRun",message="dryRun may not be true when action is Cancel"
// +kubebuilder:validation:XValidation:rule="(has(self.dryRun) && self.dryRun) == (has(oldSelf.dryRun) && oldSelf.dryRun)",message="dryRun is immutable; create another task"
type AppInstallTaskSpec struct {
	// action specifies the operation to perform.
	// +required
	Action Action `json:"action,omitempty"`

	// appRef refers to the app of the instance.
	// +required
	AppRef AppReference `json:"appRef,omitzero"`

	// instanceName specifies the name of the AppInstance. It is required if action is Clone, and
	// immutable. Defaults to spec.appRef.name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	InstanceName string `json:"instanceName,omitempty"`

	// install specifies the version and the configuration to install. It can be set only if
	// action is Install. If not specified, the latest published stable version is installed.
	// +optional
	Install *AppParameters `json:"install,omitempty"`

	// upgrade specifies the version and the configuration to upgrade to. It can be set only if
	// action is Upgrade. If not specified, the latest published stable version is installed.
	// +optional
	Upgrade *UpgradeParameters `json:"upgrade,omitempty"`

	// configure specifies the configuration to apply to the installed version. It can be set
	// only if action is Configure. If not specified, the present configuration is applied again.
	// +optional
	Configure *AppConfiguration `json:"configure,omitempty"`

	// rollback specifies the revision to roll back to. It can be set only if action is Rollback.
	// If not specified, the instance is rolled back to the previous revision.
	// +optional
	Rollback *RollbackParameters `json:"rollback,omitempty"`

	// clone specifies the AppInstance to clone, and the version and the configuration of the
	// clone. It is required if action is Clone, and cannot be set otherwise.
	// +optional
	Clone *CloneParameters `json:"clone,omitempty"`

	// adopt specifies the version and the configuration of the adopted Helm release. It can be
	// set only if action is Adopt. If not specified, the version and the values of the
	// Helm release are used.
	// +optional
	Adopt *AppParameters `json:"adopt,omitempty"`

	// uninstall specifies how dependent instances, shared charts and volumes are handled. It can
	// be set only if action is Uninstall. If not specified, only the instance is uninstalled.
	// +optional
	Uninstall *UninstallParameters `json:"uninstall,omitempty"`

	// cancelTask specifies the task to cancel. It can be set only if action is Cancel. If not
	// specified, the running task of the instance is canceled, or the next queued task if no
	// task is running.
	// +optional
	CancelTask *CancelParameters `json:"cancelTask,omitempty"`

	// serviceAccountName specifies the service account in the same namespace that is used for
	// all Helm operations. Defaults to the service account of the instance, for a clone to the
	// service account of the cloned instance, and for any other installation to "default".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	ServiceAccountName string `json:"serviceAccountName,omitempty"`

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
	// app: Fail or Wait. startDeadline limits the wait. Missing inputs and
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

	// startDeadline specifies the time after creation within which the task must be admitted. A task
	// that is still waiting then, for another task, an app or an input, fails with reason
	// DeadlineExceeded. Must be at least 1s. If not specified, the task waits indefinitely.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="startDeadline must be at least 1s"
	StartDeadline Duration `json:"startDeadline,omitempty"`

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

	// dryRun specifies whether the task only checks the operation and reports its changes in
	// status.plan. Such a task changes nothing else and waits for nothing: it fails with the
	// reason for which it would wait. It can be set to true only if action is not Cancel. This
	// field is immutable. Defaults to false.
	// +optional
	DryRun *bool `json:"dryRun,omitempty"`

	// ttlSecondsAfterFinished specifies the time in seconds after which a completed task is
	// deleted. Must be from 60 to 31536000. It has no effect on a task that is tracked by Argo
	// CD or Flux, because they would re-create it. If not specified, a task with dryRun is
	// deleted after 300 seconds, and any other task is not deleted.
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
// +kubebuilder:printcolumn:name="App",type=string,JSONPath=`.spec.appRef.name`
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

// IsDryRun reports whether the task only reports the changes of the operation.
func (o *AppInstallTask) IsDryRun() bool { return o.Spec.DryRun != nil && *o.Spec.DryRun }

// Instance returns the name of the AppInstance that the task acts on.
func (o *AppInstallTask) Instance() string {
	if o.Spec.InstanceName != "" {
		return o.Spec.InstanceName
	}
	return o.Spec.AppRef.Name
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
