package images

// Image is an image that an app runs, and what its registry says of it.
type Image struct {
	// Reference is as the chart writes it.
	Reference string `json:"reference"`
	// Name is the reference in full, such as "docker.io/library/nginx:1.27".
	Name string `json:"name"`
	// Where are the places that use it, as "Deployment/web container main", at
	// most 20.
	Where []string `json:"where"`
	// Announced says that no object runs it and no app manifest names it: Chart.yaml
	// says that the app may use it.
	Announced bool `json:"announced,omitempty"`
	// Detail is nil when no registry could be asked; Problem then says why.
	Detail  *Detail `json:"detail,omitempty"`
	Problem string  `json:"problem,omitempty"`
}

// ImageDetail is what a registry says of an image.
type Detail struct {
	// Digest is "sha256:<hex>" of the manifest or index that the reference names.
	Digest string `json:"digest"`
	// Platforms has one entry for an image that is not an index.
	Platforms []Platform `json:"platforms"`
}

// ImagePlatform is one build of an image.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant,omitempty"`
	// Digest is that of the build's own manifest.
	Digest string `json:"digest"`
	// Size is the sum of the compressed layers in bytes, Layers their number.
	Size   int64 `json:"size"`
	Layers int   `json:"layers"`
}
