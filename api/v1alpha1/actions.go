package v1alpha1

// Action is what a task wants.
// +kubebuilder:validation:Enum=Install;Upgrade;Rollback;Uninstall;Clone;Stop;Resume;Cancel;Adopt
type Action string

const (
	// ActionInstall makes a new instance run.
	ActionInstall Action = "Install"
	// ActionUpgrade brings an instance to a newer version.
	ActionUpgrade Action = "Upgrade"
	// ActionRollback brings an instance back to an earlier revision.
	ActionRollback Action = "Rollback"
	// ActionUninstall removes an instance's releases.
	ActionUninstall Action = "Uninstall"
	// ActionClone makes a new instance of the spec of another one.
	ActionClone Action = "Clone"
	// ActionStop brings the workloads of an instance to zero.
	ActionStop Action = "Stop"
	// ActionResume brings them back to what they were.
	ActionResume Action = "Resume"
	// ActionCancel ends another task of the instance.
	ActionCancel Action = "Cancel"
	// ActionAdopt makes an instance of a release that helm installed.
	ActionAdopt Action = "Adopt"
)

// DependencyPolicy says what a task does about apps that its app needs.
// +kubebuilder:validation:Enum=Wait;Install
type DependencyPolicy string

const (
	// DependenciesWait waits until somebody has installed them.
	DependenciesWait DependencyPolicy = "Wait"
	// DependenciesInstall installs them first, in order.
	DependenciesInstall DependencyPolicy = "Install"
)

// FailurePolicy says what a task leaves behind when its work fails.
// +kubebuilder:validation:Enum=Keep;Rollback;Remove
type FailurePolicy string

const (
	// FailureKeep leaves everything as it is, to be looked at.
	FailureKeep FailurePolicy = "Keep"
	// FailureRollback brings an instance that ran before back to that revision.
	FailureRollback FailurePolicy = "Rollback"
	// FailureRemove removes what the task has newly installed, its dependencies
	// included, the last one first.
	FailureRemove FailurePolicy = "Remove"
)

// MissingInputPolicy says what a task does about inputs that are missing.
// +kubebuilder:validation:Enum=Wait;Fail
type MissingInputPolicy string

const (
	// MissingInputWait lists them and waits until the task is edited.
	MissingInputWait MissingInputPolicy = "Wait"
	// MissingInputFail lists them and fails.
	MissingInputFail MissingInputPolicy = "Fail"
)
