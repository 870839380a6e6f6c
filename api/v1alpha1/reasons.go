package v1alpha1

// Reasons of conditions and events, the closed set. conditions.go says which of
// them a condition may carry. A message beside the reason says what to do.
const (
	// Work goes on.

	ReasonProgressing          = "Progressing"
	ReasonProgressingWithRetry = "ProgressingWithRetry"
	ReasonWaitingForInput      = "WaitingForInput"
	ReasonWaitingForApp        = "WaitingForApp"
	ReasonWaitingForSource     = "WaitingForSource"
	ReasonWaitingForDependency = "WaitingForDependency"
	ReasonWaitingForTurn       = "WaitingForTurn"
	ReasonWaitingForObjects    = "WaitingForObjects"
	ReasonSuspended            = "Suspended"
	ReasonPurchasePending      = "PurchasePending"
	ReasonPurchaseNotFound     = "PurchaseNotFound"

	// Milestones reached.

	ReasonReady           = "Ready"
	ReasonServingPrevious = "ServingPrevious"
	ReasonRemoved         = "Removed"
	ReasonSucceeded       = "Succeeded"
	ReasonReached         = "Reached"
	ReasonIndexed         = "Indexed"
	ReasonFetched         = "Fetched"
	ReasonRendered        = "Rendered"
	ReasonCustomized      = "Customized"
	ReasonAnalyzed        = "Analyzed"
	ReasonPublished       = "Published"
	ReasonAdmitted        = "Admitted"
	ReasonResolved        = "Resolved"
	ReasonApplied         = "Applied"
	ReasonHealthy         = "Healthy"
	ReasonStopped         = "Stopped"

	// Sources and what is fetched from them.

	ReasonAppsNotReady   = "AppsNotReady"
	ReasonInvalidSpec    = "InvalidSpec"
	ReasonNotAllowed     = "NotAllowed"
	ReasonNotMarket      = "NotMarket"
	ReasonSecretMissing  = "SecretMissing"
	ReasonFetchFailed    = "FetchFailed"
	ReasonNotFound       = "NotFound"
	ReasonUnauthorized   = "Unauthorized"
	ReasonRateLimited    = "RateLimited"
	ReasonInvalidIndex   = "InvalidIndex"
	ReasonApplyFailed    = "ApplyFailed"
	ReasonDigestMismatch = "DigestMismatch"
	ReasonInvalidArchive = "InvalidArchive"
	ReasonInvalidChart   = "InvalidChart"
	ReasonLimitExceeded  = "LimitExceeded"
	// ReasonAllowanceExceeded says that a namespace or an instance has as much of something
	// as the operator's configuration allows.
	ReasonAllowanceExceeded = "AllowanceExceeded"

	// Charts, their values and images.

	ReasonInvalidManifest = "InvalidManifest"
	ReasonInvalidValues   = "InvalidValues"
	ReasonSchemaViolation = "SchemaViolation"
	ReasonRenderFailed    = "RenderFailed"
	ReasonInvalidImage    = "InvalidImage"
	ReasonImageNotFound   = "ImageNotFound"

	// The repository.

	ReasonStorageFull     = "StorageFull"
	ReasonStorageReadOnly = "StorageReadOnly"
	ReasonStorageFailed   = "StorageFailed"

	// Tasks and instances.

	ReasonNotShared        = "NotShared"
	ReasonVersionNotFound  = "VersionNotFound"
	ReasonWithdrawn        = "Withdrawn"
	ReasonAlreadyInstalled = "AlreadyInstalled"
	ReasonNotInstalled     = "NotInstalled"
	ReasonNotNewer         = "NotNewer"
	ReasonInputMissing     = "InputMissing"
	ReasonTooLong          = "TooLong"
	ReasonDeadlineExceeded = "DeadlineExceeded"
	ReasonChartMissing     = "ChartMissing"
	ReasonInstallFailed    = "InstallFailed"
	ReasonUpgradeFailed    = "UpgradeFailed"
	ReasonUninstallFailed  = "UninstallFailed"
	ReasonPermissionDenied = "PermissionDenied"
	ReasonInterrupted      = "Interrupted"
	ReasonNotHealthy       = "NotHealthy"
	ReasonTimedOut         = "TimedOut"
	ReasonRollbackFailed   = "RollbackFailed"
	ReasonStopFailed       = "StopFailed"
	ReasonResumeFailed     = "ResumeFailed"
	ReasonAdoptFailed      = "AdoptFailed"
	ReasonRevisionNotFound = "RevisionNotFound"
	ReasonRecordChanged    = "RecordChanged"
	ReasonCancelled        = "Cancelled"
	ReasonWrongState       = "WrongState"
	ReasonFailedBefore     = "FailedBefore"
	ReasonSuperseded       = "Superseded"
	ReasonDrifted          = "Drifted"

	// What keeps a task from being admitted, or an instance from being installed or upgraded,
	// beside what it names wrongly.

	ReasonDependencyFailed       = "DependencyFailed"
	ReasonDependencyCycle        = "DependencyCycle"
	ReasonDependedUpon           = "DependedUpon"
	ReasonConflictingApp         = "ConflictingApp"
	ReasonSingleInstance         = "SingleInstance"
	ReasonCloneUnsafe            = "CloneUnsafe"
	ReasonArchitectureMismatch   = "ArchitectureMismatch"
	ReasonInsufficientResources  = "InsufficientResources"
	ReasonUnschedulable          = "Unschedulable"
	ReasonQuotaExceeded          = "QuotaExceeded"
	ReasonStorageClassMissing    = "StorageClassMissing"
	ReasonKindMissing            = "KindMissing"
	ReasonIncompatibleKubernetes = "IncompatibleKubernetes"
	ReasonPodSecurityViolation   = "PodSecurityViolation"
	ReasonAdministratorNeeded    = "AdministratorNeeded"
	ReasonServiceAccountMissing  = "ServiceAccountMissing"
	ReasonInvalidObject          = "InvalidObject"
	ReasonObjectExists           = "ObjectExists"

	// Apps that must be bought.

	ReasonLicenseMissing         = "LicenseMissing"
	ReasonLicenseInvalid         = "LicenseInvalid"
	ReasonLicenseExpired         = "LicenseExpired"
	ReasonLicenseNotYetValid     = "LicenseNotYetValid"
	ReasonLicenseKeysUnavailable = "LicenseKeysUnavailable"
	ReasonPurchaseSignAgain      = "PurchaseSignAgain"
	ReasonPurchaseFailed         = "PurchaseFailed"
)
