package v1alpha1

// Conditions of all kinds, as defined by kstatus, and conditions that report a fact about one
// kind. They exist only while they are True. Reconciling and Stalled are never True at the same
// time.
const (
	// ConditionReconciling indicates that the controller is working on the object or waiting
	// for something.
	//
	// Reasons for True:
	//
	// * "Progressing"
	// * "ProgressingWithRetry"
	// * "WaitingForInput"
	// * "WaitingForApp"
	// * "WaitingForSource"
	// * "WaitingForArtifact"
	// * "WaitingForDependency"
	// * "WaitingForTurn"
	// * "WaitingForObjects"
	// * "InUse"
	// * "RateLimited"
	// * "LicenseKeysUnavailable"
	// * "PurchasePending"
	// * "PurchaseNotFound"
	// * "PermissionDenied"
	// * "ClusterPermissionRequired"
	// * "ServiceAccountNotFound"
	// * "NoKindMatch"
	// * "StorageClassNotFound"
	// * "RegistryCredentialsRequired"
	// * "InsufficientResources"
	// * "QuotaExceeded"
	// * "Unschedulable"
	// * "PodSecurityViolation"
	// * "Withdrawn"
	// * "Draft"
	// * "AuditFailed"
	// * "ListingSuspended"
	// * "ListingWithdrawn"
	// * "DependencyFailed"
	// * "ConflictingApp"
	// * "SingleInstance"
	// * "Suspended" (of a task)
	ConditionReconciling = "Reconciling"

	// ConditionStalled indicates that the controller cannot make progress until the spec, or an
	// object to which it refers, is changed. It has the reason of the failure.
	ConditionStalled = "Stalled"

	// ConditionDrifted indicates that objects of an AppInstance differ from their Helm release.
	// It is set only if spec.driftPolicy is Warn. The message names the first object.
	//
	// Reasons for True:
	//
	// * "Drifted"
	ConditionDrifted = "Drifted"

	// ConditionAllowedNamespacesIgnored indicates that spec.allowedNamespaces of a MarketSource has no effect. The
	// message describes how to resolve it.
	//
	// Reasons for True:
	//
	// * "NotMarket"
	ConditionAllowedNamespacesIgnored = "AllowedNamespacesIgnored"
)

// ConditionListed indicates that an AppInfo is listed: its audit and its dependencies allow it, and
// spec.listing requires it. It exists only if the source requires a review or spec.listing is
// specified.
//
// Reasons for True:
//
// * "Listed"
//
// Reasons for False:
//
// * "Draft"
// * "WaitingForApp" (no version is published)
// * "AuditFailed"
// * "DependencyFailed"
// * "DependencyCycle"
// * "ListingSuspended"
// * "ListingWithdrawn"
const ConditionListed = "Listed"

// ConditionReady summarizes the state of a MarketSource, AppInfo or AppInstance. It reports
// what is currently served, and not the work in progress.
//
// Reasons for True:
//
// * "Ready"
// * "ServingPrevious"
// * "Stopped"
// * "Uninstalled"
//
// Reasons for False: the reason of the milestone that failed, or
//
// * "AppsNotReady"
// * "ChartNotFound" (of an AppInfo)
// * "Interrupted" (of an AppInfo)
// * "ProgressingWithRetry" (a failure without a reason of its own)
//
// Reasons for Unknown: the reason of Reconciling, or
//
// * "Suspended"
const ConditionReady = "Ready"

// ConditionSucceeded summarizes the state of an AppInstallTask.
//
// Reasons for True:
//
// * "Succeeded"
// * "Planned" (spec.dryRun is true, and nothing was changed)
//
// Reasons for False: the reason of the milestone that failed, or
//
// * "Interrupted"
// * "Canceled"
// * "PreviouslyFailed"
// * "Superseded"
// * "ProgressingWithRetry" (a failure without a reason of its own)
//
// Reasons for Unknown: the reason of Reconciling, or
//
// * "Suspended"
const ConditionSucceeded = "Succeeded"

// Progress conditions of a MarketSource, in order.
const (
	// ConditionReachable indicates that the source responded.
	//
	// Reasons for True:
	//
	// * "Reachable"
	//
	// Reasons for False:
	//
	// * "InvalidSpec"
	// * "NotAllowed"
	// * "NotMarket"
	// * "ReferenceNotFound"
	// * "FetchFailed"
	// * "NotFound"
	// * "Unauthorized"
	// * "RateLimited"
	// * "DigestMismatch"
	// * "ProgressingWithRetry"
	ConditionReachable = "Reachable"

	// ConditionIndexed indicates that the list of apps of the source was read and that each app
	// has an AppInfo.
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

	// ConditionVerified indicates that the trust root of spec.verify was read, so that only charts
	// with a verified signature are served. It exists only if spec.verify is set.
	//
	// Reasons for True:
	//
	// * "Verified"
	//
	// Reasons for False:
	//
	// * "TrustRootUnavailable"
	// * "InvalidSpec"
	ConditionVerified = "Verified"
)

// Progress conditions of an AppInfo, in order. Each corresponds to a step of hydration.
const (
	// ConditionFetched indicates that the source chart was fetched, verified and unpacked.
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
	// * "Mutated"
	// * "SignatureMissing"
	// * "SignatureInvalid"
	// * "IdentityMismatch"
	// * "TrustRootUnavailable"
	// * "InvalidSpec"
	// * "InvalidArchive"
	// * "InvalidChart"
	// * "LimitExceeded"
	// * "NotAllowed"
	// * "NotMarket"
	// * "ReferenceNotFound"
	// * "ProgressingWithRetry"
	ConditionFetched = "Fetched"

	// ConditionRendered indicates that the app manifest was read and that all charts of the app
	// were rendered with the platform values of the source. A chart that requires values from
	// the user is not a failure; it is reported in status.summary.warnings.
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

	// ConditionCustomized indicates that the custom parameters were merged into values.yaml and
	// that the result conforms to the schema of the chart.
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

	// ConditionAnalyzed indicates that the images of the rendered objects were found and looked
	// up. A registry that is unavailable or denies access is not a failure; it is reported in
	// the message and in status.images.
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

	// ConditionPublished indicates that the chart is published in the repository.
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

// Progress conditions of an AppInstance, in order. An AppInstallTask has them too, after
// ConditionAdmitted.
const (
	// ConditionResolved indicates that the exact version, digest and values are known, and that
	// no problem prevents the operation. It is also False while an AppInstance waits for a
	// requirement of its app.
	//
	// Reasons for True:
	//
	// * "Resolved"
	// * "Uninstalled"
	//
	// Reasons for False:
	//
	// * "RefNotPermitted"
	// * "NotFound"
	// * "VersionNotFound"
	// * "RevisionNotFound"
	// * "RecordChanged"
	// * "AdoptFailed"
	// * "LicenseNotFound"
	// * "LicenseInvalid"
	// * "LicenseExpired"
	// * "LicenseNotYetValid"
	// * "LicenseKeysUnavailable"
	// * "InvalidSpec"
	// * "InvalidValues"
	// * "ReferenceNotFound"
	// * "PermissionDenied"
	// * "ChartNotFound"
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
	// * "Mutated"
	// * "SignatureMissing"
	// * "SignatureInvalid"
	// * "IdentityMismatch"
	// * "TrustRootUnavailable"
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
	// * "NoKindMatch"
	// * "IncompatibleKubernetes"
	// * "PodSecurityViolation"
	// * "ServiceAccountNotFound"
	// * "InvalidObject"
	// * "ObjectExists"
	// * "AlreadyInstalled"
	// * "Withdrawn"
	// * "Draft"
	// * "AuditFailed"
	// * "ListingSuspended"
	// * "ListingWithdrawn"
	// * "WaitingForDependency"
	// * "DependencyFailed"
	// * "ConflictingApp"
	// * "SingleInstance"
	// * "StorageClassNotFound"
	// * "RegistryCredentialsRequired"
	// * "ClusterPermissionRequired"
	ConditionResolved = "Resolved"

	// ConditionApplied indicates that the operation that the spec requires was performed.
	//
	// Reasons for True:
	//
	// * "Applied"
	// * "Uninstalled"
	//
	// Reasons for False:
	//
	// * "InstallFailed"
	// * "UpgradeFailed"
	// * "UninstallFailed"
	// * "RollbackFailed"
	// * "StopFailed"
	// * "ResumeFailed"
	// * "RestartFailed"
	// * "AdoptFailed"
	// * "RevisionNotFound"
	// * "RecordChanged"
	// * "TimedOut"
	// * "NoKindMatch"
	// * "PermissionDenied"
	// * "SchemaViolation"
	// * "RenderFailed"
	// * "LimitExceeded"
	// * "Interrupted"
	// * "ProgressingWithRetry"
	ConditionApplied = "Applied"

	// ConditionHealthy indicates that all objects of all releases are ready, as computed by
	// kstatus. It is kept up to date while the app is installed.
	//
	// Reasons for True:
	//
	// * "Healthy"
	// * "Stopped"
	// * "Uninstalled"
	//
	// Reasons for False:
	//
	// * "Unhealthy"
	// * "TimedOut"
	// * "PermissionDenied"
	// * "AllowanceExceeded"
	// * "ProgressingWithRetry"
	ConditionHealthy = "Healthy"
)

// ConditionAdmitted is the first progress condition of an AppInstallTask. It indicates that all
// checks passed and that the task does not wait for other tasks of the instance.
//
// Reasons for True:
//
// * "Admitted"
//
// Reasons for False:
//
// * "RefNotPermitted"
// * "NotFound"
// * "VersionNotFound"
// * "Withdrawn"
// * "Draft"
// * "AuditFailed"
// * "ListingSuspended"
// * "ListingWithdrawn"
// * "AlreadyInstalled"
// * "NotInstalled"
// * "VersionNotNewer"
// * "InvalidState"
// * "RevisionNotFound"
// * "RecordChanged"
// * "DependencyFailed"
// * "DependencyCycle"
// * "HasDependents"
// * "ConflictingApp"
// * "SingleInstance"
// * "CloneUnsafe"
// * "ArchitectureMismatch"
// * "InsufficientResources"
// * "Unschedulable"
// * "QuotaExceeded"
// * "AllowanceExceeded"
// * "StorageClassNotFound"
// * "RegistryCredentialsRequired"
// * "NoKindMatch"
// * "IncompatibleKubernetes"
// * "PodSecurityViolation"
// * "ClusterPermissionRequired"
// * "ServiceAccountNotFound"
// * "InvalidObject"
// * "ObjectExists"
// * "AdoptFailed"
// * "PermissionDenied"
// * "ReferenceNotFound"
// * "LicenseNotFound"
// * "LicenseInvalid"
// * "LicenseExpired"
// * "LicenseNotYetValid"
// * "LicenseKeysUnavailable"
// * "PurchaseRequestRejected"
// * "PurchaseFailed"
// * "InputRequired"
// * "InvalidSpec"
// * "NameTooLong"
// * "DeadlineExceeded"
// * "InvalidValues"
// * "InvalidManifest"
// * "ChartNotFound"
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
// * "Mutated"
// * "SignatureMissing"
// * "SignatureInvalid"
// * "IdentityMismatch"
// * "TrustRootUnavailable"
// * "NotAllowed"
// * "InvalidImage"
// * "ImageNotFound"
// * "StorageFull"
// * "StorageReadOnly"
// * "StorageFailed"
// * "Interrupted"
// * "WaitingForApp" (only with spec.dryRun)
// * "WaitingForSource" (only with spec.dryRun)
// * "WaitingForDependency" (only with spec.dryRun)
// * "WaitingForInput" (only with spec.dryRun)
// * "WaitingForTurn" (only with spec.dryRun)
const ConditionAdmitted = "Admitted"
