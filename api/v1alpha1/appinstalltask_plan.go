package v1alpha1

// Plan describes the changes that an operation would make.
type Plan struct {
	// chartDigest is the digest of the published chart, in the form `sha256:<hex>`. It is set
	// only if the operation would install a chart.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ChartDigest string `json:"chartDigest,omitempty"`

	// subtasks are the tasks that would be created and run first, in order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Subtasks []PlannedSubtask `json:"subtasks,omitempty"`

	// objectsCreated is the number of objects that would be created.
	// +optional
	ObjectsCreated int32 `json:"objectsCreated,omitempty"`

	// objectsChanged is the number of objects that would be changed.
	// +optional
	ObjectsChanged int32 `json:"objectsChanged,omitempty"`

	// objectsDeleted is the number of objects that would be deleted.
	// +optional
	ObjectsDeleted int32 `json:"objectsDeleted,omitempty"`

	// objectsRetained is the number of objects that would remain, without being part of the
	// instance any more.
	// +optional
	ObjectsRetained int32 `json:"objectsRetained,omitempty"`

	// objects lists the objects that would be created, changed, deleted or retained, at most
	// 200.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=200
	Objects []PlannedObject `json:"objects,omitempty"`

	// imagesAdded lists the first 100 images that the instance does not use yet.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	ImagesAdded []PlannedImage `json:"imagesAdded,omitempty"`

	// imagesRemoved lists the first 100 images that the instance would not use any more.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	ImagesRemoved []PlannedImage `json:"imagesRemoved,omitempty"`

	// imageBytesAdded is the compressed size in bytes of the layers of all added images that no image
	// of the installed version contains, each layer once, for the platform with the largest size.
	// Images that are not in the reports of the versions are not counted.
	// +optional
	ImageBytesAdded int64 `json:"imageBytesAdded,omitempty"`

	// imageBytesRemoved is the compressed size in bytes of the layers of all removed images that no
	// image of the new version contains.
	// +optional
	ImageBytesRemoved int64 `json:"imageBytesRemoved,omitempty"`

	// permissionsAdded lists the first 50 permissions that the roles and bindings of the app
	// would grant and the installed version does not, such as
	// `get, list secrets in namespace "demo"`.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=512
	PermissionsAdded []string `json:"permissionsAdded,omitempty"`

	// unusedValues lists the paths of the first 50 values in values and valuesFrom that the default
	// values of the installed version contain and the new version does not have. Keys are
	// separated by dots; a dot in a key is written as `\.`.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=253
	UnusedValues []string `json:"unusedValues,omitempty"`
}

// PlannedImage is an image that an instance would use, or would not use any more.
type PlannedImage struct {
	// name is the full reference of the image.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Name string `json:"name,omitempty"`

	// largestPlatformBytes is the compressed size in bytes of the image for the platform with the
	// largest image. It is not set if the reports of the versions do not contain the image.
	// +optional
	LargestPlatformBytes int64 `json:"largestPlatformBytes,omitempty"`
}

// PlannedSubtask is a task that another task would create.
type PlannedSubtask struct {
	// action is the operation that the task would request.
	// +required
	Action Action `json:"action,omitempty"`

	// instance is the name of the AppInstance of the task.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Instance string `json:"instance,omitempty"`

	// namespace is the namespace of the AppInstance. If not set, it is the namespace of the
	// creating task.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// version is the version that would be installed.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`
}

// ObjectChange describes what an operation does to an object.
// +kubebuilder:validation:Enum=Created;Changed;Deleted;Retained
type ObjectChange string

const (
	// ObjectCreated indicates that the object is not part of the instance yet.
	ObjectCreated ObjectChange = "Created"
	// ObjectChanged indicates that the object is rendered differently than before.
	ObjectChanged ObjectChange = "Changed"
	// ObjectDeleted indicates that the object is deleted.
	ObjectDeleted ObjectChange = "Deleted"
	// ObjectRetained indicates that the object remains, without being part of the instance any
	// more.
	ObjectRetained ObjectChange = "Retained"
)

// PlannedObject is an object that an operation would change.
type PlannedObject struct {
	// change describes what would happen to the object.
	// +required
	Change ObjectChange `json:"change,omitempty"`

	// object refers to the object.
	// +required
	Object ObjectReference `json:"object,omitzero"`

	// storage is the storage that the object requests, if it is a PersistentVolumeClaim whose
	// request is known, as a Kubernetes quantity.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Storage string `json:"storage,omitempty"`
}
