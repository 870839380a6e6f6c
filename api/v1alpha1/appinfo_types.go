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
	SourceRef LocalObjectReference `json:"sourceRef,omitzero"`

	// app is the name of the app, that of its chart. Written by the source.
	// +required
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
}

// AppSummary describes an app.
type AppSummary struct {
	// title is the name for people.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// appVersion is the version of what the chart installs.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	AppVersion string `json:"appVersion,omitempty"`

	// description is one sentence.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Description string `json:"description,omitempty"`

	// icon is the URL of a picture.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Icon string `json:"icon,omitempty"`

	// categories are those of the manifest.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=100
	Categories []string `json:"categories,omitempty"`

	// type is app or middleware, or that of the chart.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Type string `json:"type,omitempty"`

	// developer is who makes it.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Developer string `json:"developer,omitempty"`

	// licenses are the names of its licences.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=200
	Licenses []string `json:"licenses,omitempty"`

	// entrances are the ways into the app.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Entrances []Entrance `json:"entrances,omitempty"`

	// architectures are those that the app says it supports.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=32
	Architectures []string `json:"architectures,omitempty"`

	// resources are what it asks the node for.
	// +optional
	Resources *AppResources `json:"resources,omitempty"`

	// dependencies are other apps, middleware and the system version it needs.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Dependencies []AppDependency `json:"dependencies,omitempty"`

	// inputs are the values that whoever installs the app may or must give.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Inputs []Input `json:"inputs,omitempty"`

	// permissions are what the manifest asks of the platform.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=200
	Permissions []string `json:"permissions,omitempty"`

	// cloneable says that the app may be installed more than once.
	// +optional
	Cloneable bool `json:"cloneable,omitempty"`

	// clone says whether a second instance would get in the way of the first.
	// Unset where it was not looked at, for an app that may be installed once.
	// +optional
	Clone *CloneSafety `json:"clone,omitempty"`

	// license is what must be bought before the app may be installed.
	// +optional
	License *LicenseTerms `json:"license,omitempty"`

	// conflicts are apps beside which this one cannot run.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Conflicts []AppDependency `json:"conflicts,omitempty"`

	// images counts the different images.
	// +optional
	Images int32 `json:"images,omitempty"`

	// subCharts are the chart units that are installed as releases of their own;
	// empty for an app of one chart.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	SubCharts []SubChart `json:"subCharts,omitempty"`

	// kinds counts the objects that the app renders to, by kind.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +kubebuilder:validation:MaxItems=60
	Kinds []KindCount `json:"kinds,omitempty"`

	// warnings are what of the manifest was not understood.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=512
	Warnings []string `json:"warnings,omitempty"`
}

// CloneVerdict says where a second instance of an app can live.
// +kubebuilder:validation:Enum=Safe;NamespacedOnly;Unsafe
type CloneVerdict string

const (
	// CloneSafe allows a second instance in the same namespace.
	CloneSafe CloneVerdict = "Safe"
	// CloneNamespacedOnly allows one in another namespace.
	CloneNamespacedOnly CloneVerdict = "NamespacedOnly"
	// CloneUnsafe allows none in the cluster.
	CloneUnsafe CloneVerdict = "Unsafe"
)

// CloneSafety says whether two instances of an app get in each other's way.
type CloneSafety struct {
	// verdict says where a second instance can live.
	// +required
	Verdict CloneVerdict `json:"verdict,omitempty"`

	// collisions are the first 50 things that both would claim.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=253
	Collisions []string `json:"collisions,omitempty"`
}

// LicenseTerms are what must be bought before an app may be installed.
type LicenseTerms struct {
	// product is what the credential must name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Product string `json:"product,omitempty"`

	// issuer is who issues the credential.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Issuer string `json:"issuer,omitempty"`

	// prices are what it costs, each one way to pay, as the developer writes it.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	Prices []string `json:"prices,omitempty"`
}

// SubChart is a chart unit of an app that is installed as a release of its own.
type SubChart struct {
	// name is that of the chart and of its folder.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// shared says that it serves every user of the cluster.
	// +optional
	Shared bool `json:"shared,omitempty"`
}

// KindCount counts objects of a kind.
type KindCount struct {
	// kind is the kind with its group, such as Deployment.apps.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	Kind string `json:"kind,omitempty"`

	// count is how many there are.
	// +required
	Count int32 `json:"count"`
}

// AppResources are what an app asks the node for, as Kubernetes quantities.
type AppResources struct {
	// cpu is the processor time required.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	CPU string `json:"cpu,omitempty"`

	// memory is the memory required.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Memory string `json:"memory,omitempty"`

	// disk is the space required.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Disk string `json:"disk,omitempty"`

	// gpu is the memory of a GPU required.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	GPU string `json:"gpu,omitempty"`
}

// AppDependency is something an app needs.
type AppDependency struct {
	// name is that of the app, the middleware or the system.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// type is application, middleware or system.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Type string `json:"type,omitempty"`

	// version is a range of semantic versions.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Version string `json:"version,omitempty"`

	// mandatory says that the app does not work without it.
	// +optional
	Mandatory bool `json:"mandatory,omitempty"`
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
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
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
