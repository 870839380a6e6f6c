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

	// Sources and what is fetched from them.

	ReasonAppsNotReady   = "AppsNotReady"
	ReasonInvalidSpec    = "InvalidSpec"
	ReasonNotAllowed     = "NotAllowed"
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
)
