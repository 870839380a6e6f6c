package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// AppInfoSpec is what the source says of an app, and what a person adds to it.
type AppInfoSpec struct {
	// sourceRef names the MarketSource of the same namespace. Written by the
	// source.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="sourceRef is immutable"
	SourceRef LocalObjectReference `json:"sourceRef,omitzero"`

	// app is the name of the app, that of its chart. Written by the source.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="app is immutable"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	App string `json:"app,omitempty"`

	// offers are the versions to hydrate, newest first. Written by the source.
	// +optional
	// +listType=map
	// +listMapKey=version
	// +kubebuilder:validation:MaxItems=50
	Offers []Offer `json:"offers,omitempty"`

	// withdrawn says that the source no longer offers the app to new users. It is
	// hydrated and served to those who have it. Written by the source.
	// +optional
	Withdrawn bool `json:"withdrawn,omitempty"`

	// suspend stops hydration of this app; what is published stays served. For a
	// person to set; unset means false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// customParams are merged into values.yaml of the published charts, over those
	// of the source; null removes a key. For a person to set. They are public:
	// whoever may read the repository sees them.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	CustomParams *runtime.RawExtension `json:"customParams,omitempty"`
}

// Offer is one version of an app as the source offers it.
type Offer struct {
	// version is the semantic version of the chart.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// appVersion is the version of what the chart installs.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	AppVersion string `json:"appVersion,omitempty"`

	// url says where the source keeps the chart.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`

	// digest is "sha256:<hex>" of the archive or of the file tree; empty where the
	// source does not say.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`

	// created is when the source says it was published.
	// +optional
	Created *metav1.Time `json:"created,omitempty"`

	// deprecated says that the source advises against it.
	// +optional
	Deprecated bool `json:"deprecated,omitempty"`
}

// AppInfoStatus is what hydration found, and what is served.
type AppInfoStatus struct {
	// conditions are Ready and, in order, Fetched, Rendered, Customized, Analyzed
	// and Published; Reconciling and Stalled while they are true. Ready speaks of
	// what is served, the milestones of the version hydrated last.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// lastHandledReconcileAt is the last value of the annotation
	// appmarket.io/reconcile-requested-at that was carried out.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// version is the selected one: the newest that is served and is no prerelease,
	// or the newest prerelease where there is nothing else.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// summary describes the selected version.
	// +optional
	Summary *AppSummary `json:"summary,omitempty"`

	// versions are those that are served, newest first.
	// +optional
	// +listType=map
	// +listMapKey=version
	// +kubebuilder:validation:MaxItems=50
	Versions []PublishedVersion `json:"versions,omitempty"`

	// images are those of the selected version, by name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Images []AppImage `json:"images,omitempty"`

	// attempts are the hydrations that were begun and have no result. They are noted before the
	// work begins and removed when it has a result, so what is left after a restart was cut off.
	// +optional
	// +listType=map
	// +listMapKey=version
	// +kubebuilder:validation:MaxItems=50
	Attempts []VersionAttempt `json:"attempts,omitempty"`
}

// VersionAttempt is the hydration of a version that was begun and has no result.
type VersionAttempt struct {
	// version is the version of the offer.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	Attempt `json:",inline"`
}

// PublishedVersion is a version in the repository.
type PublishedVersion struct {
	// version is the semantic version of the chart.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// appVersion is the version of what the chart installs.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	AppVersion string `json:"appVersion,omitempty"`

	// sourceDigest is that of the offer it was made from.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	SourceDigest string `json:"sourceDigest,omitempty"`

	// platformDigest is over the platform values it was rendered with.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	PlatformDigest string `json:"platformDigest,omitempty"`

	// paramsDigest is over the parameters that were merged into it.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ParamsDigest string `json:"paramsDigest,omitempty"`

	// hydrator is the revision of the steps that made it.
	// +optional
	Hydrator int32 `json:"hydrator,omitempty"`

	// digest is "sha256:<hex>" of the published archive.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`

	// url is that of the published archive.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`

	// reportURL is the folder of the long texts: values.yaml, objects.yaml,
	// images.json and others.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	ReportURL string `json:"reportURL,omitempty"`

	// images is how many different images it runs.
	// +optional
	Images int32 `json:"images,omitempty"`

	// publishedAt is when it was published.
	// +optional
	PublishedAt *metav1.Time `json:"publishedAt,omitempty"`

	// deprecated says that the source advises against it.
	// +optional
	Deprecated bool `json:"deprecated,omitempty"`

	// license specifies what must be bought before this version may be installed. If
	// not specified, the version is free.
	// +optional
	License *LicenseTerms `json:"license,omitempty"`
}

// AppImage is an image that an app runs.
type AppImage struct {
	// name is the reference in full.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Name string `json:"name,omitempty"`

	// digest is that of the manifest or index that the name stands for.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`

	// platforms are the builds, as os/architecture or os/architecture/variant.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=30
	// +kubebuilder:validation:items:MaxLength=64
	Platforms []string `json:"platforms,omitempty"`

	// size is that of the largest build in bytes, compressed.
	// +optional
	Size int64 `json:"size,omitempty"`

	// layers is how many layers the largest build has.
	// +optional
	Layers int32 `json:"layers,omitempty"`

	// problem says why the registry could not be asked.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Problem string `json:"problem,omitempty"`
}

// AppInfo is one app of one source: what the source offers, what hydration found
// and what is served. Its name is <source>.<app>. It is created, updated and
// removed by its MarketSource.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=appinfos,shortName=ainf,categories=market
// +kubebuilder:printcolumn:name="Title",type=string,JSONPath=`.status.summary.title`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="App Version",type=string,JSONPath=`.status.summary.appVersion`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Images",type=integer,JSONPath=`.status.summary.images`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.spec.sourceRef.name`,priority=1
// +kubebuilder:printcolumn:name="Withdrawn",type=boolean,JSONPath=`.spec.withdrawn`,priority=1
type AppInfo struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the source says of the app.
	// +required
	Spec AppInfoSpec `json:"spec,omitzero"`

	// status is what hydration found.
	// +optional
	// +default={"observedGeneration": -1}
	Status AppInfoStatus `json:"status,omitzero"`
}

// AppInfoList is a list of apps.
// +kubebuilder:object:root=true
type AppInfoList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the apps.
	Items []AppInfo `json:"items"`
}
