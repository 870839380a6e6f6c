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

	// TaskAnnotation on an AppInstance records, as a JSON object, which AppInstallTask last
	// wrote its spec. The task controller sets it together with the spec:
	//
	//   - task: the name of the task. It is copied to the history of the instance.
	//   - uid: the UID of the task, by which the task recognizes its own changes.
	//   - requestedBy: the user who created the task, if it is known. It is copied to the history.
	//   - hash: the hash of the operation that the task requests. It is copied to
	//     status.completedTasks, so that the task is not carried out again if it is re-created.
	//   - previousRevision: the revision that was installed before, to which the task reverts
	//     the instance. Not set if no revision was installed.
	//   - previousRestart: the last restart before, to which a Restart task reverts the instance.
	//     Not set if the instance was not restarted.
	//   - revertReason: the reason of the cancellation or of the failure for which the task has
	//     reverted its changes. Not set otherwise.
	//
	// An instance whose value is invalid counts as one that no task has written.
	TaskAnnotation = "appmarket.io/task"

	// RequestedByAnnotation on an AppInstallTask is the name of the user who created it. The
	// MutatingAdmissionPolicy in config/requester sets it. Without the policy, everyone who can
	// create a task can set any value.
	RequestedByAnnotation = "appmarket.io/requested-by"

	// ListingChangedByAnnotation on an AppInfo is the name of the user who set spec.listing. The
	// MutatingAdmissionPolicy in config/requester sets it, and the ValidatingAdmissionPolicy in
	// config/admission rejects other names. Without these policies, everyone who can update the
	// AppInfo can set any value.
	ListingChangedByAnnotation = "appmarket.io/listing-changed-by"

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

	// RestartedAtAnnotation on the Pod template of a workload is the time of its last restart. It is
	// the annotation that kubectl rollout restart sets.
	RestartedAtAnnotation = "kubectl.kubernetes.io/restartedAt"

	// EntranceAnnotation on an Ingress or HTTPRoute is the name of the entrance for which the
	// operator added it to the Helm release.
	EntranceAnnotation = "appmarket.io/entrance"

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
	// published charts of an AppInfo, and the Helm releases of an AppInstance. It delays the
	// deletion of a MarketSource while instances use its charts.
	Finalizer = "appmarket.io/finalizer"
)
