package v1alpha1

// Annotations, labels and finalizers that AppMarket reads or writes.
const (
	// ReconcileRequestAnnotation requests a reconciliation that does not wait for the interval.
	// Each new value, such as the current time, is a request. The last handled value is
	// reported in status.lastHandledReconcileAt.
	ReconcileRequestAnnotation = "appmarket.io/reconcile-requested-at"

	// OffersDigestAnnotation on an AppInfo is the digest of the spec fields that the
	// MarketSource controller wrote. The controller uses it to detect manual changes.
	OffersDigestAnnotation = "appmarket.io/offers-digest"

	// TaskAnnotation on an AppInstance is the name of the AppInstallTask that last wrote its
	// spec. It is copied to the history of the instance.
	TaskAnnotation = "appmarket.io/task"

	// TaskHashAnnotation on an AppInstance is the hash of the request of that task. It is
	// copied to the ledger of the instance.
	TaskHashAnnotation = "appmarket.io/task-hash"

	// TaskUIDAnnotation on an AppInstance is the UID of that task. The task controller uses it
	// to recognize its own changes.
	TaskUIDAnnotation = "appmarket.io/task-uid"

	// TaskUndoneAnnotation on an AppInstance indicates that the task has reverted its changes.
	// Its value is the reason: Canceled, or the reason of the failure of the task.
	TaskUndoneAnnotation = "appmarket.io/task-undone"

	// TaskBeforeAnnotation on an AppInstance is the revision that was installed before the task
	// wrote the spec. The task reverts its changes to this revision.
	TaskBeforeAnnotation = "appmarket.io/task-before"

	// SkipDeleteHooksAnnotation on an AppInstance specifies, with the value "true", that its
	// releases are uninstalled without running their pre-delete and post-delete hooks. Use it
	// for hooks that can no longer succeed.
	SkipDeleteHooksAnnotation = "appmarket.io/skip-delete-hooks"
	// KeepReleasesAnnotation on an AppInstance specifies, with the value "true", that its
	// releases are kept in the cluster when the AppInstance is deleted.
	KeepReleasesAnnotation = "appmarket.io/keep-releases"

	// ClonedFromAnnotation on an AppInstance is the name of the AppInstance from which it was
	// cloned, with its namespace if that is a different namespace. It is informational.
	ClonedFromAnnotation = "appmarket.io/cloned-from"

	// BeforeStopAnnotation on a workload contains the fields, such as the number of replicas,
	// that were changed when its instance was stopped. They are restored when the instance is
	// resumed.
	BeforeStopAnnotation = "appmarket.io/before-stop"

	// ParentLabel on an AppInstallTask is the name of the task that created it.
	ParentLabel = "appmarket.io/parent-task"

	// ParentNamespaceLabel on an AppInstallTask is the namespace of the task that created it,
	// if that is a different namespace.
	ParentNamespaceLabel = "appmarket.io/parent-namespace"

	// SharedPartsLabel on a Namespace allows, with the value "true", that shared charts are
	// installed in it. Only cluster administrators can set labels of Namespaces.
	SharedPartsLabel = "appmarket.io/shared-parts"

	// CredentialsLabel on a Secret allows, with the value "true", that MarketSources in the
	// same namespace send it to their servers. Without this label, a user with permission to
	// write MarketSources but not to read Secrets could send any Secret to a server of their
	// own.
	CredentialsLabel = "appmarket.io/credentials"

	// SourceLabel on an AppInfo is the name of its MarketSource.
	SourceLabel = "appmarket.io/source"

	// AppLabel on an AppInfo or an AppInstance is the name of the app.
	AppLabel = "appmarket.io/app"

	// InstanceLabel on the Helm records of a release, and on PersistentVolumeClaims that are
	// retained after their release was uninstalled or changed, is the name of the AppInstance.
	InstanceLabel = "appmarket.io/instance"

	// Finalizer delays the deletion of an object until its external resources are removed: the
	// published charts of an AppInfo, and the Helm releases of an AppInstance.
	Finalizer = "appmarket.io/finalizer"
)
