package v1alpha1

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

	// shared says that it serves every user of the cluster. It is installed once,
	// in the namespace that is called after it: <name>-shared.
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
