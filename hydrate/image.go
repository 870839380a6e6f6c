package hydrate

// Image is an image that an app runs, and what its registry says of it.
type Image struct {
	// Reference is as the chart writes it.
	Reference string
	// Name is the reference in full, such as "docker.io/library/nginx:1.27".
	Name string
	// Where are the places that use it, as "Deployment/web container main", at
	// most 20.
	Where []string
	// Announced says that no object runs it and no app manifest names it: Chart.yaml
	// says that the app may use it.
	Announced bool `json:",omitempty"`
	// Detail is nil when no registry could be asked; Problem then says why.
	Detail  *ImageDetail
	Problem string
}

// ImageDetail is what a registry says of an image.
type ImageDetail struct {
	// Digest is "sha256:<hex>" of the manifest or index that the reference names.
	Digest string
	// Platforms has one entry for an image that is not an index.
	Platforms []ImagePlatform
}

// ImagePlatform is one build of an image.
type ImagePlatform struct {
	OS           string
	Architecture string
	Variant      string
	// Digest is that of the build's own manifest.
	Digest string
	// Size is the sum of the compressed layers in bytes, Layers their number.
	Size   int64
	Layers int
}
