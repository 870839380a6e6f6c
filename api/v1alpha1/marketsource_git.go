package v1alpha1

// GitSource specifies charts in a git repository.
// +kubebuilder:validation:XValidation:rule="!has(self.proxySecretRef) || self.url.startsWith('https://')",message="proxySecretRef may only be set when url begins with https://, because SSH does not use a proxy"
type GitSource struct {
	// url specifies the URL of the repository, such as https://git.example/team/charts.git or
	// ssh://git@git.example/team/charts.git. The scheme must be https or ssh. The URL must not
	// contain credentials; use secretRef instead.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^https://[^/@?#]+/[^?#]+$') || self.matches('^ssh://([A-Za-z0-9._-]+@)?[^/@?#]+/[^?#]+$')",message="url must have the form https://host/path or ssh://user@host/path, without credentials and query"
	URL string `json:"url,omitempty"`

	// ref specifies the commit that is read. If not specified, the end of the default branch of the
	// repository is read.
	// +optional
	Ref *GitReference `json:"ref,omitempty"`

	// path specifies the directory of the repository that contains the charts, relative to the root
	// of the repository. Each directory in it that contains a Chart.yaml is a version of an app. If the
	// directory itself contains a Chart.yaml, it is the only app. If not specified, it is the root of
	// the repository.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.split('/').exists(part, part == '..' || part.lowerAscii() == '.git')",message="path must be relative, and must not contain .. or .git"
	Path string `json:"path,omitempty"`

	// secretRef refers to a Secret in the same namespace. For https, it contains the keys username and
	// password for basic authentication, or the key token for a bearer token. For ssh, it is required,
	// and contains the private key ssh-privatekey and the keys of the server in known_hosts. The Secret
	// must have the label appmarket.io/credentials with the value "true". The credentials are sent only
	// to the server of the repository. If not specified, requests are not authenticated.
	// +optional
	SecretRef *LocalObjectReference `json:"secretRef,omitempty"`

	// certSecretRef refers to a Secret in the same namespace. Its key ca.crt contains PEM-encoded CA
	// certificates, which are trusted in addition to the CA certificates of the system. Its keys tls.crt
	// and tls.key contain a PEM-encoded client certificate and its private key, which are used only for
	// the server in url. The Secret must contain ca.crt, or tls.crt and tls.key, or all of them. If it
	// contains tls.key, it must have the label appmarket.io/credentials with the value "true". It has
	// no effect on ssh. If not specified, only the CA certificates of the system are trusted, and no
	// client certificate is used.
	// +optional
	CertSecretRef *LocalObjectReference `json:"certSecretRef,omitempty"`

	// proxySecretRef refers to a Secret in the same namespace whose key address contains the http or
	// https URL of a proxy for all requests of the source. Its optional keys username and password
	// contain the credentials for the proxy. The Secret must have the label appmarket.io/credentials
	// with the value "true". It cannot be set for ssh. If not specified, the proxy of the operator is
	// used, if it has one.
	// +optional
	ProxySecretRef *LocalObjectReference `json:"proxySecretRef,omitempty"`
}

// GitReference specifies a commit of a git repository. Exactly one field must be set.
// +kubebuilder:validation:XValidation:rule="[has(self.branch), has(self.tag), has(self.commit), has(self.semver)].filter(x, x).size() == 1",message="exactly one of branch, tag, commit and semver must be set"
type GitReference struct {
	// branch specifies the name of a branch. The end of the branch is read.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Branch string `json:"branch,omitempty"`

	// tag specifies the name of a tag.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Tag string `json:"tag,omitempty"`

	// commit specifies the SHA-1 of a commit in hexadecimal. A server may allow only the ends of
	// branches and tags.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{40}$`
	// +kubebuilder:validation:MaxLength=40
	Commit string `json:"commit,omitempty"`

	// semver specifies a range of versions, such as ">=1.0.0 <2". The tag with the newest version in
	// the range is read.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Semver string `json:"semver,omitempty"`
}
