package v1alpha1

// AppSummary describes a version of an app.
type AppSummary struct {
	// title is the display name of the app.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// appVersion is the version of the application that the chart installs.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	AppVersion string `json:"appVersion,omitempty"`

	// description is a short description of the app.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Description string `json:"description,omitempty"`

	// icon is the URL of the icon of the app.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Icon string `json:"icon,omitempty"`

	// categories are the categories of the app in its manifest. Without an app manifest, it is
	// the category in annotation "artifacthub.io/category" or "category" of the chart.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=100
	Categories []string `json:"categories,omitempty"`

	// keywords are the keywords of the chart.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=100
	Keywords []string `json:"keywords,omitempty"`

	// type is the type of the app in its manifest, such as app or middleware. If the manifest
	// does not specify a type, it is the type of the chart: application or library.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Type string `json:"type,omitempty"`

	// developer is the name of the developer in the app manifest. If the manifest does not
	// specify a developer, it is the name of the first maintainer of the chart.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Developer string `json:"developer,omitempty"`

	// licenses are the names of the licenses under which the app is distributed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=200
	Licenses []string `json:"licenses,omitempty"`

	// entrances are the user-facing endpoints of the app.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Entrances []AppEntrance `json:"entrances,omitempty"`

	// architectures are the CPU architectures that the app manifest declares as supported.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=32
	Architectures []string `json:"architectures,omitempty"`

	// resources are the node resources that the app manifest requires.
	// +optional
	Resources *AppResources `json:"resources,omitempty"`

	// dependencies are the apps, the middleware and the system version that the app depends on.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Dependencies []AppDependency `json:"dependencies,omitempty"`

	// inputs are the values that can or must be specified in spec.inputs to install the app.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Inputs []Input `json:"inputs,omitempty"`

	// permissions are the platform permissions that the app manifest requests.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=200
	Permissions []string `json:"permissions,omitempty"`

	// cloneable indicates whether the app manifest allows more than one instance of the app.
	// Apps without a manifest are not restricted.
	// +optional
	Cloneable bool `json:"cloneable,omitempty"`

	// adminOnly indicates whether the app manifest restricts the installation of the app to
	// administrators. The service account that installs the app needs permission to administer
	// the instance.
	// +optional
	AdminOnly bool `json:"adminOnly,omitempty"`

	// clusterSingleton indicates whether the app serves the whole cluster and can be installed
	// at most once in it. The service account that installs the app needs permission to
	// administer the instance. Apps with shared charts are not restricted, because only their
	// shared charts serve the cluster.
	// +optional
	ClusterSingleton bool `json:"clusterSingleton,omitempty"`

	// clone describes whether a second instance of the app conflicts with the first. It is not
	// set if the app manifest does not allow more than one instance.
	// +optional
	Clone *CloneSafety `json:"clone,omitempty"`

	// purchase describes the purchase that is required before the app can be installed. If not
	// set, no purchase is required.
	// +optional
	Purchase *PurchaseTerms `json:"purchase,omitempty"`

	// conflicts are the apps that cannot be installed together with this app.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Conflicts []AppDependency `json:"conflicts,omitempty"`

	// imageCount is the number of distinct images of the app.
	// +optional
	ImageCount int32 `json:"imageCount,omitempty"`

	// subCharts are the charts of the app that are installed as separate Helm releases. It is
	// empty for an app that consists of a single chart.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	SubCharts []SubChart `json:"subCharts,omitempty"`

	// kinds lists the kinds of the rendered objects and their numbers.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +kubebuilder:validation:MaxItems=60
	Kinds []KindCount `json:"kinds,omitempty"`

	// translations are the title and the description in other languages.
	// +optional
	// +listType=map
	// +listMapKey=locale
	// +kubebuilder:validation:MaxItems=8
	Translations []AppTranslation `json:"translations,omitempty"`

	// footprint describes what the app requests. It is not set if the objects are unknown.
	// +optional
	Footprint *AppFootprint `json:"footprint,omitempty"`

	// access describes what the objects of the app may do outside their Pods. It is not set if the
	// objects are unknown.
	// +optional
	Access *AppAccess `json:"access,omitempty"`

	// requirements describes what the app requires from a cluster. It is not set if the objects are
	// unknown.
	// +optional
	Requirements *AppRequirements `json:"requirements,omitempty"`

	// warnings are problems that did not prevent hydration, such as unknown parts of the app
	// manifest, values that the chart requires, or information that was omitted because of its
	// size.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=512
	Warnings []string `json:"warnings,omitempty"`
}

// IsSingleInstance reports whether the app allows only one instance in a namespace. A chart without
// an Olares manifest has no such restriction.
func (s *AppSummary) IsSingleInstance() bool {
	return s.ClusterSingleton || (s.Type == "app" || s.Type == "middleware") && !s.Cloneable
}

// CloneVerdict specifies where a second instance of an app can be installed.
// +kubebuilder:validation:Enum=Safe;NamespacedOnly;Unsafe
type CloneVerdict string

const (
	// CloneSafe means that a second instance can be installed in the same namespace.
	CloneSafe CloneVerdict = "Safe"
	// CloneNamespacedOnly means that a second instance can be installed only in another
	// namespace.
	CloneNamespacedOnly CloneVerdict = "NamespacedOnly"
	// CloneUnsafe means that a second instance cannot be installed in the cluster.
	CloneUnsafe CloneVerdict = "Unsafe"
)

// CloneSafety describes whether two instances of an app conflict.
type CloneSafety struct {
	// verdict specifies where a second instance can be installed.
	// +required
	Verdict CloneVerdict `json:"verdict,omitempty"`

	// collisions are the first 50 resources that both instances would claim, such as object
	// names, hosts and ports.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=253
	Collisions []string `json:"collisions,omitempty"`
}

// PurchaseTerms describes the purchase that is required before an app can be installed.
type PurchaseTerms struct {
	// product is the product that the credential must name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Product string `json:"product,omitempty"`

	// issuer is the issuer of the credential.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Issuer string `json:"issuer,omitempty"`

	// prices are the alternative prices of the product, as specified by the developer.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	Prices []string `json:"prices,omitempty"`
}

// SubChart is a chart of an app that is installed as a separate Helm release.
type SubChart struct {
	// name is the name of the chart and of its directory.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// shared indicates whether the chart is shared by all users of the cluster. A shared chart
	// is installed once, in the namespace `<name>-shared`.
	// +optional
	Shared bool `json:"shared,omitempty"`
}

// KindCount is the number of objects of a kind.
type KindCount struct {
	// kind is the kind, followed by its API group if it has one, such as ConfigMap or
	// Deployment.apps.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	Kind string `json:"kind,omitempty"`

	// count is the number of objects.
	// +required
	Count int32 `json:"count"`
}

// AppResources describes the node resources that an app requires, as Kubernetes quantities.
type AppResources struct {
	// cpu is the required CPU.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	CPU string `json:"cpu,omitempty"`

	// memory is the required memory.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Memory string `json:"memory,omitempty"`

	// disk is the required disk space.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Disk string `json:"disk,omitempty"`

	// gpu is the required GPU memory.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	GPU string `json:"gpu,omitempty"`
}

// AppDependency is an app, a middleware or a system that an app depends on or conflicts with.
type AppDependency struct {
	// name is the name of the app, the middleware or the system.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// type is the type of the dependency: application, middleware or system.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Type string `json:"type,omitempty"`

	// version is the range of semantic versions that the app depends on or conflicts with.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Version string `json:"version,omitempty"`

	// required indicates whether the app requires the dependency. A missing app that is not
	// required does not prevent the installation.
	// +optional
	Required bool `json:"required,omitempty"`
}
