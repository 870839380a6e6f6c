package images

import "errors"

// Image is an image of an app and the facts that its registry reports.
type Image struct {
	// Reference is the reference as written in the chart.
	Reference string `json:"reference"`
	// Name is the full reference, such as "docker.io/library/nginx:1.27".
	Name string `json:"name"`
	// Where lists up to 20 places that use the image, such as "Deployment/web container
	// main".
	Where []string `json:"where"`
	// Announced reports that no pod spec and not the app manifest names the image. An annotation,
	// an environment variable, an argument or a field of a custom resource names it.
	Announced bool `json:"announced,omitempty"`
	// Access describes how the registry has responded. It is empty if the registry has not responded.
	Access Access `json:"access,omitempty"`
	// Detail is nil if no registry returned the image. Problem then describes the error.
	Detail  *Detail `json:"detail,omitempty"`
	Problem string  `json:"problem,omitempty"`
}

// Access describes what the registry of an image requires.
type Access string

// Kinds of access. Public images were looked up without credentials.
const (
	AccessPublic          Access = "Public"
	AccessWithCredentials Access = "Credentials"
	AccessDenied          Access = "Denied"
)

// ErrDenied indicates that a registry requires other credentials.
var ErrDenied = errors.New("access denied")

// AccessOf returns the access to an image that was looked up with a result.
func AccessOf(detail *Detail, err error) Access {
	switch {
	case errors.Is(err, ErrDenied):
		return AccessDenied
	case err != nil:
		return ""
	case detail.Authenticated:
		return AccessWithCredentials
	}
	return AccessPublic
}

// Detail describes an image as its registry reports it.
type Detail struct {
	// Digest is the digest of the manifest or index that the reference resolves to.
	Digest string `json:"digest"`
	// Authenticated reports whether credentials for the registry were used.
	Authenticated bool `json:"-"`
	// Platforms has one entry if the image is not an index.
	Platforms []Platform `json:"platforms"`
}

// Platform describes the build of an image for one platform.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant,omitempty"`
	// Digest is the digest of the manifest of this build.
	Digest string `json:"digest"`
	// Size is the total size of the compressed layers in bytes, each different layer once, and
	// Layers is their number.
	Size   int64 `json:"size"`
	Layers int   `json:"layers"`
	// Blobs are the different layers. It is one item with the digest of the manifest if the image
	// has more than MaxLayers layers.
	Blobs []Layer `json:"-"`
}
