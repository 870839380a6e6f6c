package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// Media types of signatures in a registry.
const (
	provenanceLayerType types.MediaType = "application/vnd.cncf.helm.chart.provenance.v1.prov"
	simpleSigningType   types.MediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
	// cosignSignature is the annotation of a layer with a simple signature.
	cosignSignature = "dev.cosignproject.cosign/signature"
	// bundleTypePrefix is the beginning of the types of artifacts that are bundles of Sigstore.
	bundleTypePrefix = "application/vnd.dev.sigstore.bundle"
	notationType     = "application/vnd.cncf.notary.signature"
)

// FetchSignatures fetches the signatures of the chart of an offer.
func (s *registrySource) FetchSignatures(ctx context.Context, offer hydrate.Offer, provider v1alpha1.VerificationProvider) (hydrate.Signatures, error) {
	for _, repository := range s.possibleRepositories(offer) {
		if tag := repository.Tag(versionTag(offer.Version)); offer.URL == urlOf(tag) {
			signatures, err := s.client.fetchSignatures(ctx, tag, offer.Digest, provider)
			s.forgetMovedTag(tag, err)
			return signatures, err
		}
	}
	return hydrate.Signatures{}, outcome.Stalled(v1alpha1.ReasonFetchFailed, errors.New("get signatures: the URL does not belong to a repository of the source"))
}

// signatureReader reads the signatures of one chart within limits.
type signatureReader struct {
	*registryClient
	repository name.Repository
	found      hydrate.Signatures
}

// fetchSignatures fetches the signatures of the chart with a tag, and its manifest. The parameter
// archive is the digest of its archive. It may be empty.
func (c *registryClient) fetchSignatures(
	ctx context.Context, tag name.Tag, archive string, provider v1alpha1.VerificationProvider,
) (hydrate.Signatures, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	answer, err := c.puller.Get(ctx, tag)
	if err != nil {
		return hydrate.Signatures{}, c.toError(tag, err)
	}
	var manifest v1.Manifest
	if json.Unmarshal(answer.Manifest, &manifest) != nil || archiveLayer(manifest) == nil {
		return hydrate.Signatures{}, invalidChart("%s is not a Helm chart", urlOf(tag))
	}
	if archive != "" && archiveLayer(manifest).Digest.String() != archive {
		return hydrate.Signatures{}, outcome.Failed(v1alpha1.ReasonDigestMismatch, fmt.Errorf("get %s: the tag has moved since the source was listed", urlOf(tag)))
	}
	reader := &signatureReader{registryClient: c, repository: tag.Repository, found: hydrate.Signatures{Manifest: answer.Manifest}}
	at := tag.Digest(answer.Digest.String())
	switch provider {
	case v1alpha1.VerificationProviderHelmProvenance:
		err = reader.addProvenance(ctx, manifest)
	case v1alpha1.VerificationProviderCosign:
		if err = reader.addSimpleSignatures(ctx, answer.Digest); err == nil {
			err = reader.addReferrers(ctx, at, func(artifact string) bool { return strings.HasPrefix(artifact, bundleTypePrefix) })
		}
	case v1alpha1.VerificationProviderNotation:
		err = reader.addReferrers(ctx, at, func(artifact string) bool { return artifact == notationType })
	}
	return reader.found, err
}

// addLayer adds the content of a layer as a signature. It has the annotations of the layer.
func (r *signatureReader) addLayer(ctx context.Context, layer v1.Descriptor) error {
	if len(r.found.List) == maxSignatures {
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "the chart has more than %d signatures: delete those that are not needed", maxSignatures)
	}
	at := r.repository.Digest(layer.Digest.String())
	if layer.Size > maxSignatureBytes {
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "get %s: the signature is larger than %d bytes", urlOf(at), maxSignatureBytes)
	}
	content, err := r.readBlob(ctx, at, maxSignatureBytes)
	if err != nil {
		return err
	}
	one := hydrate.Signature{MediaType: string(layer.MediaType), Content: content}
	if layer.MediaType == simpleSigningType {
		one.Annotations, one.Payload, one.Content = layer.Annotations, content, []byte(layer.Annotations[cosignSignature])
	}
	r.found.List = append(r.found.List, one)
	return nil
}

// addProvenance adds the provenance file that `helm push` stores with a chart.
func (r *signatureReader) addProvenance(ctx context.Context, manifest v1.Manifest) error {
	for _, layer := range manifest.Layers {
		if layer.MediaType == provenanceLayerType {
			return r.addLayer(ctx, layer)
		}
	}
	return nil
}

// addSimpleSignatures adds the signatures that older versions of cosign store with a tag.
func (r *signatureReader) addSimpleSignatures(ctx context.Context, chart v1.Hash) error {
	return r.addManifest(ctx, r.repository.Tag(chart.Algorithm+"-"+chart.Hex+".sig"), func(layer v1.Descriptor) bool {
		return layer.MediaType == simpleSigningType && layer.Annotations[cosignSignature] != ""
	})
}

// addManifest adds the layers of a manifest that is not an index. A manifest that does not exist has no
// layers.
func (r *signatureReader) addManifest(ctx context.Context, at name.Reference, isSignature func(v1.Descriptor) bool) error {
	answer, err := r.puller.Get(ctx, at)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return r.toError(at, err)
	}
	var manifest v1.Manifest
	if json.Unmarshal(answer.Manifest, &manifest) != nil {
		return outcome.Stalledf(v1alpha1.ReasonSignatureInvalid, "%s is not the manifest of a signature", urlOf(at))
	}
	for _, layer := range manifest.Layers {
		if !isSignature(layer) {
			continue
		}
		if err := r.addLayer(ctx, layer); err != nil {
			return err
		}
	}
	return nil
}

// addReferrers adds the signatures that refer to a chart. A registry without an interface for
// referrers lists them in an index with a tag.
func (r *signatureReader) addReferrers(ctx context.Context, chart name.Digest, isSignature func(artifact string) bool) error {
	index, err := remote.Referrers(chart, remote.WithContext(ctx), remote.Reuse(r.puller))
	if err != nil {
		return r.toError(chart, err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		return outcome.Stalledf(v1alpha1.ReasonSignatureInvalid, "the list of signatures of %s is invalid", urlOf(chart))
	}
	for _, each := range list.Manifests {
		// An index in the list is not followed, so that lists cannot form a cycle.
		if !isSignature(each.ArtifactType) || !each.MediaType.IsImage() {
			continue
		}
		if err := r.addManifest(ctx, r.repository.Digest(each.Digest.String()), func(v1.Descriptor) bool { return true }); err != nil {
			return err
		}
	}
	return nil
}

// isNotFound reports whether a registry does not have what was requested.
func isNotFound(err error) bool {
	answer, ok := errors.AsType[*transport.Error](err)
	return ok && answer.StatusCode == http.StatusNotFound
}
