package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// maxSignatureBytes is the maximum size of one signature.
	maxSignatureBytes = 1 << 20
	// maxSignatures is the maximum number of signatures of one chart.
	maxSignatures = 50
)

// Suffixes of the files with the signature of an archive.
const (
	provenanceSuffix = ".prov"
	bundleSuffix     = ".sigstore.json"
)

// bundleMediaType is the media type of signatures in the format of Sigstore.
const bundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// FetchSignatures fetches the signatures of the chart of an offer. They are not verified.
func (s *dependencySource) FetchSignatures(ctx context.Context, offer hydrate.Offer, provider v1alpha1.VerificationProvider) (hydrate.Signatures, error) {
	return fetchSignaturesOf(ctx, s.Source, offer, provider)
}

// FetchSignatures fetches the signatures of the chart of an offer. They are not verified.
func (s *sharedSource) FetchSignatures(ctx context.Context, offer hydrate.Offer, provider v1alpha1.VerificationProvider) (hydrate.Signatures, error) {
	return fetchSignaturesOf(ctx, s.Source, offer, provider)
}

// fetchSignaturesOf fetches the signatures of a chart from a source, if the source has signatures.
func fetchSignaturesOf(ctx context.Context, source Source, offer hydrate.Offer, provider v1alpha1.VerificationProvider) (hydrate.Signatures, error) {
	fetcher, ok := source.(hydrate.SignatureFetcher)
	if !ok {
		return hydrate.Signatures{}, outcome.Stalledf(v1alpha1.ReasonSignatureMissing, "sources of this type have no signatures: remove spec.verify of the source")
	}
	return fetcher.FetchSignatures(ctx, offer, provider)
}

// signatureSuffix returns the suffix and the media type of files with signatures for a provider.
func signatureSuffix(provider v1alpha1.VerificationProvider) (suffix, mediaType string, err error) {
	switch provider {
	case v1alpha1.VerificationProviderHelmProvenance:
		return provenanceSuffix, "", nil
	case v1alpha1.VerificationProviderCosign:
		return bundleSuffix, bundleMediaType, nil
	}
	return "", "", outcome.Stalledf(v1alpha1.ReasonSignatureMissing, "archives outside of a registry have no signatures for the provider %s", provider)
}

// FetchSignatures fetches the file with the signature of an archive, which has the URL of the
// archive with a suffix.
func (r *repository) FetchSignatures(ctx context.Context, offer hydrate.Offer, provider v1alpha1.VerificationProvider) (hydrate.Signatures, error) {
	if strings.HasPrefix(offer.URL, ociScheme) {
		tag, client, err := r.openRegistry(offer)
		if err != nil {
			return hydrate.Signatures{}, err
		}
		return client.fetchSignatures(ctx, tag, offer.Digest, provider)
	}
	suffix, mediaType, err := signatureSuffix(provider)
	if err != nil {
		return hydrate.Signatures{}, err
	}
	target, err := r.resolveURL(offer.URL)
	if err != nil {
		return hydrate.Signatures{}, outcome.Stalled(v1alpha1.ReasonFetchFailed, err)
	}
	target.Path += suffix
	if target.RawPath != "" {
		target.RawPath += suffix
	}
	response, err := r.client.sendGet(ctx, target, http.Header{"Accept-Encoding": {"identity"}})
	if err != nil {
		return hydrate.Signatures{}, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusGone {
		return hydrate.Signatures{}, nil
	}
	if err := r.client.checkStatus(response, target); err != nil {
		return hydrate.Signatures{}, err
	}
	content, err := netguard.ReadBody(response, maxSignatureBytes)
	if errors.Is(err, netguard.ErrTooLarge) {
		return hydrate.Signatures{}, outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "get %s: the signature is larger than %d bytes", redactURL(target), maxSignatureBytes)
	}
	if err != nil {
		return hydrate.Signatures{}, r.client.connectionError(target, err)
	}
	return hydrate.Signatures{List: []hydrate.Signature{{MediaType: mediaType, Content: content}}}, nil
}

// FetchSignatures reads the provenance file next to an archive. A chart that is a folder has none.
func (d *directory) FetchSignatures(ctx context.Context, offer hydrate.Offer, provider v1alpha1.VerificationProvider) (hydrate.Signatures, error) {
	if err := ctx.Err(); err != nil {
		return hydrate.Signatures{}, err
	}
	suffix, mediaType, err := signatureSuffix(provider)
	if err != nil {
		return hydrate.Signatures{}, err
	}
	if !filepath.IsLocal(offer.URL) || offer.URL == "." || strings.ContainsAny(offer.URL, `/\`) {
		return hydrate.Signatures{}, outcome.Stalledf(v1alpha1.ReasonNotFound, "read chart %q: must be the name of a file or folder in the directory", offer.URL)
	}
	root, err := d.openRoot()
	if err != nil {
		return hydrate.Signatures{}, err
	}
	defer func() { _ = root.Close() }()
	name := offer.URL + suffix
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return hydrate.Signatures{}, nil
	case err == nil && !info.Mode().IsRegular():
		return hydrate.Signatures{}, outcome.Stalledf(v1alpha1.ReasonSignatureInvalid, "read signature %q: must be a file", name)
	case err != nil:
		return hydrate.Signatures{}, fmt.Errorf("read signature %q: %w", name, err)
	}
	content, _, err := readFile(root, name, maxSignatureBytes)
	if err != nil {
		return hydrate.Signatures{}, fmt.Errorf("read signature %q: %w", name, err)
	}
	return hydrate.Signatures{List: []hydrate.Signature{{MediaType: mediaType, Content: content}}}, nil
}
