package sourcebuilder

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
)

// VerifyRequest describes the signature that the charts of a source must have.
type VerifyRequest struct {
	// Provider is empty if signatures are not verified.
	Provider v1alpha1.VerificationProvider
	// TrustRoot is the key of a ConfigMap, as NAME/KEY, or of a Secret, as secret/NAME/KEY.
	TrustRoot string
	// Identities are the signers. For cosign, each is an issuer and a subject, separated by a space; an
	// issuer or a subject that begins with ~ is a regular expression. Without identities, the trust root
	// of cosign is a public key. For notation, they are written as in a trust policy.
	Identities []string
}

// HasSignatures reports whether the charts of sources of a type can have signatures.
func HasSignatures(source v1alpha1.SourceType) bool {
	return source == v1alpha1.SourceTypeHelm || source == v1alpha1.SourceTypeOCI || source == v1alpha1.SourceTypeDirectory
}

// expressionPrefix is the beginning of an issuer or subject that is a regular expression.
const expressionPrefix = "~"

// setSpec sets spec.verify. A verification that the request describes is kept as it is.
func (v VerifyRequest) setSpec(spec *v1alpha1.MarketSourceSpec) error {
	if reflect.DeepEqual(v, verifyRequestFor(spec.Verify)) {
		return nil
	}
	verification, err := v.Parse()
	if err != nil {
		return err
	}
	spec.Verify = verification
	return nil
}

// Parse returns the verification, nil if signatures are not verified.
func (v VerifyRequest) Parse() (*v1alpha1.Verification, error) {
	if v.Provider == "" {
		if v.TrustRoot != "" || len(v.Identities) > 0 {
			return nil, errors.New("--trust-root and --identity: --verify is required")
		}
		return nil, nil
	}
	if v.TrustRoot == "" {
		return nil, errors.New("--verify requires --trust-root: NAME/KEY of a ConfigMap, or secret/NAME/KEY")
	}
	root, err := ParseTrustRoot(v.TrustRoot)
	if err != nil {
		return nil, err
	}
	verification := &v1alpha1.Verification{Provider: v.Provider}
	switch v.Provider {
	case v1alpha1.VerificationProviderHelmProvenance:
		if len(v.Identities) > 0 {
			return nil, errors.New("--identity: the keys of the trust root are the signers of provenance files")
		}
		verification.HelmProvenance = &v1alpha1.HelmProvenanceVerification{KeyringRef: root}
	case v1alpha1.VerificationProviderNotation:
		verification.Notation = &v1alpha1.NotationVerification{CertificatesRef: root, Identities: v.Identities}
	case v1alpha1.VerificationProviderCosign:
		if len(v.Identities) == 0 {
			verification.Cosign = &v1alpha1.CosignVerification{PublicKeyRef: &root}
			return verification, nil
		}
		identities, err := ParseIdentities(v.Identities)
		if err != nil {
			return nil, err
		}
		verification.Cosign = &v1alpha1.CosignVerification{Keyless: &v1alpha1.KeylessVerification{TrustedRootRef: root, Identities: identities}}
	}
	return verification, nil
}

// ParseTrustRoot parses NAME/KEY, configmap/NAME/KEY or secret/NAME/KEY.
func ParseTrustRoot(text string) (v1alpha1.TrustRootReference, error) {
	parts, kind := strings.Split(text, "/"), v1alpha1.TrustRootKindConfigMap
	if len(parts) == 3 {
		switch strings.ToLower(parts[0]) {
		case "configmap":
		case "secret":
			kind = v1alpha1.TrustRootKindSecret
		default:
			parts = nil
		}
		parts = parts[min(1, len(parts)):]
	}
	if len(parts) != 2 || slices.Contains(parts, "") {
		return v1alpha1.TrustRootReference{}, fmt.Errorf("--trust-root %s: must be NAME/KEY of a ConfigMap, or secret/NAME/KEY", text)
	}
	return v1alpha1.TrustRootReference{Kind: kind, Name: parts[0], Key: parts[1]}, nil
}

// ParseIdentities parses the identities for signatures of cosign without a key.
func ParseIdentities(texts []string) ([]v1alpha1.SignerIdentity, error) {
	var identities []v1alpha1.SignerIdentity
	for _, text := range texts {
		issuer, subject, found := strings.Cut(strings.TrimSpace(text), " ")
		subject = strings.TrimSpace(subject)
		if !found || subject == "" {
			return nil, fmt.Errorf("--identity %s: must be an issuer and a subject, separated by a space", text)
		}
		var one v1alpha1.SignerIdentity
		setIdentity(issuer, &one.Issuer, &one.IssuerRegExp)
		setIdentity(subject, &one.Subject, &one.SubjectRegExp)
		identities = append(identities, one)
	}
	return identities, nil
}

// setIdentity sets the exact text or the regular expression.
func setIdentity(text string, exact, expression *string) {
	if after, isExpression := strings.CutPrefix(text, expressionPrefix); isExpression {
		*expression = after
		return
	}
	*exact = text
}

// verifyRequestFor returns the request that describes a verification.
func verifyRequestFor(verification *v1alpha1.Verification) VerifyRequest {
	if verification == nil {
		return VerifyRequest{}
	}
	r := VerifyRequest{Provider: verification.Provider}
	switch {
	case verification.HelmProvenance != nil:
		r.TrustRoot = trustRootText(verification.HelmProvenance.KeyringRef)
	case verification.Notation != nil:
		r.TrustRoot, r.Identities = trustRootText(verification.Notation.CertificatesRef), slices.Clone(verification.Notation.Identities)
	case verification.Cosign != nil && verification.Cosign.PublicKeyRef != nil:
		r.TrustRoot = trustRootText(*verification.Cosign.PublicKeyRef)
	case verification.Cosign != nil && verification.Cosign.Keyless != nil:
		r.TrustRoot = trustRootText(verification.Cosign.Keyless.TrustedRootRef)
		for _, each := range verification.Cosign.Keyless.Identities {
			r.Identities = append(r.Identities, identityText(each.Issuer, each.IssuerRegExp)+" "+identityText(each.Subject, each.SubjectRegExp))
		}
	}
	return r
}

// trustRootText returns the text from which ParseTrustRoot returns the same reference.
func trustRootText(ref v1alpha1.TrustRootReference) string {
	if ref.Kind == v1alpha1.TrustRootKindSecret {
		return "secret/" + ref.Name + "/" + ref.Key
	}
	return ref.Name + "/" + ref.Key
}

func identityText(exact, expression string) string {
	if expression != "" {
		return expressionPrefix + expression
	}
	return exact
}
