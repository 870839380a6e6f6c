package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// LicenseIssuer issues credentials of apps that must be bought.
// +kubebuilder:validation:XValidation:rule="[has(self.keys), has(self.keysRef), has(self.keysURL)].filter(x, x).size() == 1",message="exactly one of keys, keysRef and keysURL must be set"
type LicenseIssuer struct {
	// issuer is what the credential names in its claim iss, and the app as its
	// developer.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Issuer string `json:"issuer,omitempty"`

	// keys is a JSON Web Key Set.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=65536
	Keys string `json:"keys,omitempty"`

	// keysRef is the key of a Secret of the source's namespace that holds a JSON
	// Web Key Set.
	// +optional
	KeysRef *KeyReference `json:"keysRef,omitempty"`

	// keysURL is where a JSON Web Key Set is fetched, by HTTPS.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.startsWith('https://')",message="keysURL must begin with https://"
	KeysURL string `json:"keysURL,omitempty"`

	// subject is what the credential must name in its claim sub. Unset means that
	// it may name anybody.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Subject string `json:"subject,omitempty"`

	// checkoutURL is where a signed purchase request is posted, by HTTPS. Unset
	// means that credentials are had in another way.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.startsWith('https://')",message="checkoutURL must begin with https://"
	CheckoutURL string `json:"checkoutURL,omitempty"`
}

// HelmSource is a Helm repository over HTTP.
type HelmSource struct {
	// url is the address of the folder in which index.yaml lies, with the scheme
	// http or https, and without credentials.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.startsWith('http://') || self.startsWith('https://')",message="url must begin with http:// or https://; OCI registries are not supported"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^https?://[^/]*@')",message="url must not hold credentials; use secretRef"
	URL string `json:"url,omitempty"`
}

// DirectorySource is a folder of charts, unpacked or as archives.
type DirectorySource struct {
	// path is the folder, absolute, below one of the roots that the operator's
	// flag --allowed-directories names for the namespace, which must be one of
	// those that --market-namespaces names.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="path must be absolute"
	Path string `json:"path,omitempty"`
}

// SharingFrom says which namespaces may use a source.
// +kubebuilder:validation:Enum=Same;All;Selector
type SharingFrom string

const (
	// SharingSame allows only the namespace of the source.
	SharingSame SharingFrom = "Same"
	// SharingAll allows every namespace.
	SharingAll SharingFrom = "All"
	// SharingSelector allows the namespaces that the selector matches.
	SharingSelector SharingFrom = "Selector"
)

// Sharing says which namespaces may use a source. The joined index of the
// repository holds the sources that are shared with all. It has effect only in a
// namespace that the operator's flag --market-namespaces names; in any other the
// condition SharingIgnored says so.
// +kubebuilder:validation:XValidation:rule="self.from != 'Selector' || has(self.selector)",message="selector is required when from is Selector"
// +kubebuilder:validation:XValidation:rule="self.from == 'Selector' || !has(self.selector)",message="selector may only be set when from is Selector"
type Sharing struct {
	// from is Same, All or Selector.
	// +required
	From SharingFrom `json:"from,omitempty"`

	// selector matches the labels of namespaces.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// VersionPolicy says which versions of an app are hydrated.
type VersionPolicy struct {
	// keep is the number of versions of each app that are hydrated: the newest ones,
	// among them always the newest that is no prerelease. Defaults to 3.
	// +optional
	// +default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=50
	Keep int32 `json:"keep,omitempty"`
}

// PlatformProfile names a set of values that charts expect of their platform.
// +kubebuilder:validation:Enum=Helm;Olares
type PlatformProfile string

const (
	// ProfileHelm adds nothing.
	ProfileHelm PlatformProfile = "Helm"
	// ProfileOlares gives every value that Olares application charts read.
	ProfileOlares PlatformProfile = "Olares"
)

// Platform is what charts are rendered with beside their own values. It is not
// published; it is used again at install, below the values of the tenant.
type Platform struct {
	// profile names a set of values that charts expect of their platform.
	// +optional
	// +default="Helm"
	Profile PlatformProfile `json:"profile,omitempty"`

	// values are merged over those of the profile.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Values *runtime.RawExtension `json:"values,omitempty"`
}
