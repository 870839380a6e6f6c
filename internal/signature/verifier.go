package signature

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

// maxIdentityBytes is the maximum length of the texts of a verdict.
const maxIdentityBytes = 512

// Verifier verifies the signatures of charts. It is stateless.
type Verifier struct{}

var _ hydrate.Verifier = Verifier{}

// method verifies one signature of a chart.
type method func(ctx context.Context, signed hydrate.SignedChart, one hydrate.Signature) (v1alpha1.SignatureVerdict, error)

// Verify returns the verdict about the first signature that satisfies the policy.
func (Verifier) Verify(ctx context.Context, signed hydrate.SignedChart, policy hydrate.SignaturePolicy) (v1alpha1.SignatureVerdict, error) {
	verify, err := guardParser(func() (method, error) { return newMethod(policy) }, badTrustRoot)
	if err != nil {
		return v1alpha1.SignatureVerdict{}, err
	}
	if signed.Archive == nil {
		return v1alpha1.SignatureVerdict{}, outcome.Stalledf(v1alpha1.ReasonSignatureMissing,
			"the chart is a folder, which cannot be signed: package it with helm package --sign")
	}
	if len(signed.List) == 0 {
		return v1alpha1.SignatureVerdict{}, outcome.Stalledf(v1alpha1.ReasonSignatureMissing,
			"the chart has no signature for the provider %s: sign it, or correct spec.verify of the source", policy.Provider)
	}
	var failure error
	for _, one := range signed.List {
		verdict, err := guardParser(func() (v1alpha1.SignatureVerdict, error) { return verify(ctx, signed, one) }, newInvalidError)
		if err == nil {
			verdict.Identity, verdict.Issuer = text.Printable(verdict.Identity, maxIdentityBytes), text.Printable(verdict.Issuer, maxIdentityBytes)
			return verdict, nil
		}
		// A valid signature of another signer says more than an invalid one.
		if failure == nil || outcome.Reason(err, "") == v1alpha1.ReasonIdentityMismatch && outcome.Reason(failure, "") != v1alpha1.ReasonIdentityMismatch {
			failure = err
		}
	}
	return v1alpha1.SignatureVerdict{}, failure
}

// guardParser returns the result of a function that parses with a library. A panic of the library is the error that
// newError returns.
func guardParser[T any](parse func() (T, error), newError func(problem string) error) (T, error) {
	var result T
	err := outcome.Guarded(func() (err error) {
		result, err = parse()
		return err
	})()
	if _, isPanic := errors.AsType[*outcome.Panic](err); isPanic {
		err = newError("cannot be parsed")
	}
	return result, err
}

// newMethod returns the method of the provider with the parsed trust root.
func newMethod(policy hydrate.SignaturePolicy) (method, error) {
	switch {
	case policy.Provider == v1alpha1.VerificationProviderHelmProvenance:
		return newProvenanceMethod(policy)
	case policy.Provider == v1alpha1.VerificationProviderCosign && policy.Keyless:
		return newKeylessMethod(policy)
	case policy.Provider == v1alpha1.VerificationProviderCosign:
		return newCosignKeyMethod(policy)
	case policy.Provider == v1alpha1.VerificationProviderNotation:
		return newNotationMethod(policy)
	}
	return nil, outcome.Stalledf(v1alpha1.ReasonInvalidSpec, "spec.verify.provider: Invalid value: %q: is not supported", policy.Provider)
}

// newInvalidError returns the error for a signature that is not valid.
func newInvalidError(problem string) error {
	return outcome.Stalledf(v1alpha1.ReasonSignatureInvalid, "the signature is not valid: %s", problem)
}

// newMismatchError returns the error for a signature that is valid, but not of a trusted signer.
func newMismatchError(problem string) error {
	return outcome.Stalledf(v1alpha1.ReasonIdentityMismatch, "the chart is not signed by a trusted signer: %s", problem)
}

// badTrustRoot returns the error for a trust root that cannot be parsed.
func badTrustRoot(problem string) error {
	return outcome.Stalledf(v1alpha1.ReasonTrustRootUnavailable, "the trust root of spec.verify of the source %s", problem)
}

// manifest is the part of the manifest of a chart that is compared with the chart.
type manifest struct {
	MediaType string `json:"mediaType"`
	Layers    []struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
	} `json:"layers"`
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// parseManifest parses the manifest of a chart, and returns an error if it is not the manifest of
// the fetched archive.
func parseManifest(signed hydrate.SignedChart) (manifest, error) {
	var m manifest
	if json.Unmarshal(signed.Manifest, &m) != nil {
		return m, newInvalidError("the manifest of the chart is not JSON")
	}
	if m.MediaType == "" {
		m.MediaType = manifestType
	}
	for _, layer := range m.Layers {
		if chart.IsArchiveMediaType(layer.MediaType) {
			if layer.Digest == signed.Digest {
				return m, nil
			}
			break
		}
	}
	return m, newInvalidError("the manifest does not contain the archive of the chart")
}

var errNoPEM = errors.New("contains no PEM block")
