package hydrate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

// SignaturePolicy specifies the signature that a chart must have. It contains only plain data, so that it
// can be sent to a worker.
type SignaturePolicy struct {
	Provider v1alpha1.VerificationProvider
	// Keyless reports that signatures of cosign have certificates of TrustRoot, and no key.
	Keyless bool
	// TrustRoot is the text of the trust root: keys, certificates, or a trusted root of Sigstore.
	TrustRoot []byte
	// Signers are the identities of which one must have signed without a key, and Subjects the
	// trusted identities of notation.
	Signers  []v1alpha1.SignerIdentity
	Subjects []string
	// Digest is the digest of all other fields.
	Digest string
}

// Signature is one signature as its source delivers it. It is untrusted.
type Signature struct {
	// MediaType identifies the format of Content.
	MediaType string
	Content   []byte
	// Payload is the signed text, if a signature has a text of its own that names the chart.
	Payload []byte
	// Annotations are the annotations of a signature in a registry.
	Annotations map[string]string
}

// Signatures contains the signatures of a chart. It is untrusted.
type Signatures struct {
	// Manifest is the manifest of the chart in a registry, which signatures in a registry sign. It is
	// empty for a chart of another source.
	Manifest []byte
	List     []Signature
}

// SignedChart is a chart with its signatures.
type SignedChart struct {
	// Archive is nil if the source has no archive.
	Archive []byte
	// Digest is the digest of Archive in the form "sha256:<hex>".
	Digest string
	Signatures
}

// SignatureFetcher is implemented by a Fetcher that can also fetch the signatures of a chart. It returns
// no signatures if the chart has none. Errors have the same meaning as the errors of Fetcher.
type SignatureFetcher interface {
	FetchSignatures(ctx context.Context, offer Offer, provider v1alpha1.VerificationProvider) (Signatures, error)
}

// Verifier verifies that a chart has a signature that a policy requires. An error is Stalled with
// SignatureMissing, SignatureInvalid, IdentityMismatch or TrustRootUnavailable.
type Verifier interface {
	Verify(ctx context.Context, signed SignedChart, policy SignaturePolicy) (v1alpha1.SignatureVerdict, error)
}

// Annotations of an entry in the index that describe the verified signature of a chart.
const (
	providerAnnotation = "appmarket.io/signature-provider"
	identityAnnotation = "appmarket.io/signature-identity"
	issuerAnnotation   = "appmarket.io/signature-issuer"
	// signatureAnnotations is the prefix of these annotations.
	signatureAnnotations = "appmarket.io/signature-"
)

// fetchSignatures returns the signatures of the chart of a request that has a policy.
func fetchSignatures(ctx context.Context, request Request) (Signatures, error) {
	fetcher, ok := request.Source.(SignatureFetcher)
	if !ok {
		return Signatures{}, outcome.Stalledf(v1alpha1.ReasonSignatureMissing, "the source cannot provide signatures")
	}
	var found Signatures
	err := AwaitServers(ctx, func(ctx context.Context) (err error) {
		found, err = fetcher.FetchSignatures(ctx, request.Offer, request.Policy.Provider)
		return err
	})
	return found, err
}

// verifyChart sets Verdict if the request has a policy.
func (s SourceChart) verifyChart(ctx context.Context, d *Draft, payload ChartContent, digest string) error {
	policy := d.Request.Policy
	if policy == nil {
		return nil
	}
	if s.Verifier == nil {
		return fmt.Errorf("verify chart: no verifier is configured")
	}
	verdict, err := s.Verifier.Verify(ctx, SignedChart{Archive: payload.Archive, Digest: digest, Signatures: payload.Signatures}, *policy)
	if err != nil {
		return err
	}
	verdict.Provider, verdict.PolicyDigest = policy.Provider, policy.Digest
	d.Verdict = &verdict
	return nil
}

// checkMutation returns an error if a version that was published before has another chart, unless
// users have accepted it. An empty digest is not compared.
func (r Request) checkMutation(digest string) error {
	if digest == "" || len(r.AcceptedDigests) == 0 || slices.Contains(r.AcceptedDigests, digest) {
		return nil
	}
	return outcome.Stalled(v1alpha1.ReasonMutated, fmt.Errorf(
		"the source has changed the chart of the version: it now has digest %s; to serve it, add the version with this digest to spec.acceptedDigests of the AppInfo",
		digest))
}

// indexedMetadata returns the content of Chart.yaml for the index, with annotations about the verified
// signature. Annotations with these names in the chart itself are removed, because charts are untrusted.
func (d *Draft) indexedMetadata() chart.Metadata {
	meta := d.Chart
	meta.Annotations = maps.Clone(meta.Annotations)
	maps.DeleteFunc(meta.Annotations, func(name, _ string) bool { return strings.HasPrefix(name, signatureAnnotations) })
	if d.Verdict == nil {
		return meta
	}
	if meta.Annotations == nil {
		meta.Annotations = map[string]string{}
	}
	meta.Annotations[providerAnnotation] = string(d.Verdict.Provider)
	meta.Annotations[identityAnnotation] = d.Verdict.Identity
	if d.Verdict.Issuer != "" {
		meta.Annotations[issuerAnnotation] = d.Verdict.Issuer
	}
	return meta
}
