package v1alpha1

// VerificationProvider is the kind of signatures that charts must have.
// +kubebuilder:validation:Enum=HelmProvenance;Cosign;Notation
type VerificationProvider string

const (
	// VerificationProviderHelmProvenance verifies the provenance files that `helm package --sign`
	// writes.
	VerificationProviderHelmProvenance VerificationProvider = "HelmProvenance"
	// VerificationProviderCosign verifies the signatures that cosign writes.
	VerificationProviderCosign VerificationProvider = "Cosign"
	// VerificationProviderNotation verifies the signatures that notation writes.
	VerificationProviderNotation VerificationProvider = "Notation"
)

// Verification specifies the signature that each chart of a source must have. A chart without such a
// signature is not served.
// +kubebuilder:validation:XValidation:rule="self.provider != 'HelmProvenance' || has(self.helmProvenance)",message="helmProvenance is required when provider is HelmProvenance"
// +kubebuilder:validation:XValidation:rule="self.provider == 'HelmProvenance' || !has(self.helmProvenance)",message="helmProvenance may only be set when provider is HelmProvenance"
// +kubebuilder:validation:XValidation:rule="self.provider != 'Cosign' || has(self.cosign)",message="cosign is required when provider is Cosign"
// +kubebuilder:validation:XValidation:rule="self.provider == 'Cosign' || !has(self.cosign)",message="cosign may only be set when provider is Cosign"
// +kubebuilder:validation:XValidation:rule="self.provider != 'Notation' || has(self.notation)",message="notation is required when provider is Notation"
// +kubebuilder:validation:XValidation:rule="self.provider == 'Notation' || !has(self.notation)",message="notation may only be set when provider is Notation"
type Verification struct {
	// provider specifies the kind of signatures: HelmProvenance, Cosign or Notation. The field of the
	// same name must be set.
	// +required
	Provider VerificationProvider `json:"provider,omitempty"`

	// helmProvenance specifies the keys for provenance files. It is required if provider is
	// HelmProvenance, and cannot be set otherwise.
	// +optional
	HelmProvenance *HelmProvenanceVerification `json:"helmProvenance,omitempty"`

	// cosign specifies the keys or identities for signatures of cosign. It is required if provider is
	// Cosign, and cannot be set otherwise.
	// +optional
	Cosign *CosignVerification `json:"cosign,omitempty"`

	// notation specifies the certificates for signatures of notation. It is required if provider is
	// Notation, and cannot be set otherwise.
	// +optional
	Notation *NotationVerification `json:"notation,omitempty"`
}

// HelmProvenanceVerification specifies the keys for provenance files.
type HelmProvenanceVerification struct {
	// keyringRef refers to the OpenPGP public keys, binary or in ASCII armor. A chart must be signed
	// with one of them.
	// +required
	KeyringRef TrustRootReference `json:"keyringRef,omitzero"`
}

// CosignVerification specifies the keys or identities for signatures of cosign.
// +kubebuilder:validation:XValidation:rule="has(self.publicKeyRef) != has(self.keyless)",message="exactly one of publicKeyRef and keyless must be set"
type CosignVerification struct {
	// publicKeyRef refers to public keys in PEM. A chart must be signed with one of them. It cannot
	// be set together with keyless.
	// +optional
	PublicKeyRef *TrustRootReference `json:"publicKeyRef,omitempty"`

	// keyless specifies the identities for signatures without a key. It cannot be set together with
	// publicKeyRef.
	// +optional
	Keyless *KeylessVerification `json:"keyless,omitempty"`
}

// KeylessVerification specifies identities to which an authority issues short-lived certificates.
type KeylessVerification struct {
	// trustedRootRef refers to a trusted root of Sigstore in JSON: the certificate authorities and
	// transparency logs that are trusted. It is used without access to the network.
	// +required
	TrustedRootRef TrustRootReference `json:"trustedRootRef,omitzero"`

	// identities specifies the identities of which one must have signed the chart.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	Identities []SignerIdentity `json:"identities,omitempty"` //nolint:kubeapilinter // Rules of SignerIdentity require one field of each of two pairs.
}

// SignerIdentity specifies the identity of a signer.
// +kubebuilder:validation:XValidation:rule="has(self.issuer) != has(self.issuerRegExp)",message="exactly one of issuer and issuerRegExp must be set"
// +kubebuilder:validation:XValidation:rule="has(self.subject) != has(self.subjectRegExp)",message="exactly one of subject and subjectRegExp must be set"
type SignerIdentity struct {
	// issuer specifies the URL of the issuer that authenticated the signer. It cannot be set together
	// with issuerRegExp.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Issuer string `json:"issuer,omitempty"`

	// issuerRegExp specifies a regular expression that the whole issuer must match. It cannot be set
	// together with issuer.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	IssuerRegExp string `json:"issuerRegExp,omitempty"`

	// subject specifies the name in the certificate of the signer: an email address, or the URL of a
	// workflow. It cannot be set together with subjectRegExp.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Subject string `json:"subject,omitempty"`

	// subjectRegExp specifies a regular expression that the whole subject must match. It cannot be
	// set together with subject.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	SubjectRegExp string `json:"subjectRegExp,omitempty"`
}

// NotationVerification specifies the certificates for signatures of notation.
type NotationVerification struct {
	// certificatesRef refers to the certificates of authorities in PEM. One of them must have issued
	// the certificate of the signer.
	// +required
	CertificatesRef TrustRootReference `json:"certificatesRef,omitzero"`

	// identities specifies the subjects of certificates that are trusted, in the form of a trust
	// policy of notation, such as "x509.subject: C=US, ST=WA, O=example". The subject of a
	// certificate must contain all given attributes. If not specified, all certificates of the
	// authorities are trusted.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MaxLength=1024
	// +kubebuilder:validation:items:Pattern=`^x509\.subject: *[^ ].*$`
	Identities []string `json:"identities,omitempty"`
}

// TrustRootKind is the kind of object that contains a trust root.
// +kubebuilder:validation:Enum=ConfigMap;Secret
type TrustRootKind string

const (
	// TrustRootKindConfigMap is a ConfigMap.
	TrustRootKindConfigMap TrustRootKind = "ConfigMap"
	// TrustRootKindSecret is a Secret with the label appmarket.io/credentials.
	TrustRootKindSecret TrustRootKind = "Secret"
)

// TrustRootReference refers to a key of a ConfigMap or Secret in the namespace of the source. Both
// must have the label appmarket.io/credentials with the value "true".
type TrustRootReference struct {
	// kind specifies the kind of the object: ConfigMap or Secret. Defaults to ConfigMap.
	// +optional
	// +default="ConfigMap"
	Kind TrustRootKind `json:"kind,omitempty"`

	// name specifies the name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// key specifies the key of the object that contains the trust root.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// MutableVersions specifies whether the chart of a version may change.
// +kubebuilder:validation:Enum=Allow;Deny
type MutableVersions string

const (
	// MutableVersionsAllow serves the new chart.
	MutableVersionsAllow MutableVersions = "Allow"
	// MutableVersionsDeny continues to serve the previous chart.
	MutableVersionsDeny MutableVersions = "Deny"
)

// SignatureVerdict describes the verified signature of a chart.
type SignatureVerdict struct {
	// provider is the kind of the signature.
	// +required
	Provider VerificationProvider `json:"provider,omitempty"`

	// identity is the signer: the fingerprint of the key, or the subject of the certificate.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Identity string `json:"identity,omitempty"`

	// issuer is the issuer that authenticated the signer. It is set only for certificates.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Issuer string `json:"issuer,omitempty"`

	// policyDigest is the digest of the verification policy and its trust root.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	PolicyDigest string `json:"policyDigest,omitempty"`
}

// AcceptedDigest allows a version to be served with another chart than before.
type AcceptedDigest struct {
	// version specifies the version.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// digest specifies the digest of the chart that may be served, in the form `sha256:<hex>`.
	// +required
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	// +kubebuilder:validation:MaxLength=71
	Digest string `json:"digest,omitempty"`
}
