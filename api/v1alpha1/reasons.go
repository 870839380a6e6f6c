package v1alpha1

// Reasons of conditions and events. This is the closed set of reasons. The comments in
// conditions.go list the reasons that each condition may have.
const (
	// Reasons for work in progress.

	ReasonProgressing          = "Progressing"
	ReasonProgressingWithRetry = "ProgressingWithRetry"
	ReasonWaitingForInput      = "WaitingForInput"
	ReasonWaitingForApp        = "WaitingForApp"
	ReasonWaitingForSource     = "WaitingForSource"
	ReasonWaitingForArtifact   = "WaitingForArtifact"
	ReasonWaitingForDependency = "WaitingForDependency"
	ReasonWaitingForTurn       = "WaitingForTurn"
	ReasonWaitingForObjects    = "WaitingForObjects"
	// ReasonInUse indicates that the object is deleted, and that instances use its charts.
	ReasonInUse            = "InUse"
	ReasonSuspended        = "Suspended"
	ReasonPurchasePending  = "PurchasePending"
	ReasonPurchaseNotFound = "PurchaseNotFound"

	// Reasons for conditions that are True.

	ReasonReady           = "Ready"
	ReasonServingPrevious = "ServingPrevious"
	ReasonUninstalled     = "Uninstalled"
	ReasonSucceeded       = "Succeeded"
	ReasonPlanned         = "Planned"
	ReasonReachable       = "Reachable"
	ReasonIndexed         = "Indexed"
	ReasonVerified        = "Verified"
	ReasonFetched         = "Fetched"
	ReasonRendered        = "Rendered"
	ReasonCustomized      = "Customized"
	ReasonAnalyzed        = "Analyzed"
	ReasonPublished       = "Published"
	ReasonAdmitted        = "Admitted"
	ReasonResolved        = "Resolved"
	ReasonApplied         = "Applied"
	ReasonHealthy         = "Healthy"
	ReasonListed          = "Listed"
	ReasonStopped         = "Stopped"

	// Reasons for failures of sources and of fetching their apps.

	ReasonAppsNotReady      = "AppsNotReady"
	ReasonInvalidSpec       = "InvalidSpec"
	ReasonNotAllowed        = "NotAllowed"
	ReasonNotMarket         = "NotMarket"
	ReasonReferenceNotFound = "ReferenceNotFound"
	ReasonFetchFailed       = "FetchFailed"
	ReasonNotFound          = "NotFound"
	ReasonUnauthorized      = "Unauthorized"
	ReasonRateLimited       = "RateLimited"
	ReasonInvalidIndex      = "InvalidIndex"
	ReasonApplyFailed       = "ApplyFailed"
	ReasonDigestMismatch    = "DigestMismatch"
	ReasonInvalidArchive    = "InvalidArchive"
	ReasonInvalidChart      = "InvalidChart"
	ReasonLimitExceeded     = "LimitExceeded"
	// ReasonAllowanceExceeded indicates that a limit of the operator configuration for a
	// namespace or an instance is reached.
	ReasonAllowanceExceeded = "AllowanceExceeded"

	// Reasons for failures of the verification of charts.

	ReasonSignatureMissing = "SignatureMissing"
	ReasonSignatureInvalid = "SignatureInvalid"
	// ReasonIdentityMismatch indicates a valid signature of a key or an identity that is not trusted.
	ReasonIdentityMismatch     = "IdentityMismatch"
	ReasonTrustRootUnavailable = "TrustRootUnavailable"
	// ReasonMutated indicates that the chart of a version has changed without its version.
	ReasonMutated = "Mutated"

	// Reasons for failures of charts, values and images.

	ReasonInvalidManifest = "InvalidManifest"
	ReasonInvalidValues   = "InvalidValues"
	ReasonSchemaViolation = "SchemaViolation"
	ReasonRenderFailed    = "RenderFailed"
	ReasonInvalidImage    = "InvalidImage"
	ReasonImageNotFound   = "ImageNotFound"

	// Reasons for failures of the repository.

	ReasonStorageFull     = "StorageFull"
	ReasonStorageReadOnly = "StorageReadOnly"
	ReasonStorageFailed   = "StorageFailed"

	// Reasons for failures of tasks and instances.

	ReasonRefNotPermitted  = "RefNotPermitted"
	ReasonVersionNotFound  = "VersionNotFound"
	ReasonWithdrawn        = "Withdrawn"
	ReasonAlreadyInstalled = "AlreadyInstalled"
	ReasonNotInstalled     = "NotInstalled"
	ReasonVersionNotNewer  = "VersionNotNewer"
	ReasonInputRequired    = "InputRequired"
	ReasonNameTooLong      = "NameTooLong"
	ReasonDeadlineExceeded = "DeadlineExceeded"
	ReasonChartNotFound    = "ChartNotFound"
	ReasonInstallFailed    = "InstallFailed"
	ReasonUpgradeFailed    = "UpgradeFailed"
	ReasonUninstallFailed  = "UninstallFailed"
	ReasonPermissionDenied = "PermissionDenied"
	ReasonInterrupted      = "Interrupted"
	ReasonUnhealthy        = "Unhealthy"
	ReasonTimedOut         = "TimedOut"
	ReasonRollbackFailed   = "RollbackFailed"
	ReasonStopFailed       = "StopFailed"
	ReasonResumeFailed     = "ResumeFailed"
	ReasonRestartFailed    = "RestartFailed"
	ReasonAdoptFailed      = "AdoptFailed"
	ReasonRevisionNotFound = "RevisionNotFound"
	ReasonRecordChanged    = "RecordChanged"
	ReasonCanceled         = "Canceled"
	ReasonInvalidState     = "InvalidState"
	ReasonPreviouslyFailed = "PreviouslyFailed"
	ReasonSuperseded       = "Superseded"
	ReasonDrifted          = "Drifted"

	// Reasons why a task is not admitted, or why an instance is not installed or upgraded,
	// other than invalid references.

	ReasonDependencyFailed          = "DependencyFailed"
	ReasonDependencyCycle           = "DependencyCycle"
	ReasonHasDependents             = "HasDependents"
	ReasonConflictingApp            = "ConflictingApp"
	ReasonSingleInstance            = "SingleInstance"
	ReasonCloneUnsafe               = "CloneUnsafe"
	ReasonArchitectureMismatch      = "ArchitectureMismatch"
	ReasonInsufficientResources     = "InsufficientResources"
	ReasonUnschedulable             = "Unschedulable"
	ReasonQuotaExceeded             = "QuotaExceeded"
	ReasonStorageClassNotFound      = "StorageClassNotFound"
	ReasonNoKindMatch               = "NoKindMatch"
	ReasonIncompatibleKubernetes    = "IncompatibleKubernetes"
	ReasonPodSecurityViolation      = "PodSecurityViolation"
	ReasonClusterPermissionRequired = "ClusterPermissionRequired"
	ReasonServiceAccountNotFound    = "ServiceAccountNotFound"
	ReasonInvalidObject             = "InvalidObject"
	ReasonObjectExists              = "ObjectExists"
	// ReasonRegistryCredentialsRequired indicates that no image pull Secret of a Pod contains the
	// credentials that the registry of its image requires.
	ReasonRegistryCredentialsRequired = "RegistryCredentialsRequired"

	// Reasons why an app is not listed.

	ReasonDraft            = "Draft"
	ReasonAuditFailed      = "AuditFailed"
	ReasonListingSuspended = "ListingSuspended"
	ReasonListingWithdrawn = "ListingWithdrawn"

	// Reasons for failures of credentials and purchases.

	ReasonLicenseNotFound         = "LicenseNotFound"
	ReasonLicenseInvalid          = "LicenseInvalid"
	ReasonLicenseExpired          = "LicenseExpired"
	ReasonLicenseNotYetValid      = "LicenseNotYetValid"
	ReasonLicenseKeysUnavailable  = "LicenseKeysUnavailable"
	ReasonPurchaseRequestRejected = "PurchaseRequestRejected"
	ReasonPurchaseFailed          = "PurchaseFailed"
)
