package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// LicenseIssuer specifies an issuer of credentials for apps that must be purchased. Exactly one
// of keys, keysSecretRef and keysURL must be set.
// +kubebuilder:validation:XValidation:rule="[has(self.keys), has(self.keysSecretRef), has(self.keysURL)].filter(x, x).size() == 1",message="exactly one of keys, keysSecretRef and keysURL must be set"
type LicenseIssuer struct {
	// issuer specifies the name of the issuer. It must equal the `iss` claim of the credential
	// and the developer of the app.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Issuer string `json:"issuer,omitempty"`

	// keys specifies the public keys of the issuer as a JSON Web Key Set.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=65536
	Keys string `json:"keys,omitempty"`

	// keysSecretRef refers to the key of a Secret in the namespace of the source that contains the
	// public keys of the issuer as a JSON Web Key Set.
	// +optional
	KeysSecretRef *KeyReference `json:"keysSecretRef,omitempty"`

	// keysURL specifies the HTTPS URL from which the public keys of the issuer are fetched as a
	// JSON Web Key Set.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.startsWith('https://')",message="keysURL must begin with https://"
	KeysURL string `json:"keysURL,omitempty"`

	// subject specifies the required value of the `sub` claim of the credential. If not
	// specified, any subject is accepted.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Subject string `json:"subject,omitempty"`

	// checkoutURL specifies the HTTPS URL to which signed purchase requests are sent. If not
	// specified, credentials cannot be purchased through a task.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.startsWith('https://')",message="checkoutURL must begin with https://"
	CheckoutURL string `json:"checkoutURL,omitempty"`
}

// HelmSource specifies a Helm repository over HTTP.
type HelmSource struct {
	// url specifies the URL of the directory that contains index.yaml. The scheme must be http
	// or https. The URL must not contain credentials; use secretRef instead.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.startsWith('http://') || self.startsWith('https://')",message="url must begin with http:// or https://; for a registry, use type OCI"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^https?://[^/]*@')",message="url must not contain credentials; use secretRef"
	URL string `json:"url,omitempty"`

	// secretRef refers to a Secret in the same namespace that contains the keys username and
	// password for basic authentication, or the key token for a bearer token. The Secret must
	// have the label appmarket.io/credentials with the value "true". The credentials are sent
	// only to the host of the source, and not to other hosts to which it redirects or refers.
	// If not specified, requests are not authenticated.
	// +optional
	SecretRef *LocalObjectReference `json:"secretRef,omitempty"`

	// certSecretRef refers to a Secret in the same namespace. Its key ca.crt contains PEM-encoded CA
	// certificates, which are trusted in addition to the CA certificates of the system. Its keys tls.crt
	// and tls.key contain a PEM-encoded client certificate and its private key, which are used only for
	// the server in url. The Secret must contain ca.crt, or tls.crt and tls.key, or all of them. If it
	// contains tls.key, it must have the label appmarket.io/credentials with the value "true". If not
	// specified, only the CA certificates of the system are trusted, and no client certificate is used.
	// +optional
	CertSecretRef *LocalObjectReference `json:"certSecretRef,omitempty"`

	// proxySecretRef refers to a Secret in the same namespace whose key address contains the http or
	// https URL of a proxy for all requests of the source. Its optional keys username and password
	// contain the credentials for the proxy. The Secret must have the label appmarket.io/credentials
	// with the value "true". If not specified, the proxy of the operator is used, if it has one.
	// +optional
	ProxySecretRef *LocalObjectReference `json:"proxySecretRef,omitempty"`
}

// OCISource specifies charts in an OCI registry, as `helm push` stores them.
// +kubebuilder:validation:XValidation:rule="!has(self.charts) || !has(self.allCharts) || !self.allCharts",message="charts may not be set when allCharts is true"
type OCISource struct {
	// url specifies the repository of a chart, such as oci://registry.example/charts/web. If charts
	// is set or allCharts is true, it specifies the path below which the repositories are. The name
	// of a chart is the last part of its repository, and its versions are the tags that are semantic
	// versions.
	// +required
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^oci://[^/@?#]+(/[^@?#]*)?$')",message="url must begin with oci:// and a host, and must not contain credentials, a tag or a digest"
	URL string `json:"url,omitempty"`

	// charts specifies the names of the charts below url. If not specified, url is the repository
	// of the only chart.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=200
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=200
	Charts []string `json:"charts,omitempty"`

	// allCharts specifies whether all charts directly below url are offered. The operator finds them
	// in the catalog of the registry, which some public registries do not provide. It can be set to
	// true only if charts is not specified. Defaults to false.
	// +optional
	AllCharts *bool `json:"allCharts,omitempty"`

	// secretRef refers to a Secret in the same namespace that contains the keys username and
	// password, or has the type kubernetes.io/dockerconfigjson and an entry for the registry. The
	// Secret must have the label appmarket.io/credentials with the value "true". The credentials are
	// sent only to the registry, and to its server for tokens if that is in the same domain. If not
	// specified, the registry is accessed anonymously.
	// +optional
	SecretRef *LocalObjectReference `json:"secretRef,omitempty"`

	// certSecretRef refers to a Secret in the same namespace. Its key ca.crt contains PEM-encoded CA
	// certificates, which are trusted in addition to the CA certificates of the system. Its keys tls.crt
	// and tls.key contain a PEM-encoded client certificate and its private key, which are used only for
	// the server in url. The Secret must contain ca.crt, or tls.crt and tls.key, or all of them. If it
	// contains tls.key, it must have the label appmarket.io/credentials with the value "true". If not
	// specified, only the CA certificates of the system are trusted, and no client certificate is used.
	// +optional
	CertSecretRef *LocalObjectReference `json:"certSecretRef,omitempty"`

	// proxySecretRef refers to a Secret in the same namespace whose key address contains the http or
	// https URL of a proxy for all requests of the source. Its optional keys username and password
	// contain the credentials for the proxy. The Secret must have the label appmarket.io/credentials
	// with the value "true". If not specified, the proxy of the operator is used, if it has one.
	// +optional
	ProxySecretRef *LocalObjectReference `json:"proxySecretRef,omitempty"`

	// insecure specifies whether the registry can be accessed over HTTP if it does not support
	// HTTPS. Defaults to false.
	// +optional
	Insecure *bool `json:"insecure,omitempty"`
}

// DirectorySource specifies a directory that contains charts, unpacked or as archives.
type DirectorySource struct {
	// path specifies the absolute path of the directory. It must be below a root that the
	// operator's flag --allowed-directories allows for the namespace, and the namespace must be
	// listed in the flag --market-namespaces.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="path must be absolute"
	Path string `json:"path,omitempty"`
}

// FromNamespaces specifies which namespaces can use a source.
// +kubebuilder:validation:Enum=Same;All;Selector
type FromNamespaces string

const (
	// NamespacesFromSame allows only the namespace of the source.
	NamespacesFromSame FromNamespaces = "Same"
	// NamespacesFromAll allows all namespaces.
	NamespacesFromAll FromNamespaces = "All"
	// NamespacesFromSelector allows the namespaces whose labels match the selector.
	NamespacesFromSelector FromNamespaces = "Selector"
)

// AllowedNamespaces specifies which namespaces can use a source. The aggregate index of the repository
// contains the sources that are shared with all namespaces. It has an effect only in namespaces
// that are listed in the operator's flag --market-namespaces. In any other namespace, the
// condition AllowedNamespacesIgnored is True.
// +kubebuilder:validation:XValidation:rule="self.from != 'Selector' || has(self.selector)",message="selector is required when from is Selector"
// +kubebuilder:validation:XValidation:rule="self.from == 'Selector' || !has(self.selector)",message="selector may only be set when from is Selector"
type AllowedNamespaces struct {
	// from specifies which namespaces can use the source: Same, All or Selector.
	// +required
	From FromNamespaces `json:"from,omitempty"`

	// selector selects namespaces by their labels. It is required if from is Selector, and
	// cannot be set otherwise.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// AppFilter specifies which apps and versions of a source are hydrated.
type AppFilter struct {
	// include specifies glob patterns, such as "gitea" or "ollama*". Only apps whose name
	// matches a pattern are included. If not specified, all apps are included.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Include []string `json:"include,omitempty"`

	// exclude specifies glob patterns. Apps whose name matches a pattern are excluded, even if
	// they match a pattern in include. If not specified, no apps are excluded.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Exclude []string `json:"exclude,omitempty"`

	// versions specifies a range of semantic versions, such as ">=1.2.0 <3". Only versions in the range are
	// hydrated. If not specified, all versions are included.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Versions string `json:"versions,omitempty"`

	// prereleases specifies whether prereleases, such as 2.0.0-rc.1, are hydrated. If not specified,
	// prereleases are hydrated, or, if versions is set, only those that the range mentions, such as
	// ">=2.0.0-0".
	// +optional
	Prereleases *bool `json:"prereleases,omitempty"`

	// maxVersions specifies the maximum number of versions of each app that are hydrated. The latest
	// versions are used, which always include the latest stable version. Must be from 1 to 50.
	// Defaults to 3.
	// +optional
	// +default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=50
	MaxVersions int32 `json:"maxVersions,omitempty"`
}

// PlatformProfile is a set of values that charts expect from their platform.
// +kubebuilder:validation:Enum=Helm;Olares
type PlatformProfile string

const (
	// ProfileHelm contains no values.
	ProfileHelm PlatformProfile = "Helm"
	// ProfileOlares contains the values that Olares application charts use.
	ProfileOlares PlatformProfile = "Olares"
)

// Platform specifies values with which charts are rendered in addition to their own values.
// They are not published. They are used again for each installation, where the values of the
// instance override them.
type Platform struct {
	// profile specifies a predefined set of values: Helm or Olares. Defaults to Helm.
	// +optional
	// +default="Helm"
	Profile PlatformProfile `json:"profile,omitempty"`

	// values specifies values that override the values of the profile. If not specified, the
	// values of the profile are used.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Values *runtime.RawExtension `json:"values,omitempty"`
}
