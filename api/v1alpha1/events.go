package v1alpha1

// Reasons of the events of an AppInstance that belong to no condition: each operation has
// one event when it begins and one when it ends. A failed operation ends with an event of
// type Warning that has the reason of the failure.
const (
	EventInstalling  = "Installing"
	EventInstalled   = "Installed"
	EventUpgrading   = "Upgrading"
	EventUpgraded    = "Upgraded"
	EventRollingBack = "RollingBack"
	EventRolledBack  = "RolledBack"
	EventRemoving    = "Removing"
	EventRemoved     = "Removed"
	EventReleased    = "Released"
	EventStopping    = "Stopping"
	EventStopped     = "Stopped"
	EventResuming    = "Resuming"
	EventResumed     = "Resumed"
	EventAdopting    = "Adopting"
	EventAdopted     = "Adopted"

	// EventUpdateAvailable says, once for each version, that the app of the instance has a
	// newer version.
	EventUpdateAvailable = "UpdateAvailable"
	// EventDriftCorrected says that objects were brought back to what their release made.
	EventDriftCorrected = "DriftCorrected"
	// EventEntranceWithoutService says that an entrance names no Service of the releases.
	EventEntranceWithoutService = "EntranceWithoutService"
)
