package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// SourceType is the protocol that is used to access a source.
// +kubebuilder:validation:Enum=Helm;OCI;Git;Olares;Artifact;Directory;Upload
type SourceType string

const (
	// SourceTypeHelm accesses a Helm repository over HTTP.
	SourceTypeHelm SourceType = "Helm"
	// SourceTypeOCI accesses charts in an OCI registry.
	SourceTypeOCI SourceType = "OCI"
	// SourceTypeGit reads charts in a git repository.
	SourceTypeGit SourceType = "Git"
	// SourceTypeOlares accesses an app store with the protocol of Olares.
	SourceTypeOlares SourceType = "Olares"
	// SourceTypeArtifact reads the artifact of an object of Flux.
	SourceTypeArtifact SourceType = "Artifact"
	// SourceTypeDirectory reads a directory on a volume of the operator.
	SourceTypeDirectory SourceType = "Directory"
	// SourceTypeUpload offers charts that users upload to the operator.
	SourceTypeUpload SourceType = "Upload"
)

// ReadyWhen specifies when a source is ready.
// +kubebuilder:validation:Enum=Synced;Hydrated
type ReadyWhen string

const (
	// ReadyWhenSynced means that a source is ready when each of its apps has an AppInfo.
	ReadyWhenSynced ReadyWhen = "Synced"
	// ReadyWhenHydrated means that a source is ready when each app that is not suspended is
	// served or has failed. It is not ready if apps have failed and none is served. Failed apps
	// are listed in status.failures.
	ReadyWhenHydrated ReadyWhen = "Hydrated"
)

// MarketSourceSpec defines the desired state of a MarketSource.
// +kubebuilder:validation:XValidation:rule="self.type != 'Helm' || has(self.helm)",message="helm is required when type is Helm"
// +kubebuilder:validation:XValidation:rule="self.type == 'Helm' || !has(self.helm)",message="helm may only be set when type is Helm"
// +kubebuilder:validation:XValidation:rule="self.type != 'OCI' || has(self.oci)",message="oci is required when type is OCI"
// +kubebuilder:validation:XValidation:rule="self.type == 'OCI' || !has(self.oci)",message="oci may only be set when type is OCI"
// +kubebuilder:validation:XValidation:rule="self.type != 'Git' || has(self.git)",message="git is required when type is Git"
// +kubebuilder:validation:XValidation:rule="self.type == 'Git' || !has(self.git)",message="git may only be set when type is Git"
// +kubebuilder:validation:XValidation:rule="self.type != 'Olares' || has(self.olares)",message="olares is required when type is Olares"
// +kubebuilder:validation:XValidation:rule="self.type == 'Olares' || !has(self.olares)",message="olares may only be set when type is Olares"
// +kubebuilder:validation:XValidation:rule="self.type != 'Artifact' || has(self.artifact)",message="artifact is required when type is Artifact"
// +kubebuilder:validation:XValidation:rule="self.type == 'Artifact' || !has(self.artifact)",message="artifact may only be set when type is Artifact"
// +kubebuilder:validation:XValidation:rule="self.type != 'Directory' || has(self.directory)",message="directory is required when type is Directory"
// +kubebuilder:validation:XValidation:rule="self.type == 'Directory' || !has(self.directory)",message="directory may only be set when type is Directory"
// +kubebuilder:validation:XValidation:rule="self.type != 'Upload' || has(self.upload)",message="upload is required when type is Upload"
// +kubebuilder:validation:XValidation:rule="self.type == 'Upload' || !has(self.upload)",message="upload may only be set when type is Upload"
// +kubebuilder:validation:XValidation:rule="!has(self.review) || has(self.listing) && self.listing == 'Reviewed'",message="review may only be set when listing is Reviewed"
// +kubebuilder:validation:XValidation:rule="!has(self.verify) || self.verify.provider != 'HelmProvenance' || self.type in ['Helm', 'OCI', 'Directory']",message="verify.provider HelmProvenance is available only when type is Helm, OCI or Directory"
// +kubebuilder:validation:XValidation:rule="!has(self.verify) || self.verify.provider != 'Cosign' || self.type in ['Helm', 'OCI']",message="verify.provider Cosign is available only when type is Helm or OCI"
// +kubebuilder:validation:XValidation:rule="!has(self.verify) || self.verify.provider != 'Notation' || self.type == 'OCI'",message="verify.provider Notation is available only when type is OCI"
type MarketSourceSpec struct {
	// type specifies the type of the source. The field of the same name must be set.
	// +required
	Type SourceType `json:"type,omitempty"`

	// title specifies the display name of the source. If not specified, the name of the object is
	// displayed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// description specifies a short description of the source for users. If not specified, the
	// source has no description.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// helm specifies a Helm repository over HTTP. It is required if type is Helm, and cannot be
	// set otherwise.
	// +optional
	Helm *HelmSource `json:"helm,omitempty"`

	// oci specifies charts in an OCI registry. It is required if type is OCI, and cannot be set
	// otherwise.
	// +optional
	OCI *OCISource `json:"oci,omitempty"`

	// git specifies charts in a git repository. It is required if type is Git, and cannot be set
	// otherwise.
	// +optional
	Git *GitSource `json:"git,omitempty"`

	// olares specifies an app store with the protocol of Olares. It is required if type is Olares, and
	// cannot be set otherwise.
	// +optional
	Olares *OlaresSource `json:"olares,omitempty"`

	// artifact specifies the artifact of an object of Flux. It is required if type is Artifact, and
	// cannot be set otherwise.
	// +optional
	Artifact *ArtifactSource `json:"artifact,omitempty"`

	// directory specifies a directory that the operator can read. It is required if type is
	// Directory, and cannot be set otherwise.
	// +optional
	Directory *DirectorySource `json:"directory,omitempty"`

	// upload specifies which charts users can upload. It is required if type is Upload, and cannot be
	// set otherwise.
	// +optional
	Upload *UploadSource `json:"upload,omitempty"`

	// interval specifies the interval at which the source is checked for changes. It varies by
	// up to 10% so that sources are not checked at the same time. Must be at least 10s.
	// Defaults to 10m.
	// +optional
	// +default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s')",message="interval must be at least 10s"
	Interval Duration `json:"interval,omitempty"`

	// receiver specifies which server reports changes of the source by requests to the path
	// /hooks/NAMESPACE/NAME of the repository. If not specified, such requests are rejected.
	// +optional
	Receiver *Receiver `json:"receiver,omitempty"`

	// timeout specifies the time limit of a single request to the source. Must be greater than
	// 0s and at most 10m. Defaults to 60s.
	// +optional
	// +default="60s"
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s') && duration(self) <= duration('10m')",message="timeout must be greater than 0s and at most 10m"
	Timeout Duration `json:"timeout,omitempty"`

	// imageInterval specifies the interval at which the images of the apps are looked up again in
	// their registries, because their tags may have moved. It varies by up to 10% so that images
	// are not looked up at the same time. Images that could not be looked up are looked up again
	// earlier. Must be from 1h to 720h. Defaults to 24h.
	// +optional
	// +default="24h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('720h')",message="imageInterval must be from 1h to 720h"
	ImageInterval Duration `json:"imageInterval,omitempty"`

	// suspend specifies whether the synchronization of the source and the hydration of its apps
	// are suspended. Published charts are still served. Defaults to false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// registrySecretRef refers to a Secret of type kubernetes.io/dockerconfigjson in the same
	// namespace that contains credentials for the image registries of the apps. They are used to
	// look up images, and not to pull them. The Secret must have the label
	// appmarket.io/credentials with the value "true". Each credential is sent only to the registry
	// for which the Secret contains it. If not specified, registries are accessed anonymously.
	// +optional
	RegistrySecretRef *LocalObjectReference `json:"registrySecretRef,omitempty"`

	// allowedNamespaces specifies which other namespaces can use the apps of the source. If not
	// specified, only the namespace of the source can use them.
	// +optional
	AllowedNamespaces *AllowedNamespaces `json:"allowedNamespaces,omitempty"`

	// filter specifies which apps and versions of the source are hydrated. If not specified, the
	// latest 3 versions of all apps are hydrated.
	// +optional
	Filter *AppFilter `json:"filter,omitempty"`

	// platform specifies values with which the charts of the source are rendered in addition to
	// their own values. If not specified, no values are added.
	// +optional
	Platform *Platform `json:"platform,omitempty"`

	// customParams specifies values that are merged into values.yaml of all published charts; a
	// null value removes the key. The values are public, because they are part of the published
	// charts. If not specified, values.yaml is not changed.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	CustomParams *runtime.RawExtension `json:"customParams,omitempty"`

	// inputs specifies default inputs. Each app of the source that has an input with the same
	// name uses the value, unless the namespace of the instance or the instance itself
	// specifies another value. Values from Secrets and ConfigMaps are read from the namespace
	// of the source. If not specified, the source does not provide inputs.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Inputs []InputValue `json:"inputs,omitempty"`

	// licensing specifies the issuers of credentials for apps that must be purchased. If the
	// issuer of such an app is not specified, the app cannot be installed.
	// +optional
	// +listType=map
	// +listMapKey=issuer
	// +kubebuilder:validation:MaxItems=50
	Licensing []LicenseIssuer `json:"licensing,omitempty"`

	// listing specifies whether the apps of the source are listed without a review: Automatic or
	// Reviewed. If Reviewed, apps whose spec.listing is not specified are drafts. Defaults to
	// Automatic.
	// +optional
	// +default="Automatic"
	Listing ListingPolicy `json:"listing,omitempty"`

	// review specifies the requirements that an app must meet before it can be listed. It can be set only if
	// listing is Reviewed. If not specified, the default rules apply.
	// +optional
	Review *ReviewPolicy `json:"review,omitempty"`

	// verify specifies the signature that each chart of the source must have. A chart without it is
	// not served. A change of verify, or of the trust root to which it refers, verifies all charts
	// again. If not specified, signatures are not verified.
	// +optional
	Verify *Verification `json:"verify,omitempty"`

	// mutableVersions specifies whether a version is served with another chart after the source has
	// changed its chart without changing the version: Allow or Deny. If Deny, the previous chart is
	// served until spec.acceptedDigests of the AppInfo contains the new digest. Defaults to Deny if
	// type is Helm or OCI, or Upload without upload.allowOverwrite, and to Allow otherwise, because
	// the charts of a folder change while they are developed.
	// +optional
	MutableVersions MutableVersions `json:"mutableVersions,omitempty"`

	// readyWhen specifies when the source is ready: Synced or Hydrated. Defaults to Hydrated.
	// +optional
	// +default="Hydrated"
	ReadyWhen ReadyWhen `json:"readyWhen,omitempty"`
}

// MarketSourceStatus defines the observed state of a MarketSource.
type MarketSourceStatus struct {
	// conditions represent the current state of the source. Ready summarizes it. Reachable and
	// Indexed report, in this order, the progress of the synchronization. Verified follows them if
	// spec.verify is set. Reconciling, Stalled and AllowedNamespacesIgnored exist only while they
	// are True.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that the status reflects.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// lastHandledReconcileAt is the last value of the annotation
	// appmarket.io/reconcile-requested-at that the controller has handled.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// revision is the digest of the apps and versions that the source offers.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Revision string `json:"revision,omitempty"`

	// etag is the validator of the index for conditional requests: the ETag that the server
	// returned, or the Last-Modified time if the server does not return an ETag.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	ETag string `json:"etag,omitempty"`

	// lastSyncTime is the time at which changes of the source were last applied.
	// +optional
	LastSyncTime *metav1.Time `json:"lastSyncTime,omitempty"`

	// apps contains the numbers of apps of the source.
	// +optional
	Apps *AppCounts `json:"apps,omitempty"`

	// failures lists up to 20 apps that have invalid entries or could not be hydrated. Apps
	// with invalid entries are listed first. Both groups are sorted by name.
	// +optional
	// +listType=map
	// +listMapKey=app
	// +kubebuilder:validation:MaxItems=20
	Failures []AppFailure `json:"failures,omitempty"`

	// repositoryURL is the URL of the Helm repository with the published charts, for use with
	// `helm repo add`.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	RepositoryURL string `json:"repositoryURL,omitempty"`

	// verificationDigest is the digest of spec.verify and of the trust root to which it refers. It is
	// not set if spec.verify is not set or the trust root cannot be read.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	VerificationDigest string `json:"verificationDigest,omitempty"`

	// attempt is the synchronization that has started and has no result yet. It is written
	// before the response of the source is read and removed when the response was processed. An
	// attempt of an earlier operator process therefore indicates an interrupted
	// synchronization.
	// +optional
	Attempt *Attempt `json:"attempt,omitempty"`
}

// AppCounts contains the numbers of apps of a source.
type AppCounts struct {
	// total is the number of all apps, including apps without a valid entry.
	// +required
	Total int32 `json:"total"`
	// offered is the number of apps that have a valid entry and therefore an AppInfo.
	// +optional
	Offered int32 `json:"offered,omitempty"`
	// ready is the number of apps that are served.
	// +required
	Ready int32 `json:"ready"`
	// failed is the number of apps that could not be listed or hydrated. An app of which an
	// older version is served is also counted as ready.
	// +required
	Failed int32 `json:"failed"`
	// skipped is the number of invalid entries of the source. An app can have several invalid
	// entries and still be served.
	// +required
	Skipped int32 `json:"skipped"`
	// suspended is the number of apps that are suspended and have not failed.
	// +required
	Suspended int32 `json:"suspended"`
	// withdrawn is the number of apps that the source has withdrawn.
	// +required
	Withdrawn int32 `json:"withdrawn"`
}

// AppFailure is an app that could not be hydrated or has invalid entries.
type AppFailure struct {
	// app is the name of the app.
	// +required
	// +kubebuilder:validation:MaxLength=253
	App string `json:"app,omitempty"`
	// condition is the type of the condition that failed, such as Rendered. It is Indexed for an app
	// that could not be listed, and Ready if no progress condition failed.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Condition string `json:"condition,omitempty"`
	// reason is the reason of the failed condition.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`
	// message describes the failure and how to resolve it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// MarketSource specifies where apps come from, such as a Helm repository or a directory. For
// each app of the source, an AppInfo is created in the same namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=msrc,categories=market
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name must have at most 63 characters, because it is the value of a label of its AppInfos"
// +kubebuilder:validation:XValidation:rule="!self.metadata.name.contains('.')",message="metadata.name must not contain a dot, because its AppInfos are named <source>.<app>"
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Apps",type=integer,JSONPath=`.status.apps.total`
// +kubebuilder:printcolumn:name="Served",type=integer,JSONPath=`.status.apps.ready`
// +kubebuilder:printcolumn:name="Failed",type=integer,JSONPath=`.status.apps.failed`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Suspended",type=boolean,JSONPath=`.spec.suspend`,priority=1
// +kubebuilder:printcolumn:name="Repository",type=string,JSONPath=`.status.repositoryURL`,priority=1
type MarketSource struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec defines the desired state of the MarketSource.
	// +required
	Spec MarketSourceSpec `json:"spec,omitzero"`

	// status reports the observed state of the MarketSource.
	// +optional
	// +default={"observedGeneration": -1}
	Status MarketSourceStatus `json:"status,omitzero"`
}

// MarketSourceList contains a list of MarketSources.
// +kubebuilder:object:root=true
type MarketSourceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the MarketSources.
	Items []MarketSource `json:"items"`
}
