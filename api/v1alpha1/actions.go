package v1alpha1

// Action is an operation that an AppInstallTask can request.
// +kubebuilder:validation:Enum=Install;Upgrade;Configure;Rollback;Uninstall;Clone;Stop;Resume;Restart;Cancel;Adopt
type Action string

const (
	// ActionInstall installs an app as a new AppInstance. It also installs an app again after a
	// failed installation or an uninstallation.
	ActionInstall Action = "Install"
	// ActionUpgrade upgrades an AppInstance to a newer version of its app, or to an older
	// version if allowDowngrade is true.
	ActionUpgrade Action = "Upgrade"
	// ActionConfigure changes the values, the inputs and the titles of an AppInstance, and keeps
	// its version.
	ActionConfigure Action = "Configure"
	// ActionRollback rolls an AppInstance back to an earlier revision.
	ActionRollback Action = "Rollback"
	// ActionUninstall uninstalls the Helm releases of an AppInstance. The AppInstance is kept
	// as a record.
	ActionUninstall Action = "Uninstall"
	// ActionClone creates an AppInstance with the spec of another AppInstance. Data is not
	// copied.
	ActionClone Action = "Clone"
	// ActionStop stops the workloads of an AppInstance, so that they have no Pods.
	ActionStop Action = "Stop"
	// ActionResume restores the workloads of a stopped AppInstance.
	ActionResume Action = "Resume"
	// ActionRestart replaces the Pods of an AppInstance, as kubectl rollout restart does.
	ActionRestart Action = "Restart"
	// ActionCancel cancels another task of the same AppInstance.
	ActionCancel Action = "Cancel"
	// ActionAdopt creates an AppInstance from an existing Helm release with the same name.
	ActionAdopt Action = "Adopt"
)

// DependencyPolicy specifies how a task handles apps that its app requires and that are not
// running.
// +kubebuilder:validation:Enum=Wait;Install
type DependencyPolicy string

const (
	// DependenciesWait waits until the required apps are installed and ready.
	DependenciesWait DependencyPolicy = "Wait"
	// DependenciesInstall installs the required apps first, in order, with a task for each app.
	DependenciesInstall DependencyPolicy = "Install"
)

// FailurePolicy specifies what happens to the changes of a task that fails.
// +kubebuilder:validation:Enum=Keep;Rollback;Remove
type FailurePolicy string

const (
	// FailureKeep keeps the changes, so that they can be inspected.
	FailureKeep FailurePolicy = "Keep"
	// FailureRollback rolls the instance back to its previous revision after a failed upgrade,
	// configuration or rollback.
	FailureRollback FailurePolicy = "Rollback"
	// FailureRemove uninstalls everything that the task has newly installed, including
	// dependencies, in reverse order.
	FailureRemove FailurePolicy = "Remove"
)

// UnmetRequirementPolicy specifies how a task handles requirements that are not met and that may
// be met later.
// +kubebuilder:validation:Enum=Fail;Wait
type UnmetRequirementPolicy string

const (
	// UnmetRequirementFail fails the task.
	UnmetRequirementFail UnmetRequirementPolicy = "Fail"
	// UnmetRequirementWait waits until the requirements are met.
	UnmetRequirementWait UnmetRequirementPolicy = "Wait"
)

// MissingInputPolicy specifies how a task handles inputs that are missing or invalid.
// +kubebuilder:validation:Enum=Wait;Fail
type MissingInputPolicy string

const (
	// MissingInputWait lists the inputs in status.requiredInputs and waits until they are
	// specified.
	MissingInputWait MissingInputPolicy = "Wait"
	// MissingInputFail lists the inputs in status.requiredInputs and fails the task.
	MissingInputFail MissingInputPolicy = "Fail"
)
