package v1alpha1

// Conditions that every kind may carry, as kstatus reads them. Both exist only
// while they are True, and never both at once.
const (
	// ConditionReconciling is True while work goes on.
	//
	// Reasons for True:
	//
	// * "Progressing"
	// * "ProgressingWithRetry"
	// * "WaitingForInput"
	// * "WaitingForApp"
	// * "WaitingForSource"
	// * "WaitingForDependency"
	// * "WaitingForTurn"
	// * "WaitingForObjects"
	// * "RateLimited"
	// * "LicenseKeysUnavailable"
	// * "PurchasePending"
	// * "PurchaseNotFound"
	// * "PermissionDenied"
	// * "AdministratorNeeded"
	// * "ServiceAccountMissing"
	// * "KindMissing"
	// * "StorageClassMissing"
	// * "InsufficientResources"
	// * "QuotaExceeded"
	// * "Unschedulable"
	// * "PodSecurityViolation"
	// * "Suspended" (of a task)
	ConditionReconciling = "Reconciling"

	// ConditionStalled is True when nothing further happens until the spec, or
	// what it points to, is changed. The reason is that of the failure.
	ConditionStalled = "Stalled"

	// ConditionDrifted is True while objects of an AppInstance differ from what
	// Helm made of them, and spec.driftPolicy is Warn. The message names the first.
	//
	// Reasons for True:
	//
	// * "Drifted"
	ConditionDrifted = "Drifted"

	// ConditionSharingIgnored is True while spec.sharing of a MarketSource has no
	// effect, and says what to do about it.
	//
	// Reasons for True:
	//
	// * "NotMarket"
	ConditionSharingIgnored = "SharingIgnored"
)

// ConditionReady is the root condition of what lives: MarketSource, AppInfo and
// AppInstance. It speaks of what is served now, not of the work going on.
//
// Reasons for True:
//
// * "Ready"
// * "ServingPrevious"
// * "Stopped"
// * "Removed"
//
// Reasons for False: that of the milestone that failed, or
//
// * "AppsNotReady"
// * "ChartMissing" (of an AppInfo)
// * "Interrupted" (of an AppInfo)
// * "ProgressingWithRetry" (a failure without a reason of its own)
//
// Reasons for Unknown: that of Reconciling, or
//
// * "Suspended"
const ConditionReady = "Ready"

// ConditionSucceeded is the root condition of what ends: AppInstallTask.
//
// Reasons for True:
//
// * "Succeeded"
//
// Reasons for False: that of the milestone that failed, or
//
// * "Interrupted"
// * "Cancelled"
// * "FailedBefore"
// * "Superseded"
// * "ProgressingWithRetry" (a failure without a reason of its own)
//
// Reasons for Unknown: that of Reconciling, or
//
// * "Suspended"
const ConditionSucceeded = "Succeeded"

// Milestones of a MarketSource, in order.
const (
	// ConditionReached says that the source answered.
	//
	// Reasons for True:
	//
	// * "Reached"
	//
	// Reasons for False:
	//
	// * "InvalidSpec"
	// * "NotAllowed"
	// * "NotMarket"
	// * "SecretMissing"
	// * "FetchFailed"
	// * "NotFound"
	// * "Unauthorized"
	// * "RateLimited"
	// * "ProgressingWithRetry"
	ConditionReached = "Reached"

	// ConditionIndexed says that what the source offers was read and that every
	// app of it has its AppInfo.
	//
	// Reasons for True:
	//
	// * "Indexed"
	//
	// Reasons for False:
	//
	// * "InvalidIndex"
	// * "LimitExceeded"
	// * "AllowanceExceeded"
	// * "ApplyFailed"
	// * "Interrupted"
	// * "ProgressingWithRetry"
	ConditionIndexed = "Indexed"
)

// Milestones of an AppInfo, in order: the five steps of hydration.
const (
	// ConditionFetched says that the source chart was fetched, checked and
	// unpacked.
	//
	// Reasons for True:
	//
	// * "Fetched"
	//
	// Reasons for False:
	//
	// * "FetchFailed"
	// * "NotFound"
	// * "Unauthorized"
	// * "RateLimited"
	// * "DigestMismatch"
	// * "InvalidArchive"
	// * "InvalidChart"
	// * "LimitExceeded"
	// * "NotAllowed"
	// * "NotMarket"
	// * "SecretMissing"
	// * "ProgressingWithRetry"
	ConditionFetched = "Fetched"

	// ConditionRendered says that the manifest was read and that every chart unit
	// rendered with the platform values of the source.
	//
	// Reasons for True:
	//
	// * "Rendered"
	//
	// Reasons for False:
	//
	// * "InvalidManifest"
	// * "InvalidValues"
	// * "RenderFailed"
	// * "LimitExceeded"
	// * "ProgressingWithRetry"
	ConditionRendered = "Rendered"

	// ConditionCustomized says that the parameters were merged into values.yaml
	// and that the result meets the chart's schema.
	//
	// Reasons for True:
	//
	// * "Customized"
	//
	// Reasons for False:
	//
	// * "InvalidValues"
	// * "SchemaViolation"
	// * "RenderFailed"
	// * "LimitExceeded"
	// * "ProgressingWithRetry"
	ConditionCustomized = "Customized"

	// ConditionAnalyzed says that the images of the rendered objects were found
	// and looked up. A registry that is down or refuses is told in the message and
	// in status.images, and is no failure.
	//
	// Reasons for True:
	//
	// * "Analyzed"
	//
	// Reasons for False:
	//
	// * "InvalidImage"
	// * "ImageNotFound"
	// * "LimitExceeded"
	// * "ProgressingWithRetry"
	ConditionAnalyzed = "Analyzed"

	// ConditionPublished says that the chart is in the repository.
	//
	// Reasons for True:
	//
	// * "Published"
	//
	// Reasons for False:
	//
	// * "StorageFull"
	// * "StorageReadOnly"
	// * "StorageFailed"
	// * "LimitExceeded"
	// * "AllowanceExceeded"
	// * "InvalidChart"
	// * "ProgressingWithRetry"
	ConditionPublished = "Published"
)

// Milestones of an AppInstance, in order. ConditionResolved, ConditionApplied
// and ConditionHealthy are milestones of an AppInstallTask too.
const (
	// ConditionResolved says that the exact version, digest and values are known, and
	// that nothing keeps the operation that they ask for from being begun.
	//
	// Reasons for True:
	//
	// * "Resolved"
	// * "Removed"
	//
	// Reasons for False:
	//
	// * "NotShared"
	// * "NotFound"
	// * "VersionNotFound"
	// * "RevisionNotFound"
	// * "RecordChanged"
	// * "AdoptFailed"
	// * "LicenseMissing"
	// * "LicenseInvalid"
	// * "LicenseExpired"
	// * "LicenseNotYetValid"
	// * "LicenseKeysUnavailable"
	// * "InvalidSpec"
	// * "InvalidValues"
	// * "SecretMissing"
	// * "PermissionDenied"
	// * "ChartMissing"
	// * "ProgressingWithRetry"
	// * "InvalidManifest"
	// * "SchemaViolation"
	// * "RenderFailed"
	// * "LimitExceeded"
	// * "InvalidArchive"
	// * "InvalidChart"
	// * "FetchFailed"
	// * "Unauthorized"
	// * "RateLimited"
	// * "DigestMismatch"
	// * "NotAllowed"
	// * "InvalidImage"
	// * "ImageNotFound"
	// * "StorageFull"
	// * "StorageReadOnly"
	// * "StorageFailed"
	// * "AllowanceExceeded"
	// * "Interrupted"
	// * "ArchitectureMismatch"
	// * "InsufficientResources"
	// * "Unschedulable"
	// * "QuotaExceeded"
	// * "KindMissing"
	// * "IncompatibleKubernetes"
	// * "PodSecurityViolation"
	// * "ServiceAccountMissing"
	// * "InvalidObject"
	// * "ObjectExists"
	// * "AlreadyInstalled"
	ConditionResolved = "Resolved"

	// ConditionApplied says that Helm has carried out what the spec asks for.
	//
	// Reasons for True:
	//
	// * "Applied"
	// * "Removed"
	//
	// Reasons for False:
	//
	// * "InstallFailed"
	// * "UpgradeFailed"
	// * "UninstallFailed"
	// * "RollbackFailed"
	// * "StopFailed"
	// * "ResumeFailed"
	// * "AdoptFailed"
	// * "RevisionNotFound"
	// * "RecordChanged"
	// * "TimedOut"
	// * "KindMissing"
	// * "PermissionDenied"
	// * "SchemaViolation"
	// * "RenderFailed"
	// * "LimitExceeded"
	// * "Interrupted"
	// * "ProgressingWithRetry"
	ConditionApplied = "Applied"

	// ConditionHealthy says that every object of every release is ready, as
	// kstatus computes it. It is kept up to date for as long as the instance runs.
	//
	// Reasons for True:
	//
	// * "Healthy"
	// * "Stopped"
	// * "Removed"
	//
	// Reasons for False:
	//
	// * "NotHealthy"
	// * "TimedOut"
	// * "PermissionDenied"
	// * "AllowanceExceeded"
	// * "ProgressingWithRetry"
	ConditionHealthy = "Healthy"
)

// ConditionAdmitted is the first milestone of an AppInstallTask: every check
// before the work passed, and it is this task's turn.
//
// Reasons for True:
//
// * "Admitted"
//
// Reasons for False:
//
// * "NotShared"
// * "NotFound"
// * "VersionNotFound"
// * "Withdrawn"
// * "AlreadyInstalled"
// * "NotInstalled"
// * "NotNewer"
// * "WrongState"
// * "RevisionNotFound"
// * "DependencyFailed"
// * "DependencyCycle"
// * "DependedUpon"
// * "ConflictingApp"
// * "SingleInstance"
// * "CloneUnsafe"
// * "ArchitectureMismatch"
// * "InsufficientResources"
// * "Unschedulable"
// * "QuotaExceeded"
// * "AllowanceExceeded"
// * "StorageClassMissing"
// * "KindMissing"
// * "IncompatibleKubernetes"
// * "PodSecurityViolation"
// * "AdministratorNeeded"
// * "ServiceAccountMissing"
// * "InvalidObject"
// * "ObjectExists"
// * "AdoptFailed"
// * "PermissionDenied"
// * "SecretMissing"
// * "LicenseMissing"
// * "LicenseInvalid"
// * "LicenseExpired"
// * "LicenseNotYetValid"
// * "LicenseKeysUnavailable"
// * "PurchaseSignAgain"
// * "PurchaseFailed"
// * "InputMissing"
// * "InvalidSpec"
// * "TooLong"
// * "DeadlineExceeded"
// * "InvalidValues"
// * "InvalidManifest"
// * "ChartMissing"
// * "SchemaViolation"
// * "RenderFailed"
// * "LimitExceeded"
// * "ProgressingWithRetry"
// * "InvalidArchive"
// * "InvalidChart"
// * "FetchFailed"
// * "Unauthorized"
// * "RateLimited"
// * "DigestMismatch"
// * "NotAllowed"
// * "InvalidImage"
// * "ImageNotFound"
// * "StorageFull"
// * "StorageReadOnly"
// * "StorageFailed"
// * "Interrupted"
const ConditionAdmitted = "Admitted"
