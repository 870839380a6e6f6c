package app

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/signature/trustroot"
)

// policyFor returns the signature policy of a source, or nil if the source does not verify signatures.
func (f sourceFactory) policyFor(ctx context.Context, ms *v1alpha1.MarketSource) (*hydrate.SignaturePolicy, error) {
	return trustroot.PolicyFor(ctx, f.secrets, ms)
}

// policyDigest returns the digest of the signature policy of a source, or "".
func (f sourceFactory) policyDigest(ctx context.Context, ms *v1alpha1.MarketSource) (string, error) {
	policy, err := f.policyFor(ctx, ms)
	if err != nil || policy == nil {
		return "", err
	}
	return policy.Digest, nil
}
