package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Object is implemented by every kind of this package: it lets one writer of
// status serve them all.
// +kubebuilder:object:generate=false
type Object interface {
	metav1.Object
	runtime.Object
	// GetConditions returns the conditions of the status.
	GetConditions() []metav1.Condition
	// SetConditions replaces the conditions of the status.
	SetConditions(conditions []metav1.Condition)
	// GetObservedGeneration returns the generation that the status speaks of.
	GetObservedGeneration() int64
	// SetObservedGeneration sets the generation that the status speaks of.
	SetObservedGeneration(generation int64)
}

// GetConditions returns the conditions of the status.
func (o *MarketSource) GetConditions() []metav1.Condition { return o.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (o *MarketSource) SetConditions(conditions []metav1.Condition) { o.Status.Conditions = conditions }

// GetObservedGeneration returns the generation that the status speaks of.
func (o *MarketSource) GetObservedGeneration() int64 { return o.Status.ObservedGeneration }

// SetObservedGeneration sets the generation that the status speaks of.
func (o *MarketSource) SetObservedGeneration(generation int64) {
	o.Status.ObservedGeneration = generation
}

// GetConditions returns the conditions of the status.
func (o *AppInfo) GetConditions() []metav1.Condition { return o.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (o *AppInfo) SetConditions(conditions []metav1.Condition) { o.Status.Conditions = conditions }

// GetObservedGeneration returns the generation that the status speaks of.
func (o *AppInfo) GetObservedGeneration() int64 { return o.Status.ObservedGeneration }

// SetObservedGeneration sets the generation that the status speaks of.
func (o *AppInfo) SetObservedGeneration(generation int64) { o.Status.ObservedGeneration = generation }

// GetConditions returns the conditions of the status.
func (o *AppInstance) GetConditions() []metav1.Condition { return o.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (o *AppInstance) SetConditions(conditions []metav1.Condition) { o.Status.Conditions = conditions }

// GetObservedGeneration returns the generation that the status speaks of.
func (o *AppInstance) GetObservedGeneration() int64 { return o.Status.ObservedGeneration }

// SetObservedGeneration sets the generation that the status speaks of.
func (o *AppInstance) SetObservedGeneration(generation int64) {
	o.Status.ObservedGeneration = generation
}

// GetConditions returns the conditions of the status.
func (o *AppInstallTask) GetConditions() []metav1.Condition { return o.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (o *AppInstallTask) SetConditions(conditions []metav1.Condition) {
	o.Status.Conditions = conditions
}

// GetObservedGeneration returns the generation that the status speaks of.
func (o *AppInstallTask) GetObservedGeneration() int64 { return o.Status.ObservedGeneration }

// SetObservedGeneration sets the generation that the status speaks of.
func (o *AppInstallTask) SetObservedGeneration(generation int64) {
	o.Status.ObservedGeneration = generation
}

// SetLastHandledReconcileAt notes the manual trigger that was carried out.
func (o *MarketSource) SetLastHandledReconcileAt(value string) {
	o.Status.LastHandledReconcileAt = value
}

// SetLastHandledReconcileAt notes the manual trigger that was carried out.
func (o *AppInfo) SetLastHandledReconcileAt(value string) { o.Status.LastHandledReconcileAt = value }

// SetLastHandledReconcileAt notes the manual trigger that was carried out.
func (o *AppInstance) SetLastHandledReconcileAt(value string) {
	o.Status.LastHandledReconcileAt = value
}
