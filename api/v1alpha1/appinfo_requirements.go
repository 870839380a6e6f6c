package v1alpha1

// AppTranslation contains texts about an app in a language.
type AppTranslation struct {
	// locale is the language, as a language tag such as zh-CN.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=35
	Locale string `json:"locale,omitempty"`

	// title is the display name of the app. If not set, summary.title is used.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// description is a short description of the app. If not set, summary.description is used.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`
}

// AppFootprint describes what an app requests with the default values, as Kubernetes quantities.
// The Pods of CronJobs and hooks are not counted, and a DaemonSet is counted as one Pod.
type AppFootprint struct {
	// cpu is the CPU that the Pods request. If not set, they do not request CPU.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	CPU string `json:"cpu,omitempty"`

	// memory is the memory that the Pods request. If not set, they do not request memory.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Memory string `json:"memory,omitempty"`

	// storage is the storage that the PersistentVolumeClaims request. If not set, there is no claim
	// whose request is known.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Storage string `json:"storage,omitempty"`

	// pullBytes is the compressed size in bytes of the images for the platform with the largest
	// size in pullSizes.
	// +optional
	PullBytes int64 `json:"pullBytes,omitempty"`

	// pullSizes lists the compressed sizes of the images for each platform that all images support,
	// the largest first, at most 16. If there is no such platform, all platforms are listed. A layer
	// that several images contain counts once. Images that could not be looked up are not counted.
	// +optional
	// +listType=map
	// +listMapKey=platform
	// +kubebuilder:validation:MaxItems=16
	PullSizes []PlatformPullSize `json:"pullSizes,omitempty"`
}

// PlatformPullSize is the size of the images of an app for a platform.
type PlatformPullSize struct {
	// platform is the platform in the form os/architecture or os/architecture/variant.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Platform string `json:"platform,omitempty"`

	// bytes is the compressed size in bytes.
	// +required
	Bytes *int64 `json:"bytes,omitempty"`
}

// AccessScope specifies where an app needs permissions.
// +kubebuilder:validation:Enum=Namespace;Cluster
type AccessScope string

const (
	// AccessNamespace means that all objects and permissions of the app are in its namespace.
	AccessNamespace AccessScope = "Namespace"
	// AccessCluster means that the app has cluster-scoped objects, or objects or permissions in
	// other namespaces.
	AccessCluster AccessScope = "Cluster"
)

// AppAccess describes what the objects of an app may do outside their Pods, with the default
// values. The report permissions.json contains the details.
type AppAccess struct {
	// scope specifies where the app needs permissions.
	// +required
	Scope AccessScope `json:"scope,omitempty"`

	// privileged indicates whether a container runs in privileged mode or with the capability
	// SYS_ADMIN, or a Pod shares the process or IPC namespace of its node.
	// +optional
	Privileged bool `json:"privileged,omitempty"`

	// hostPath indicates whether a Pod mounts a directory of its node.
	// +optional
	HostPath bool `json:"hostPath,omitempty"`

	// hostNetwork indicates whether a Pod uses the network of its node.
	// +optional
	HostNetwork bool `json:"hostNetwork,omitempty"`

	// crds is the number of CustomResourceDefinitions.
	// +optional
	CRDs int32 `json:"crds,omitempty"`

	// rules is the number of permissions that the roles and bindings grant, one for each resource.
	// +optional
	Rules int32 `json:"rules,omitempty"`
}

// AppRequirements describes what the objects of an app require from a cluster, with the default
// values.
type AppRequirements struct {
	// kubernetesVersion is the range of Kubernetes versions in Chart.yaml. If not set, the chart
	// does not restrict the version.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`

	// kinds are the kinds that the app does not define itself, except kinds that every supported
	// Kubernetes version serves.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=60
	Kinds []RequiredKind `json:"kinds,omitempty"`

	// storageClassNames are the names of the StorageClasses of the claims.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	StorageClassNames []string `json:"storageClassNames,omitempty"`

	// defaultStorageClass indicates whether a claim does not specify a StorageClass.
	// +optional
	DefaultStorageClass bool `json:"defaultStorageClass,omitempty"`

	// ingressClassNames are the names of the IngressClasses of the Ingresses.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	IngressClassNames []string `json:"ingressClassNames,omitempty"`

	// imagePullSecretNames are the names of the image pull Secrets of the Pods and service accounts
	// that the app does not create. They are only required for images that cannot be pulled without
	// credentials.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	ImagePullSecretNames []string `json:"imagePullSecretNames,omitempty"`

	// podRequests are the largest requests of one Pod for each resource.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	PodRequests []ResourceAmount `json:"podRequests,omitempty"`
}

// RequiredKind is a kind that a cluster must serve.
type RequiredKind struct {
	// apiVersion is the API version of the kind.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	APIVersion string `json:"apiVersion,omitempty"`

	// kind is the name of the kind.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Kind string `json:"kind,omitempty"`
}

// ResourceAmount is an amount of a resource of a node.
type ResourceAmount struct {
	// name is the name of the resource, such as memory or nvidia.com/gpu.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// amount is the amount, as a Kubernetes quantity.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Amount string `json:"amount,omitempty"`
}

// PlacementVerdict specifies whether an app runs on this cluster.
// +kubebuilder:validation:Enum=Yes;NeedsAdministrator;No
type PlacementVerdict string

const (
	// PlacementYes means that the cluster meets the known requirements of the app.
	PlacementYes PlacementVerdict = "Yes"
	// PlacementNeedsAdministrator means that the cluster meets the known requirements, but that the
	// app can only be installed by a service account with permissions outside its namespace.
	PlacementNeedsAdministrator PlacementVerdict = "NeedsAdministrator"
	// PlacementNo means that the cluster does not meet a requirement.
	PlacementNo PlacementVerdict = "No"
)

// AppPlacement describes whether an app runs on this cluster. It is determined from the default
// values, without a namespace. The checks of a task also include the values and the namespace.
type AppPlacement struct {
	// verdict specifies whether the app runs on this cluster.
	// +required
	Verdict PlacementVerdict `json:"verdict,omitempty"`

	// reasons are sentences about the requirements that are not met, or about the permissions that
	// the app needs.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MaxLength=512
	Reasons []string `json:"reasons,omitempty"`
}
