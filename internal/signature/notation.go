package signature

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"

	"github.com/notaryproject/notation-go"
	"github.com/notaryproject/notation-go/verifier"
	"github.com/notaryproject/notation-go/verifier/trustpolicy"
	"github.com/notaryproject/notation-go/verifier/truststore"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
)

// notationStore is the name of the only store of certificates.
const notationStore = "market"

// certificateStore provides the certificates of a policy to notation.
type certificateStore []*x509.Certificate

// GetCertificates returns the certificates of authorities. There are none for other purposes, such as
// timestamps.
func (s certificateStore) GetCertificates(_ context.Context, kind truststore.Type, name string) ([]*x509.Certificate, error) {
	if kind != truststore.TypeCA || name != notationStore {
		return nil, errors.New("there is no such store of certificates")
	}
	return s, nil
}

// newNotationMethod returns the method for signatures of notation.
func newNotationMethod(policy hydrate.SignaturePolicy) (method, error) {
	certificates, err := parseCertificates(policy.TrustRoot)
	if err != nil {
		return nil, badTrustRoot("is not a list of certificates in PEM")
	}
	trusted := policy.Subjects
	if len(trusted) == 0 {
		trusted = []string{"*"}
	}
	document := &trustpolicy.Document{Version: "1.0", TrustPolicies: []trustpolicy.TrustPolicy{{
		Name:           notationStore,
		RegistryScopes: []string{"*"},
		SignatureVerification: trustpolicy.SignatureVerification{
			VerificationLevel: trustpolicy.LevelStrict.Name,
			// A worker has no network for lists of revoked certificates.
			Override: map[trustpolicy.ValidationType]trustpolicy.ValidationAction{trustpolicy.TypeRevocation: trustpolicy.ActionSkip},
		},
		TrustStores:       []string{string(truststore.TypeCA) + ":" + notationStore},
		TrustedIdentities: trusted,
	}}}
	notary, err := verifier.New(document, certificateStore(certificates), nil)
	if err != nil {
		return nil, badTrustRoot("cannot be used: check spec.verify.notation.identities")
	}
	return func(ctx context.Context, signed hydrate.SignedChart, one hydrate.Signature) (v1alpha1.SignatureVerdict, error) {
		return verifyNotation(ctx, notary, signed, one)
	}, nil
}

func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil && len(certificates) < maxKeys; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certificates = append(certificates, certificate)
	}
	if len(certificates) == 0 {
		return nil, errNoPEM
	}
	return certificates, nil
}

// verifyNotation verifies that a signature of notation signs the manifest of the chart.
func verifyNotation(ctx context.Context, notary notation.Verifier, signed hydrate.SignedChart, one hydrate.Signature) (v1alpha1.SignatureVerdict, error) {
	parsed, err := parseManifest(signed)
	if err != nil {
		return v1alpha1.SignatureVerdict{}, err
	}
	target := ocispec.Descriptor{MediaType: parsed.MediaType, Digest: digest.FromBytes(signed.Manifest), Size: int64(len(signed.Manifest))}
	result, err := notary.Verify(ctx, target, one.Content, notation.VerifierVerifyOptions{
		ArtifactReference: "registry.invalid/chart@" + target.Digest.String(), SignatureMediaType: one.MediaType,
	})
	if err != nil {
		return v1alpha1.SignatureVerdict{}, notationError(result)
	}
	signer := result.EnvelopeContent.SignerInfo.CertificateChain[0]
	return v1alpha1.SignatureVerdict{Identity: signer.Subject.String(), Issuer: signer.Issuer.String()}, nil
}

// notationError returns the error for a signature that is not accepted. The error of the library may
// quote the signature.
func notationError(result *notation.VerificationOutcome) error {
	if result == nil {
		return newInvalidError("it cannot be parsed")
	}
	for _, each := range result.VerificationResults {
		if each.Error == nil || each.Action != trustpolicy.ActionEnforce {
			continue
		}
		switch each.Type {
		case trustpolicy.TypeAuthenticity:
			return newMismatchError("its certificate is not issued by a trusted authority, or its subject is not trusted")
		case trustpolicy.TypeExpiry:
			return newInvalidError("it has expired")
		case trustpolicy.TypeAuthenticTimestamp:
			return newInvalidError("the certificate of the signer has expired")
		}
		return newInvalidError("it was changed after it was made")
	}
	return newInvalidError("it is for another chart")
}
