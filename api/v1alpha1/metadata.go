package v1alpha1

// Annotations and labels that AppMarket reads or writes.
const (
	// ReconcileRequestAnnotation asks for a reconcile now, whatever the interval
	// says. Its value is any string that differs from the last one, commonly the
	// time; it is echoed in status.lastHandledReconcileAt.
	ReconcileRequestAnnotation = "appmarket.io/reconcile-requested-at"

	// OffersDigestAnnotation on an AppInfo is a digest of the fields of its spec as
	// its source has written them, by which the source finds an edit.
	OffersDigestAnnotation = "appmarket.io/offers-digest"

	// TaskAnnotation on an AppInstance names the AppInstallTask that wrote its
	// spec last. The instance notes it in its history.
	TaskAnnotation = "appmarket.io/task"

	// TaskHashAnnotation on an AppInstance is the hash of the spec of that task,
	// for the instance's ledger.
	TaskHashAnnotation = "appmarket.io/task-hash"

	// TaskUIDAnnotation on an AppInstance is the UID of that task, by which it knows
	// its own doing.
	TaskUIDAnnotation = "appmarket.io/task-uid"

	// TaskUndoneAnnotation on an AppInstance says that the task has taken back what
	// it wrote, and why: Cancelled, or the reason of its failure.
	TaskUndoneAnnotation = "appmarket.io/task-undone"

	// TaskBeforeAnnotation on an AppInstance is the revision that ran before the
	// task wrote the spec, to which it can be taken back.
	TaskBeforeAnnotation = "appmarket.io/task-before"

	// SkipDeleteHooksAnnotation on an AppInstance removes its releases without their
	// pre-delete and post-delete hooks if the value is "true". It is for hooks that
	// cannot succeed any more.
	SkipDeleteHooksAnnotation = "appmarket.io/skip-delete-hooks"
	// KeepReleasesAnnotation on an AppInstance leaves its releases in the cluster when it
	// is deleted, if the value is "true".
	KeepReleasesAnnotation = "appmarket.io/keep-releases"

	// BeforeStopAnnotation on a workload remembers what it was before its instance
	// was stopped.
	BeforeStopAnnotation = "appmarket.io/before-stop"

	// ParentLabel on an AppInstallTask names the task that made it, for an app that
	// its own app needs.
	ParentLabel = "appmarket.io/parent-task"

	// ParentNamespaceLabel on an AppInstallTask says where the task is that made it,
	// if it is not in the same namespace.
	ParentNamespaceLabel = "appmarket.io/parent-namespace"

	// SharedPartsLabel on a Namespace lets it have parts of apps that serve the whole
	// cluster, if the value is "true". Only who administers the cluster can set it.
	SharedPartsLabel = "appmarket.io/shared-parts"

	// CredentialsLabel on a Secret lets MarketSources of its namespace send it to their
	// servers, if the value is "true". Without it, who may write a source but not read
	// Secrets could have any Secret sent to a server of their own.
	CredentialsLabel = "appmarket.io/credentials"

	// SourceLabel on an AppInfo names its MarketSource.
	SourceLabel = "appmarket.io/source"

	// AppLabel on an AppInfo and on an AppInstance names the app.
	AppLabel = "appmarket.io/app"

	// InstanceLabel on the records of a Helm release, and on volume claims that were
	// kept when their release went without them, names the AppInstance.
	InstanceLabel = "appmarket.io/instance"

	// Finalizer holds back the removal of an object until what it stands for is
	// removed: published charts for an AppInfo, Helm releases for an AppInstance.
	Finalizer = "appmarket.io/finalizer"
)
