package signature

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/text"
)

// signPredicate is the type of the statement with which cosign signs a chart. Statements of other
// types, such as the result of a scan, are no signatures.
const signPredicate = "https://sigstore.dev/cosign/sign/v1"

// newCosignKeyMethod returns the method for signatures of cosign with a public key. They need no
// entry in a transparency log.
func newCosignKeyMethod(policy hydrate.SignaturePolicy) (method, error) {
	keys, err := parsePublicKeys(policy.TrustRoot)
	if err != nil {
		return nil, badTrustRoot("is not a list of public keys in PEM")
	}
	return func(_ context.Context, signed hydrate.SignedChart, one hydrate.Signature) (v1alpha1.SignatureVerdict, error) {
		var failure error
		for _, key := range keys {
			_, err := verifyEntity(signed, one, key.verifier, verify.WithKey())
			if err == nil {
				return v1alpha1.SignatureVerdict{Identity: key.fingerprint}, nil
			}
			failure = err
		}
		return v1alpha1.SignatureVerdict{}, failure
	}, nil
}

// cosignKey is a public key that is trusted.
type cosignKey struct {
	verifier    *verify.Verifier
	fingerprint string
}

// parsePublicKeys parses the blocks of a text in PEM.
func parsePublicKeys(data []byte) ([]cosignKey, error) {
	var keys []cosignKey
	for block, rest := pem.Decode(data); block != nil && len(keys) < maxKeys; block, rest = pem.Decode(rest) {
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		key, err := newCosignKey(public)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(block.Bytes)
		keys = append(keys, cosignKey{verifier: key, fingerprint: "sha256:" + hex.EncodeToString(sum[:])})
	}
	if len(keys) == 0 {
		return nil, errNoPEM
	}
	return keys, nil
}

func newCosignKey(public crypto.PublicKey) (*verify.Verifier, error) {
	loaded, err := signature.LoadVerifier(public, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(loaded, time.Time{}, time.Time{}), nil
	})
	return verify.NewVerifier(material, verify.WithNoObserverTimestamps(), verify.WithoutStatementPredicate())
}

// newKeylessMethod returns the method for signatures of cosign with a short-lived certificate. The
// signature must have an entry in a transparency log of the trusted root, and a time at which the certificate
// was valid. If the root has logs of certificates, the certificate must be in one of them.
func newKeylessMethod(policy hydrate.SignaturePolicy) (method, error) {
	trusted, err := root.NewTrustedRootFromJSON(policy.TrustRoot)
	if err != nil {
		return nil, badTrustRoot("is not a trusted root of Sigstore in JSON")
	}
	if len(trusted.RekorLogs()) == 0 {
		return nil, badTrustRoot("contains no transparency log")
	}
	options := []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1), verify.WithoutStatementPredicate()}
	if len(trusted.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	verifier, err := verify.NewVerifier(trusted, options...)
	if err != nil {
		return nil, badTrustRoot("cannot be used")
	}
	identities, err := toIdentities(policy.Signers)
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, signed hydrate.SignedChart, one hydrate.Signature) (v1alpha1.SignatureVerdict, error) {
		result, err := verifyEntity(signed, one, verifier, verify.WithoutIdentitiesUnsafe())
		if err != nil {
			return v1alpha1.SignatureVerdict{}, err
		}
		if result.Signature == nil || result.Signature.Certificate == nil {
			return v1alpha1.SignatureVerdict{}, newInvalidError("it has no certificate")
		}
		signer := result.Signature.Certificate
		if _, err := identities.Verify(*signer); err != nil {
			return v1alpha1.SignatureVerdict{}, newMismatchError("it is signed by " +
				text.Printable(signer.SubjectAlternativeName, 200) + " of issuer " + text.Printable(signer.Issuer, 200) +
				"; correct spec.verify.cosign.keyless.identities of the source if you trust this signer")
		}
		return v1alpha1.SignatureVerdict{Identity: signer.SubjectAlternativeName, Issuer: signer.Issuer}, nil
	}, nil
}

// toIdentities returns the identities of a policy. An expression must match the whole text.
func toIdentities(signers []v1alpha1.SignerIdentity) (verify.CertificateIdentities, error) {
	var identities verify.CertificateIdentities
	for _, each := range signers {
		identity, err := verify.NewShortCertificateIdentity(each.Issuer, wholeText(each.IssuerRegExp), each.Subject, wholeText(each.SubjectRegExp))
		if err != nil {
			return nil, badTrustRoot("has an invalid identity in spec.verify.cosign.keyless.identities")
		}
		identities = append(identities, identity)
	}
	return identities, nil
}

// wholeText returns an expression that matches only a whole text.
func wholeText(expression string) string {
	if expression == "" {
		return ""
	}
	return "^(?:" + expression + ")$"
}

// verifyEntity verifies one signature without its identity.
func verifyEntity(
	signed hydrate.SignedChart, one hydrate.Signature, verifier *verify.Verifier, identity verify.PolicyOption,
) (*verify.VerificationResult, error) {
	artifact := signed.Archive
	if len(signed.Manifest) > 0 {
		if _, err := parseManifest(signed); err != nil {
			return nil, err
		}
		artifact = signed.Manifest
	}
	var entity verify.SignedEntity
	var err error
	if one.MediaType == simpleSigningType {
		if err := checkSimpleSigning(one.Payload, artifact); err != nil {
			return nil, err
		}
		artifact = one.Payload
		entity, err = newSimpleEntity(one)
	} else {
		entity, err = parseBundle(one.Content)
	}
	if err != nil {
		return nil, newInvalidError("it cannot be parsed")
	}
	result, err := verifier.Verify(entity, verify.NewPolicy(verify.WithArtifact(bytes.NewReader(artifact)), identity))
	if err != nil {
		return nil, newInvalidError(stageOf(err))
	}
	if result.Statement != nil && result.Statement.GetPredicateType() != signPredicate {
		return nil, newInvalidError("it is an attestation about the chart, and not a signature")
	}
	return result, nil
}

// parseBundle parses a bundle of Sigstore.
func parseBundle(content []byte) (*bundle.Bundle, error) {
	parsed := &bundle.Bundle{}
	if err := parsed.UnmarshalJSON(content); err != nil {
		return nil, err
	}
	return parsed, nil
}

// stageOf returns the stage of the verification that failed. The rest of the error may quote the signature.
func stageOf(err error) string {
	stage, _, _ := strings.Cut(err.Error(), ":")
	return text.Printable(stage, 100)
}

// simplePayload is the text that older signatures of cosign sign.
type simplePayload struct {
	Critical struct {
		Type  string `json:"type"`
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
	} `json:"critical"`
}

// checkSimpleSigning returns an error if a signed text does not name the manifest.
func checkSimpleSigning(payload, manifest []byte) error {
	var parsed simplePayload
	if json.Unmarshal(payload, &parsed) != nil || parsed.Critical.Type != "cosign container image signature" {
		return newInvalidError("its text is not one of cosign")
	}
	sum := sha256.Sum256(manifest)
	if parsed.Critical.Image.Digest != "sha256:"+hex.EncodeToString(sum[:]) {
		return newInvalidError("it is for another chart")
	}
	return nil
}

var errNoEntity = errors.New("incomplete signature")
