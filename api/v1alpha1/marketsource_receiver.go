package v1alpha1

// ReceiverType is the kind of server that reports changes of a source.
// +kubebuilder:validation:Enum=GitHub;GitLab;Harbor;DockerHub;Generic
type ReceiverType string

const (
	// ReceiverGitHub accepts webhooks of GitHub, which sign the body with the token.
	ReceiverGitHub ReceiverType = "GitHub"
	// ReceiverGitLab accepts webhooks of GitLab, which send the token in a header.
	ReceiverGitLab ReceiverType = "GitLab"
	// ReceiverHarbor accepts webhooks of Harbor, which send the token in the header Authorization.
	ReceiverHarbor ReceiverType = "Harbor"
	// ReceiverDockerHub accepts webhooks of Docker Hub, which send the token in the URL.
	ReceiverDockerHub ReceiverType = "DockerHub"
	// ReceiverGeneric accepts requests that sign the body with the token.
	ReceiverGeneric ReceiverType = "Generic"
)

// Receiver specifies which server reports changes of the source.
type Receiver struct {
	// type specifies how the server proves that it knows the token: GitHub, GitLab, Harbor, DockerHub or
	// Generic.
	// +required
	Type ReceiverType `json:"type,omitempty"`

	// secretRef refers to a Secret in the same namespace whose key token contains the token, at least 16
	// bytes. The Secret must have the label appmarket.io/credentials with the value "true".
	// +required
	SecretRef LocalObjectReference `json:"secretRef,omitzero"`
}
