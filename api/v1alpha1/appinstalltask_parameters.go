package v1alpha1

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// AppConfiguration specifies how an app is configured. A field that is not specified keeps its
// value: an upgrade and a configuration use the value of the instance, a clone the value of the
// cloned instance, and an installation after an uninstallation the value before it.
type AppConfiguration struct {
	// title specifies the display name of the instance. It is required for a clone. If not
	// specified, the title of the instance is kept, and an installation uses the title of the
	// removed instance with the same name.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// entrances specifies titles for the entrances of the app. For a clone, it must contain a
	// title for each visible entrance. If not specified, the titles of the instance are kept.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Entrances []EntranceTitle `json:"entrances,omitempty"`

	// values specifies Helm values. They override the values of the chart and valuesFrom. If
	// not specified, the values of the instance are kept.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Values *runtime.RawExtension `json:"values,omitempty"`

	// valuesFrom refers to Secrets and ConfigMaps with Helm values. They are merged in order,
	// so that later entries override earlier ones. If not specified, the references of the
	// instance are kept.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	ValuesFrom []ValuesReference `json:"valuesFrom,omitempty"`

	// inputs specifies inputs of the app. They are added to the inputs of the instance. If not
	// specified, no inputs are added.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Inputs []InputValue `json:"inputs,omitempty"`

	// credentialSecretRef refers to the key of a Secret in the same namespace that contains the
	// credential for an app that must be purchased. If not specified, the credential of the
	// instance is used.
	// +optional
	CredentialSecretRef *KeyReference `json:"credentialSecretRef,omitempty"`

	// purchaseRequestSecretRef refers to the key of a Secret in the same namespace that contains
	// a signed purchase request. If the Secret or the key in credentialSecretRef does not exist,
	// the request is sent to the checkout of the developer, and the returned credential is
	// stored there with the permissions of the service account. If not specified, the checkout
	// is not contacted.
	// +optional
	PurchaseRequestSecretRef *KeyReference `json:"purchaseRequestSecretRef,omitempty"`

	// dataPolicy specifies whether PersistentVolumeClaims are retained when the instance is
	// uninstalled: Retain or Delete. Defaults to the policy of the instance, for a clone to the
	// policy of the cloned instance, and for any other installation to Retain.
	// +optional
	DataPolicy DataPolicy `json:"dataPolicy,omitempty"`
}

// AppParameters specifies the version and the configuration of an app.
type AppParameters struct {
	// version specifies a semantic version or a range of semantic versions; the latest
	// published version in the range is used. If not specified, a clone uses the version of the
	// cloned instance, an adoption the version of the Helm release, and any other action the
	// latest published stable version.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	AppConfiguration `json:",inline"`
}

// UpgradeParameters specifies the parameters of action Upgrade.
type UpgradeParameters struct {
	AppParameters `json:",inline"`

	// allowDowngrade specifies whether a version that is older than the installed version may be
	// installed. The older version must be specified in version. Defaults to false.
	// +optional
	AllowDowngrade *bool `json:"allowDowngrade,omitempty"`
}

// RollbackParameters specifies the parameters of action Rollback.
type RollbackParameters struct {
	// revision specifies the revision in status.history of the instance to roll back to.
	// Defaults to the previous revision.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Revision int32 `json:"revision,omitempty"`
}

// CloneParameters specifies the parameters of action Clone.
type CloneParameters struct {
	// from refers to the AppInstance to clone. The clone uses the version, the values, the
	// inputs and the service account of that instance unless the task specifies them. It is
	// immutable.
	// +required
	From CloneSource `json:"from,omitzero"`

	AppParameters `json:",inline"`
}

// CloneSource refers to the AppInstance to clone.
type CloneSource struct {
	// name specifies the name of the AppInstance.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	Name string `json:"name,omitempty"`

	// namespace specifies the namespace of the AppInstance. The service account must have
	// permission to get AppInstances in that namespace. Secrets and ConfigMaps to which the
	// AppInstance refers are read from the namespace of the clone. Defaults to the namespace of
	// the task.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// DependentsPolicy specifies how an uninstallation handles instances that depend on the instance.
// +kubebuilder:validation:Enum=Reject;Uninstall
type DependentsPolicy string

const (
	// DependentsReject rejects the uninstallation while dependent instances exist.
	DependentsReject DependentsPolicy = "Reject"
	// DependentsUninstall uninstalls the dependent instances first.
	DependentsUninstall DependentsPolicy = "Uninstall"
)

// SharedChartsPolicy specifies how an uninstallation handles the shared charts of the app.
// +kubebuilder:validation:Enum=Keep;RemoveIfUnused
type SharedChartsPolicy string

const (
	// SharedChartsKeep keeps the shared charts.
	SharedChartsKeep SharedChartsPolicy = "Keep"
	// SharedChartsRemoveIfUnused uninstalls the shared charts if no other instance uses them.
	SharedChartsRemoveIfUnused SharedChartsPolicy = "RemoveIfUnused"
)

// UninstallParameters specifies the parameters of action Uninstall.
type UninstallParameters struct {
	// dependents specifies how instances that depend on the instance are handled: Reject or
	// Uninstall. Defaults to Reject.
	// +optional
	// +default="Reject"
	Dependents DependentsPolicy `json:"dependents,omitempty"`

	// sharedCharts specifies how the shared charts of the app are handled: Keep or
	// RemoveIfUnused. Defaults to Keep.
	// +optional
	// +default="Keep"
	SharedCharts SharedChartsPolicy `json:"sharedCharts,omitempty"`

	// dataPolicy specifies whether PersistentVolumeClaims are retained: Retain or Delete.
	// Defaults to the policy of the instance.
	// +optional
	DataPolicy DataPolicy `json:"dataPolicy,omitempty"`
}

// CancelParameters specifies the parameters of action Cancel.
type CancelParameters struct {
	// name specifies the name of the task to cancel. Defaults to the running task of the
	// instance, or to the next queued task if no task is running.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// Parameters returns the version and the configuration that the task specifies. They are empty if
// the action has none, and the version is empty if the action is Configure.
func (s *AppInstallTaskSpec) Parameters() AppParameters {
	switch {
	case s.Configure != nil:
		return AppParameters{AppConfiguration: *s.Configure}
	case s.Install != nil:
		return *s.Install
	case s.Upgrade != nil:
		return s.Upgrade.AppParameters
	case s.Clone != nil:
		return s.Clone.AppParameters
	case s.Adopt != nil:
		return *s.Adopt
	}
	return AppParameters{}
}

// ParametersPath returns the path of the member that contains the version and the configuration, such
// as "spec.install". It returns "spec" if the action has none.
func (s *AppInstallTaskSpec) ParametersPath() string {
	switch s.Action {
	case ActionInstall, ActionUpgrade, ActionConfigure, ActionClone, ActionAdopt:
		return "spec." + strings.ToLower(string(s.Action))
	}
	return "spec"
}

// EnsureParameters returns the version and the configuration of an Install, Upgrade, Clone or Adopt
// task for writing. It returns nil for any other action.
func (s *AppInstallTaskSpec) EnsureParameters() *AppParameters {
	switch s.Action {
	case ActionInstall:
		s.Install = orNew(s.Install)
		return s.Install
	case ActionUpgrade:
		s.Upgrade = orNew(s.Upgrade)
		return &s.Upgrade.AppParameters
	case ActionClone:
		s.Clone = orNew(s.Clone)
		return &s.Clone.AppParameters
	case ActionAdopt:
		s.Adopt = orNew(s.Adopt)
		return s.Adopt
	}
	return nil
}

// EnsureConfiguration returns the configuration of an Install, Upgrade, Configure, Clone or Adopt task
// for writing. It returns nil for any other action.
func (s *AppInstallTaskSpec) EnsureConfiguration() *AppConfiguration {
	if s.Action == ActionConfigure {
		s.Configure = orNew(s.Configure)
		return s.Configure
	}
	if parameters := s.EnsureParameters(); parameters != nil {
		return &parameters.AppConfiguration
	}
	return nil
}

// orNew returns the pointer, or a pointer to a new value if it is nil.
func orNew[T any](pointer *T) *T {
	if pointer == nil {
		return new(T)
	}
	return pointer
}

// CloneFrom returns the reference to the AppInstance to clone. It is empty if the action is not
// Clone.
func (s *AppInstallTaskSpec) CloneFrom() CloneSource {
	if s.Clone == nil {
		return CloneSource{}
	}
	return s.Clone.From
}

// AllowsDowngrade reports whether an upgrade may install an older version, which must be specified.
func (s *AppInstallTaskSpec) AllowsDowngrade() bool {
	up := s.Upgrade
	return up != nil && up.AllowDowngrade != nil && *up.AllowDowngrade && up.Version != ""
}

// RollbackRevision returns the revision to roll back to, or 0 for the previous revision.
func (s *AppInstallTaskSpec) RollbackRevision() int32 {
	if s.Rollback == nil {
		return 0
	}
	return s.Rollback.Revision
}

// CancelTaskName returns the name of the task to cancel, or "" if it is not specified.
func (s *AppInstallTaskSpec) CancelTaskName() string {
	if s.CancelTask == nil {
		return ""
	}
	return s.CancelTask.Name
}

// UninstallsDependents reports whether instances that depend on the instance are uninstalled first.
func (s *AppInstallTaskSpec) UninstallsDependents() bool {
	return s.Uninstall != nil && s.Uninstall.Dependents == DependentsUninstall
}

// RemovesSharedCharts reports whether the shared charts of the app are uninstalled if no other
// instance uses them.
func (s *AppInstallTaskSpec) RemovesSharedCharts() bool {
	return s.Uninstall != nil && s.Uninstall.SharedCharts == SharedChartsRemoveIfUnused
}

// RequestedDataPolicy returns the data policy that the task specifies, or "" if it specifies none.
func (s *AppInstallTaskSpec) RequestedDataPolicy() DataPolicy {
	if s.Uninstall != nil {
		return s.Uninstall.DataPolicy
	}
	return s.Parameters().DataPolicy
}
