package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AppInstallTaskStatus defines the observed state of an AppInstallTask.
type AppInstallTaskStatus struct {
	// conditions represent the current state of the task. Succeeded summarizes it. Admitted,
	// Resolved, Applied and Healthy report, in this order, the progress of the operation.
	// Reconciling and Stalled exist only while they are True.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that the status reflects.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// startTime is the time at which the task was admitted.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// completionTime is the time at which the task succeeded or failed.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// queuePosition is the number of tasks of the same instance that run before this task.
	// +optional
	QueuePosition int32 `json:"queuePosition,omitempty"`

	// instanceName is the name of the AppInstance that the task acts on. It is set for every
	// task, also if the task is not admitted.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	InstanceName string `json:"instanceName,omitempty"`

	// instanceRef refers to the AppInstance that the task created or updated.
	// +optional
	InstanceRef *InstanceReference `json:"instanceRef,omitempty"`

	// version is the version that the task selected. After the task has succeeded, it is the
	// installed version.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// revision is the revision in status.history of the instance that the task rolls back to.
	// After the task has succeeded, it is the installed revision.
	// +optional
	Revision int32 `json:"revision,omitempty"`

	// subtasks are the tasks that this task has created, in order: for apps that its app requires,
	// or for instances that depend on its instance.
	// +optional
	// +listType=map
	// +listMapKey=task
	// +kubebuilder:validation:MaxItems=50
	Subtasks []Subtask `json:"subtasks,omitempty"`

	// purchaseAttempts is the number of requests that were sent to the checkout of the
	// developer.
	// +optional
	PurchaseAttempts int32 `json:"purchaseAttempts,omitempty"`

	// targetTask is the name of the task that a task with action Cancel cancels.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	TargetTask string `json:"targetTask,omitempty"`

	// canceledBy refers to the task with action Cancel that canceled this task. If that task
	// is re-created with the same spec, it does not cancel another task.
	// +optional
	CanceledBy *TaskReference `json:"canceledBy,omitempty"`

	// reverting describes why the task is reverting its changes. Its reason is Canceled or the
	// reason of the failure. It is not set if the task does not revert its changes.
	// +optional
	Reverting *Problem `json:"reverting,omitempty"`

	// revertStartTime is the time at which the task started to revert its changes.
	// +optional
	RevertStartTime *metav1.Time `json:"revertStartTime,omitempty"`

	// outputs are the outputs of the instance at the time at which the task succeeded.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Outputs []Output `json:"outputs,omitempty"`

	// requiredInputs are all inputs that are missing or invalid, including titles and
	// credentials. Inputs of the app are specified in the member of the action, such as
	// spec.install.inputs.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	RequiredInputs []Input `json:"requiredInputs,omitempty"`

	// preflight lists the problems that prevent the admission of the task.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Preflight []Problem `json:"preflight,omitempty"`

	// plan describes the changes that the operation would make. It is set only if spec.dryRun is
	// true and no problem prevents the operation, apart from missing passwords, for which
	// placeholders are assumed.
	// +optional
	Plan *Plan `json:"plan,omitempty"`
}

// InstanceReference refers to an AppInstance in the same namespace.
type InstanceReference struct {
	// name is the name of the AppInstance.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// uid is the UID of the AppInstance.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid,omitempty"`

	// generation is the generation of the spec that the task wrote.
	// +optional
	Generation int64 `json:"generation,omitempty"`
}

// Problem describes why an operation cannot start, or why a task reverts its changes.
type Problem struct {
	// reason is the machine-readable reason of the problem. It is one of the condition reasons,
	// such as the reasons of Admitted for a task and of Resolved for an instance.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`

	// message describes the problem and how to solve it.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// remedy is a YAML manifest that solves the problem when it is applied, such as the missing
	// roles. It is empty if no manifest solves the problem.
	// +optional
	// +kubebuilder:validation:MaxLength=16384
	Remedy string `json:"remedy,omitempty"`
}

// Subtask is a task that another task has created.
type Subtask struct {
	// task is the name of the created task.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Task string `json:"task,omitempty"`

	// namespace is the namespace of the created task and of its instance. If not set, it is the
	// namespace of the creating task.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// instance is the name of the AppInstance that the created task acts on.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Instance string `json:"instance,omitempty"`

	// action is the operation that the created task requests.
	// +required
	Action Action `json:"action,omitempty"`
}

// TaskReference refers to an AppInstallTask in the same namespace that made a specific request.
type TaskReference struct {
	// name is the name of the task.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// hash is the hash of the request of the task.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=71
	Hash string `json:"hash,omitempty"`
}
