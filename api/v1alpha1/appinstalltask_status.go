package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AppInstallTaskStatus is how far a task is, and how it ended.
type AppInstallTaskStatus struct {
	// conditions are Succeeded and, in order, Admitted, Resolved, Applied and
	// Healthy; Reconciling and Stalled while they are true.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// startTime is when the task was admitted.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// completionTime is when it ended, well or not.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// queuePosition is how many tasks of the same instance come first.
	// +optional
	QueuePosition int32 `json:"queuePosition,omitempty"`

	// instanceName is the name of the AppInstance that the task acts on. It is set from the beginning,
	// whatever becomes of the task.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	InstanceName string `json:"instanceName,omitempty"`

	// instanceRef names the AppInstance that the task wrote.
	// +optional
	InstanceRef *InstanceReference `json:"instanceRef,omitempty"`

	// version is the one that the task chose.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// revision is that of the instance's status.history which the task made, or
	// rolls back to.
	// +optional
	Revision int32 `json:"revision,omitempty"`

	// steps are the tasks that this one has made for apps that its app needs, or
	// for those that need it, in order.
	// +optional
	// +listType=map
	// +listMapKey=task
	// +kubebuilder:validation:MaxItems=50
	Steps []Step `json:"steps,omitempty"`

	// purchaseAttempts counts how often the developer's checkout was asked.
	// +optional
	PurchaseAttempts int32 `json:"purchaseAttempts,omitempty"`

	// targetTask is the task that a Cancel is about.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	TargetTask string `json:"targetTask,omitempty"`

	// cancelledBy is the Cancel that ended the task. Deleted and applied again, it
	// finds here that it was carried out.
	// +optional
	CancelledBy *TaskReference `json:"cancelledBy,omitempty"`

	// undoing says why the task takes back what it did: Cancelled, or the reason
	// of the failure.
	// +optional
	Undoing *Problem `json:"undoing,omitempty"`

	// undoingSince is when that began.
	// +optional
	UndoingSince *metav1.Time `json:"undoingSince,omitempty"`

	// outputs are those of the instance when the task ended.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Outputs []Output `json:"outputs,omitempty"`

	// requiredInputs are all inputs that are missing or do not fit. Give them in
	// spec.envs.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	RequiredInputs []Input `json:"requiredInputs,omitempty"`

	// preflight are the problems that keep the task from being admitted.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Preflight []Problem `json:"preflight,omitempty"`
}

// InstanceReference names an AppInstance of the same namespace.
type InstanceReference struct {
	// name is its name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// uid is its unique identity.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid,omitempty"`

	// generation is that of the spec that the task wrote.
	// +optional
	Generation int64 `json:"generation,omitempty"`
}

// Problem is something that keeps an operation from being begun.
type Problem struct {
	// reason is one of those of the condition Admitted of a task or Resolved of an
	// instance, or of Reconciling where it is waited for.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`

	// message says what is wrong and how to correct it.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// remedy is YAML to apply that corrects it, if there is any, such as the roles that
	// are missing.
	// +optional
	// +kubebuilder:validation:MaxLength=16384
	Remedy string `json:"remedy,omitempty"`
}

// Step is a task that another one has made.
type Step struct {
	// task is its name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Task string `json:"task,omitempty"`

	// namespace is where it is, and its instance, if that is not the namespace of
	// the task.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// instance is the one that it acts on.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Instance string `json:"instance,omitempty"`

	// action is what it does.
	// +required
	Action Action `json:"action,omitempty"`
}

// TaskReference names an AppInstallTask of the same namespace, and what it
// requested.
type TaskReference struct {
	// name is its name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// hash is over what it requested.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=71
	Hash string `json:"hash,omitempty"`
}
