package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// AppInfoSpec defines the desired state of an AppInfo. The MarketSource controller sets all
// fields except suspend, customParams, acceptedDigests, featured, hidden and listing, which are set
// by users.
type AppInfoSpec struct {
	// sourceRef refers to the MarketSource in the same namespace that offers the app. It is
	// immutable. It is set by the MarketSource controller.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="sourceRef is immutable"
	SourceRef LocalObjectReference `json:"sourceRef,omitzero"`

	// app is the name of the app, which is the name of its chart. It is immutable. It is set by
	// the MarketSource controller.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="app is immutable"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	App string `json:"app,omitempty"`

	// offers are the versions to hydrate, newest first. It is set by the MarketSource
	// controller.
	// +optional
	// +listType=map
	// +listMapKey=version
	// +kubebuilder:validation:MaxItems=50
	Offers []Offer `json:"offers,omitempty"`

	// withdrawn specifies whether the source has withdrawn the app. A withdrawn app is still
	// hydrated and served, but tasks cannot newly install it. It is set by the MarketSource
	// controller. Defaults to false.
	// +optional
	Withdrawn bool `json:"withdrawn,omitempty"`

	// suspend specifies whether the hydration of the app is suspended. Published versions are
	// still served. It is set by users. Defaults to false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// customParams specifies values that are merged into values.yaml of the published charts.
	// They override spec.customParams of the MarketSource; a null value removes the key. The
	// values are public, because they are part of the published charts. It is set by users. If
	// not specified, only spec.customParams of the MarketSource is merged.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	CustomParams *runtime.RawExtension `json:"customParams,omitempty"`

	// acceptedDigests specifies versions that may be served with another chart than before, after the
	// source has changed the chart without changing the version. It has an effect only if
	// spec.mutableVersions of the MarketSource is Deny. It is set by users. If not specified, the
	// previous chart of such a version is served.
	// +optional
	// +listType=map
	// +listMapKey=version
	// +kubebuilder:validation:MaxItems=50
	AcceptedDigests []AcceptedDigest `json:"acceptedDigests,omitempty"`

	// featured specifies the position of the app in the lists of the web pages: apps with greater
	// numbers come first. It is set by users. Defaults to 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Featured *int32 `json:"featured,omitempty"`

	// hidden specifies whether lists of the web pages and of kubectl market search omit the app. It
	// can still be installed. It is set by users. Defaults to false.
	// +optional
	Hidden *bool `json:"hidden,omitempty"`

	// listing specifies who can install the app: Draft, Listed, Suspended or Withdrawn. An app of a
	// source that requires a review is listed only if its checks pass. It is set by users with the
	// verbs approve, suspend or withdraw for appinfos. Defaults to Draft if spec.listing of the
	// MarketSource is Reviewed, otherwise to Listed.
	// +optional
	Listing Listing `json:"listing,omitempty"`
}

// Offer is a version of an app that a source offers.
type Offer struct {
	// version is the semantic version of the chart.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// appVersion is the version of the application that the chart installs.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	AppVersion string `json:"appVersion,omitempty"`

	// url is the location of the chart at the source.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`

	// digest is the SHA-256 digest of the chart archive or of the chart directory, in the form
	// `sha256:<hex>`. It is empty if the source does not provide a digest.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`

	// created is the publication time according to the source.
	// +optional
	Created *metav1.Time `json:"created,omitempty"`

	// deprecated indicates whether the source marks the version as deprecated.
	// +optional
	Deprecated bool `json:"deprecated,omitempty"`

	// presentation describes the app as the source presents it. Only sources of type Olares set it. It is
	// used where the chart has no icon, title or description.
	// +optional
	Presentation *OfferPresentation `json:"presentation,omitempty"`
}

// OfferPresentation contains the icon and the texts with which a source presents an app.
type OfferPresentation struct {
	// icon is the URL of the icon.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Icon string `json:"icon,omitempty"`

	// title is the display name of the app in English.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// description is a short description of the app in English.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// translations are the title and the description in other languages.
	// +optional
	// +listType=map
	// +listMapKey=locale
	// +kubebuilder:validation:MaxItems=8
	Translations []AppTranslation `json:"translations,omitempty"`
}

// AppInfoStatus defines the observed state of an AppInfo.
type AppInfoStatus struct {
	// conditions represent the current state of the AppInfo. Ready summarizes the served
	// versions. Fetched, Rendered, Customized, Analyzed and Published report, in this order,
	// the progress of the version that was hydrated last. Listed reports the result of the review.
	// Reconciling and Stalled exist only while they are True.
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

	// selectedVersion is the selected version: the latest stable version that is served, or the latest
	// prerelease if no stable version is served.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	SelectedVersion string `json:"selectedVersion,omitempty"`

	// summary describes the selected version.
	// +optional
	Summary *AppSummary `json:"summary,omitempty"`

	// sharing specifies which other namespaces can use the app. It follows spec.allowedNamespaces
	// of the MarketSource. In a namespace that is not a market, it is always Same.
	// +optional
	Sharing *AllowedNamespaces `json:"sharing,omitempty"`

	// placement describes whether the selected version runs on this cluster. It follows the nodes,
	// kinds and classes of the cluster. It is not set if the objects of the app are unknown.
	// +optional
	Placement *AppPlacement `json:"placement,omitempty"`

	// review is the result of the checks that are required to list the app. It is not set if the
	// source does not require a review and spec.listing is not specified.
	// +optional
	Review *AppReview `json:"review,omitempty"`

	// versions are the served versions, newest first.
	// +optional
	// +listType=map
	// +listMapKey=version
	// +kubebuilder:validation:MaxItems=50
	Versions []PublishedVersion `json:"versions,omitempty"`

	// images are the container images of the selected version, sorted by name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Images []AppImage `json:"images,omitempty"`

	// imagesCheckedAt is the time at which all images were last looked up in their registries.
	// +optional
	ImagesCheckedAt *metav1.Time `json:"imagesCheckedAt,omitempty"`

	// attempts are the hydrations that have started and have no result yet. An entry is written
	// before the work starts and removed when it has a result. An entry of an earlier operator
	// process therefore indicates an interrupted hydration.
	// +optional
	// +listType=map
	// +listMapKey=version
	// +kubebuilder:validation:MaxItems=50
	Attempts []VersionAttempt `json:"attempts,omitempty"`
}

// VersionAttempt is a hydration of a version that has started and has no result yet.
type VersionAttempt struct {
	// version is the version that is being hydrated.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	Attempt `json:",inline"`
}

// PublishedVersion is a version of an app that is published in the repository.
type PublishedVersion struct {
	// version is the semantic version of the chart.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// appVersion is the version of the application that the chart installs.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	AppVersion string `json:"appVersion,omitempty"`

	// sourceDigest is the digest of the offer from which the version was hydrated.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	SourceDigest string `json:"sourceDigest,omitempty"`

	// chartDigest is the digest of the chart as the source delivered it: of its archive, or of its
	// files if the source has no archive.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ChartDigest string `json:"chartDigest,omitempty"`

	// verification describes the verified signature of the chart. It is not set if signatures were not
	// verified.
	// +optional
	Verification *SignatureVerdict `json:"verification,omitempty"`

	// platformDigest is the digest of the platform values with which the version was rendered.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	PlatformDigest string `json:"platformDigest,omitempty"`

	// paramsDigest is the digest of the custom parameters that were merged into the version.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ParamsDigest string `json:"paramsDigest,omitempty"`

	// pipelineRevision is the revision of the hydration pipeline that produced the version.
	// +optional
	PipelineRevision int32 `json:"pipelineRevision,omitempty"`

	// rulesDigest is the digest of the rules of the audit. It is empty if the source does not require
	// a review.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	RulesDigest string `json:"rulesDigest,omitempty"`

	// audit contains the numbers of findings of the audit. A version with denied findings is
	// withheld: only reviewers can install it, and it is not in the index of the repository. It is
	// not set if the source does not require a review.
	// +optional
	Audit *AuditCounts `json:"audit,omitempty"`

	// digest is the SHA-256 digest of the published archive, in the form `sha256:<hex>`.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`

	// url is the URL of the published archive.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`

	// reportURL is the URL of the directory with the reports of the version, such as
	// values.yaml, objects.yaml and images.json.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	ReportURL string `json:"reportURL,omitempty"`

	// imageCount is the number of distinct images of the version.
	// +optional
	ImageCount int32 `json:"imageCount,omitempty"`

	// publishedAt is the time at which the version was published.
	// +optional
	PublishedAt *metav1.Time `json:"publishedAt,omitempty"`

	// deprecated indicates whether the source marks the version as deprecated.
	// +optional
	Deprecated bool `json:"deprecated,omitempty"`

	// purchase describes the purchase that is required before the version can be installed. If
	// not set, no purchase is required.
	// +optional
	Purchase *PurchaseTerms `json:"purchase,omitempty"`
}

// ImageAccess specifies what the registry of an image requires.
// +kubebuilder:validation:Enum=Public;Credentials;Denied
type ImageAccess string

const (
	// ImagePublic means that the image was looked up without credentials.
	ImagePublic ImageAccess = "Public"
	// ImageWithCredentials means that the image was looked up with credentials of the source.
	ImageWithCredentials ImageAccess = "Credentials"
	// ImageDenied means that the registry denied access.
	ImageDenied ImageAccess = "Denied"
)

// AppImage is a container image of an app.
type AppImage struct {
	// name is the full reference of the image.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Name string `json:"name,omitempty"`

	// digest is the digest of the image manifest or image index that the reference resolves to.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`

	// platforms are the platforms that the image supports, in the form os/architecture or
	// os/architecture/variant.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=30
	// +kubebuilder:validation:items:MaxLength=64
	Platforms []string `json:"platforms,omitempty"`

	// largestPlatformBytes is the compressed size in bytes of the image for the platform with the largest
	// image.
	// +optional
	LargestPlatformBytes int64 `json:"largestPlatformBytes,omitempty"`

	// layers is the number of layers of the image for the platform with the largest image.
	// +optional
	Layers int32 `json:"layers,omitempty"`

	// access specifies whether the image was looked up without credentials (Public) or with the
	// credentials of the source (Credentials), or whether the registry denied access (Denied). If not
	// set, the registry has not responded.
	// +optional
	Access ImageAccess `json:"access,omitempty"`

	// problem describes why the image could not be looked up in its registry. It is looked up
	// again later. The other fields contain the result of the last successful lookup.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Problem string `json:"problem,omitempty"`
}

// AppInfo is an app of a MarketSource: the versions that the source offers, the result of their
// hydration, and the versions that are served. Its name is `<source>.<app>`. It is created,
// updated and deleted by the MarketSource controller.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=appinfos,shortName=ainf,categories=market
// +kubebuilder:printcolumn:name="Title",type=string,JSONPath=`.status.summary.title`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.selectedVersion`
// +kubebuilder:printcolumn:name="App Version",type=string,JSONPath=`.status.summary.appVersion`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Images",type=integer,JSONPath=`.status.summary.imageCount`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.spec.sourceRef.name`,priority=1
// +kubebuilder:printcolumn:name="Runs Here",type=string,JSONPath=`.status.placement.verdict`,priority=1
// +kubebuilder:printcolumn:name="Withdrawn",type=boolean,JSONPath=`.spec.withdrawn`,priority=1
// +kubebuilder:printcolumn:name="Listed",type=string,JSONPath=`.status.conditions[?(@.type=="Listed")].reason`,priority=1
type AppInfo struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec defines the desired state of the AppInfo.
	// +required
	Spec AppInfoSpec `json:"spec,omitzero"`

	// status reports the observed state of the AppInfo.
	// +optional
	// +default={"observedGeneration": -1}
	Status AppInfoStatus `json:"status,omitzero"`
}

// AppInfoList contains a list of AppInfos.
// +kubebuilder:object:root=true
type AppInfoList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the AppInfos.
	Items []AppInfo `json:"items"`
}
