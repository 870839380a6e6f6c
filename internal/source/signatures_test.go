package source_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
)

const (
	notationArtifact = "application/vnd.cncf.notary.signature"
	bundleArtifact   = "application/vnd.dev.sigstore.bundle.v0.3+json"
	simpleLayer      = "application/vnd.dev.cosign.simplesigning.v1+json"
)

// fetchSignatures lists a source, and fetches the signatures of its newest version.
func fetchSignatures(t *testing.T, from source.Source, provider v1alpha1.VerificationProvider) (hydrate.Signatures, error) {
	t.Helper()
	g := NewWithT(t)
	listing, err := from.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(listing.Apps).NotTo(BeEmpty())
	return from.(hydrate.SignatureFetcher).FetchSignatures(t.Context(), listing.Apps[0].Offers[0], provider)
}

// contents returns the contents of signatures.
func contents(of hydrate.Signatures) []string {
	var texts []string
	for _, each := range of.List {
		texts = append(texts, string(each.Content))
	}
	return texts
}

// signaturesOf adds layers to an image.
func signaturesOf(t *testing.T, mediaType types.MediaType, annotations map[string]string, texts ...string) v1.Image {
	t.Helper()
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	for _, text := range texts {
		var err error
		image, err = mutate.Append(image, mutate.Addendum{Layer: static.NewLayer([]byte(text), mediaType), Annotations: annotations})
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
	}
	return image
}

// chartDigest returns the digest of the manifest with a tag.
func (r *testRegistry) chartDigest(t *testing.T, repository, tag string) name.Digest {
	t.Helper()
	ref, err := name.NewTag(r.host + "/" + repository + ":" + tag)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	known, err := remote.Head(ref)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return ref.Context().Digest(known.Digest.String())
}

// writeReferrers lists manifests as referrers of a chart, with the tag that registries without an
// interface for referrers have.
func (r *testRegistry) writeReferrers(t *testing.T, chart name.Digest, artifact string, images ...mutate.Appendable) {
	t.Helper()
	g := NewWithT(t)
	list := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i, image := range images {
		descriptor := v1.Descriptor{ArtifactType: artifact, Annotations: map[string]string{"number": fmt.Sprint(i)}}
		list = mutate.AppendManifests(list, mutate.IndexAddendum{Add: image, Descriptor: descriptor})
	}
	g.Expect(remote.WriteIndex(chart.Context().Tag(strings.Replace(chart.DigestStr(), ":", "-", 1)), list)).To(Succeed())
}

func TestSignaturesInARegistry(t *testing.T) {
	const cosign, notation, provenance = v1alpha1.VerificationProviderCosign, v1alpha1.VerificationProviderNotation, v1alpha1.VerificationProviderHelmProvenance
	many := make([]string, 60)
	for i := range many {
		many[i] = fmt.Sprintf("signature %d", i)
	}
	signature := map[string]string{"dev.cosignproject.cosign/signature": "c2ln"}
	for _, row := range []struct {
		why      string
		provider v1alpha1.VerificationProvider
		prepare  func(r *testRegistry, chart name.Digest)
		want     []string
		reason   string
	}{
		{why: "no signature", provider: cosign},
		{why: "no signature of notation", provider: notation},
		{why: "no provenance file", provider: provenance},
		{why: "the tag of cosign", provider: cosign, want: []string{"c2ln"}, prepare: func(r *testRegistry, chart name.Digest) {
			r.write(t, "charts/web", strings.Replace(chart.DigestStr(), ":", "-", 1)+".sig", signaturesOf(t, simpleLayer, signature, "payload"))
		}},
		{why: "layers of other types in the tag of cosign", provider: cosign, prepare: func(r *testRegistry, chart name.Digest) {
			r.write(t, "charts/web", strings.Replace(chart.DigestStr(), ":", "-", 1)+".sig", signaturesOf(t, "text/plain", signature, "payload"))
		}},
		{why: "a referrer with a bundle", provider: cosign, want: []string{"bundle"}, prepare: func(r *testRegistry, chart name.Digest) {
			r.writeReferrers(t, chart, bundleArtifact, signaturesOf(t, bundleArtifact, nil, "bundle"))
		}},
		{why: "a referrer with a signature of notation", provider: notation, want: []string{"envelope"}, prepare: func(r *testRegistry, chart name.Digest) {
			r.writeReferrers(t, chart, notationArtifact, signaturesOf(t, "application/jose+json", nil, "envelope"))
		}},
		{why: "a referrer of another type", provider: notation, prepare: func(r *testRegistry, chart name.Digest) {
			r.writeReferrers(t, chart, "application/spdx+json", signaturesOf(t, "application/spdx+json", nil, "packages"))
		}},
		{why: "an index as a referrer", provider: notation, prepare: func(r *testRegistry, chart name.Digest) {
			r.writeReferrers(t, chart, notationArtifact, mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
				mutate.IndexAddendum{Add: signaturesOf(t, "application/jose+json", nil, "envelope")}))
		}},
		{why: "too many signatures", provider: cosign, reason: v1alpha1.ReasonLimitExceeded, prepare: func(r *testRegistry, chart name.Digest) {
			r.write(t, "charts/web", strings.Replace(chart.DigestStr(), ":", "-", 1)+".sig", signaturesOf(t, simpleLayer, signature, many...))
		}},
		{why: "too many referrers", provider: notation, reason: v1alpha1.ReasonLimitExceeded, prepare: func(r *testRegistry, chart name.Digest) {
			var all []mutate.Appendable
			for _, text := range many {
				all = append(all, signaturesOf(t, "application/jose+json", nil, text))
			}
			r.writeReferrers(t, chart, notationArtifact, all...)
		}},
		{why: "a signature that is too large", provider: notation, reason: v1alpha1.ReasonLimitExceeded, prepare: func(r *testRegistry, chart name.Digest) {
			r.writeReferrers(t, chart, notationArtifact, signaturesOf(t, "application/jose+json", nil, strings.Repeat("a", 2<<20)))
		}},
		{why: "a list that is not JSON", provider: notation, reason: v1alpha1.ReasonSignatureInvalid, prepare: func(r *testRegistry, _ name.Digest) {
			r.before = func(w http.ResponseWriter, request *http.Request) bool {
				if !strings.Contains(request.URL.Path, "/referrers/") {
					return false
				}
				w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
				_, _ = w.Write([]byte("{"))
				return true
			}
		}},
		{why: "a list that fails", provider: notation, reason: v1alpha1.ReasonFetchFailed, prepare: func(r *testRegistry, _ name.Digest) {
			r.before = func(w http.ResponseWriter, request *http.Request) bool {
				isList := strings.Contains(request.URL.Path, "/referrers/")
				if isList {
					w.WriteHeader(http.StatusInternalServerError)
				}
				return isList
			}
		}},
	} {
		t.Run(row.why, func(t *testing.T) {
			g := NewWithT(t)
			r := startRegistry(t)
			r.push(t, "charts/web", "1.0.0", web("1.0.0"))
			if row.prepare != nil {
				row.prepare(r, r.chartDigest(t, "charts/web", "1.0.0"))
			}
			got, err := fetchSignatures(t, openRegistry(t, source.OCIConfig{URL: "oci://" + r.host + "/charts/web"}), row.provider)
			g.Expect(outcome.Reason(err, "")).To(Equal(row.reason), "%v", err)
			if row.reason == "" {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(contents(got)).To(Equal(row.want))
				g.Expect(json.Valid(got.Manifest)).To(BeTrue())
			}
		})
	}
}

// TestSignatureOfAMovedTag checks that the signatures of another chart are not used.
func TestSignatureOfAMovedTag(t *testing.T) {
	g := NewWithT(t)
	r := startRegistry(t)
	r.push(t, "charts/web", "1.0.0", web("1.0.0"))
	opened := openRegistry(t, source.OCIConfig{URL: "oci://" + r.host + "/charts/web"})
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	r.push(t, "charts/web", "1.0.0", map[string]any{"name": "web", "version": "1.0.0", "description": "changed"})
	_, err = opened.(hydrate.SignatureFetcher).FetchSignatures(t.Context(), listing.Apps[0].Offers[0], v1alpha1.VerificationProviderCosign)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonDigestMismatch))
}

func TestProvenanceFilesOfAHelmRepository(t *testing.T) {
	for _, row := range []struct {
		why    string
		serve  func(w http.ResponseWriter)
		want   []string
		reason string
	}{
		{why: "a file", serve: func(w http.ResponseWriter) { _, _ = w.Write([]byte("signed")) }, want: []string{"signed"}},
		{why: "no file", serve: func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }},
		{why: "no permission", serve: func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }, reason: v1alpha1.ReasonUnauthorized},
		{why: "a server error", serve: func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }, reason: v1alpha1.ReasonFetchFailed},
		{why: "a large file", serve: func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, 2<<20)) }, reason: v1alpha1.ReasonLimitExceeded},
	} {
		t.Run(row.why, func(t *testing.T) {
			g := NewWithT(t)
			server := startServer(t, func(w http.ResponseWriter, request *http.Request) {
				switch request.URL.Path {
				case "/index.yaml":
					_, _ = w.Write([]byte("apiVersion: v1\nentries:\n  web:\n  - name: web\n    version: 1.0.0\n    urls: [web-1.0.0.tgz]\n"))
				case "/web-1.0.0.tgz.prov":
					row.serve(w)
				default:
					http.NotFound(w, request)
				}
			})
			opened, err := source.Open(source.Config{Helm: &source.HelmConfig{URL: server.URL}, Network: netguard.Policy{Loopback: true}})
			g.Expect(err).NotTo(HaveOccurred())
			got, err := fetchSignatures(t, opened, v1alpha1.VerificationProviderHelmProvenance)
			g.Expect(outcome.Reason(err, "")).To(Equal(row.reason), "%v", err)
			g.Expect(contents(got)).To(Equal(row.want))
		})
	}
}

func TestProvenanceFilesOfADirectory(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	opened, err := source.Open(source.Config{Directory: &source.DirectoryConfig{Path: dir, AllowedRoots: []string{dir}}})
	g.Expect(err).NotTo(HaveOccurred())
	fetch := func(name string) (hydrate.Signatures, error) {
		return opened.(hydrate.SignatureFetcher).FetchSignatures(t.Context(), hydrate.Offer{URL: name}, v1alpha1.VerificationProviderHelmProvenance)
	}
	got, err := fetch("web-1.0.0.tgz")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got.List).To(BeEmpty())
	g.Expect(os.WriteFile(filepath.Join(dir, "web-1.0.0.tgz.prov"), []byte("signed"), 0o600)).To(Succeed())
	got, err = fetch("web-1.0.0.tgz")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(contents(got)).To(Equal([]string{"signed"}))
	g.Expect(os.Symlink("/etc/hostname", filepath.Join(dir, "link.tgz.prov"))).To(Succeed())
	for name, reason := range map[string]string{"link.tgz": v1alpha1.ReasonSignatureInvalid, "../web": v1alpha1.ReasonNotFound} {
		_, err = fetch(name)
		g.Expect(outcome.Reason(err, "")).To(Equal(reason), name)
	}
}
