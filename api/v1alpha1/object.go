package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Object is implemented by all kinds of this package. It allows one status writer to serve all
// of them.
// +kubebuilder:object:generate=false
type Object interface {
	metav1.Object
	runtime.Object
	// GetConditions returns the conditions of the status.
	GetConditions() []metav1.Condition
	// SetConditions replaces the conditions of the status.
	SetConditions(conditions []metav1.Condition)
	// GetObservedGeneration returns the generation that the status reflects.
	GetObservedGeneration() int64
	// SetObservedGeneration sets the generation that the status reflects.
	SetObservedGeneration(generation int64)
}

// GetConditions returns the conditions of the status.
func (o *MarketSource) GetConditions() []metav1.Condition { return o.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (o *MarketSource) SetConditions(conditions []metav1.Condition) { o.Status.Conditions = conditions }

// GetObservedGeneration returns the generation that the status reflects.
func (o *MarketSource) GetObservedGeneration() int64 { return o.Status.ObservedGeneration }

// SetObservedGeneration sets the generation that the status reflects.
func (o *MarketSource) SetObservedGeneration(generation int64) {
	o.Status.ObservedGeneration = generation
}

// GetConditions returns the conditions of the status.
func (o *AppInfo) GetConditions() []metav1.Condition { return o.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (o *AppInfo) SetConditions(conditions []metav1.Condition) { o.Status.Conditions = conditions }

// GetObservedGeneration returns the generation that the status reflects.
func (o *AppInfo) GetObservedGeneration() int64 { return o.Status.ObservedGeneration }

// SetObservedGeneration sets the generation that the status reflects.
func (o *AppInfo) SetObservedGeneration(generation int64) { o.Status.ObservedGeneration = generation }

// GetConditions returns the conditions of the status.
func (o *AppInstance) GetConditions() []metav1.Condition { return o.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (o *AppInstance) SetConditions(conditions []metav1.Condition) { o.Status.Conditions = conditions }

// GetObservedGeneration returns the generation that the status reflects.
func (o *AppInstance) GetObservedGeneration() int64 { return o.Status.ObservedGeneration }

// SetObservedGeneration sets the generation that the status reflects.
func (o *AppInstance) SetObservedGeneration(generation int64) {
	o.Status.ObservedGeneration = generation
}

// GetConditions returns the conditions of the status.
func (o *AppInstallTask) GetConditions() []metav1.Condition { return o.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (o *AppInstallTask) SetConditions(conditions []metav1.Condition) {
	o.Status.Conditions = conditions
}

// GetObservedGeneration returns the generation that the status reflects.
func (o *AppInstallTask) GetObservedGeneration() int64 { return o.Status.ObservedGeneration }

// SetObservedGeneration sets the generation that the status reflects.
func (o *AppInstallTask) SetObservedGeneration(generation int64) {
	o.Status.ObservedGeneration = generation
}

// SetLastHandledReconcileAt sets the value of the last handled reconcile request.
func (o *MarketSource) SetLastHandledReconcileAt(value string) {
	o.Status.LastHandledReconcileAt = value
}

// SetLastHandledReconcileAt sets the value of the last handled reconcile request.
func (o *AppInfo) SetLastHandledReconcileAt(value string) { o.Status.LastHandledReconcileAt = value }

// SetLastHandledReconcileAt sets the value of the last handled reconcile request.
func (o *AppInstance) SetLastHandledReconcileAt(value string) {
	o.Status.LastHandledReconcileAt = value
}
