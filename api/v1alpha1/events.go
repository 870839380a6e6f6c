package v1alpha1

// Reasons of the events of an AppInstance that are not reasons of a condition. Each operation
// emits one event when it starts and one event when it ends. A failed operation ends with an
// event of type Warning that has the reason of the failure.
const (
	EventInstalling   = "Installing"
	EventInstalled    = "Installed"
	EventUpgrading    = "Upgrading"
	EventUpgraded     = "Upgraded"
	EventRollingBack  = "RollingBack"
	EventRolledBack   = "RolledBack"
	EventUninstalling = "Uninstalling"
	EventUninstalled  = "Uninstalled"
	EventReleased     = "Released"
	EventStopping     = "Stopping"
	EventStopped      = "Stopped"
	EventResuming     = "Resuming"
	EventResumed      = "Resumed"
	EventRestarting   = "Restarting"
	EventRestarted    = "Restarted"
	EventAdopting     = "Adopting"
	EventAdopted      = "Adopted"

	// EventUpdateAvailable indicates that a newer version of the app is available. It is
	// emitted once for each version.
	EventUpdateAvailable = "UpdateAvailable"
	// EventDriftCorrected indicates that objects were restored to the state in their Helm
	// release.
	EventDriftCorrected = "DriftCorrected"
	// EventEntranceWithoutService indicates that no Service of the Helm releases matches an
	// entrance.
	EventEntranceWithoutService = "EntranceWithoutService"
)

// EventDeprecated indicates that an AppInstallTask installs a version that is deprecated by its
// chart.
const EventDeprecated = "Deprecated"
