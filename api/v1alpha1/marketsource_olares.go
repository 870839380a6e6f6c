package v1alpha1

// OlaresSource specifies an app store with the protocol of Olares.
type OlaresSource struct {
	// url specifies the URL of the app store, below which the operator requests api/v1/appstore/hash. The
	// scheme must be http or https. The URL must not contain credentials; use secretRef instead.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/@?#]+(/[^?#]*)?$')",message="url must begin with http:// or https://, and must not contain credentials or a query"
	URL string `json:"url,omitempty"`

	// systemVersion specifies the version of Olares for which the app store lists its apps, such as
	// 1.12.6. If not specified, the app store decides.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z.+-]+$`
	SystemVersion string `json:"systemVersion,omitempty"`

	// secretRef refers to a Secret in the same namespace that contains the keys username and
	// password for basic authentication, or the key token for a bearer token. The Secret must
	// have the label appmarket.io/credentials with the value "true". The credentials are sent
	// only to the host of the app store. If not specified, requests are not authenticated.
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
