package source

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

// registryOf is a registry with one list of tags, one manifest and one configuration. It responds without a
// connection.
type registryOf struct{ tags, manifest, config []byte }

// RoundTrip responds to a request.
func (r registryOf) RoundTrip(request *http.Request) (*http.Response, error) {
	header, body := http.Header{"Content-Type": {"application/vnd.oci.image.manifest.v1+json"}}, []byte("{}")
	switch path := request.URL.Path; {
	case strings.HasSuffix(path, "/tags/list"):
		body = r.tags
	case strings.Contains(path, "/manifests/"), strings.Contains(path, "/referrers/"):
		body = r.manifest
		header.Set("Docker-Content-Digest", chart.Digest(body))
	case strings.Contains(path, "/blobs/"):
		body = r.config
	}
	header.Set("Content-Length", fmt.Sprint(len(body)))
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: request}, nil
}

// FuzzRegistry reads a chart and its signatures from a registry with any content. CONFIG in the manifest
// stands for the digest of the configuration.
func FuzzRegistry(f *testing.F) {
	const manifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"CONFIG","size":2},` +
		`"layers":[{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip","digest":"CONFIG","size":2},` +
		`{"mediaType":"application/vnd.cncf.helm.chart.provenance.v1.prov","digest":"CONFIG","size":2},` +
		`{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"CONFIG","annotations":{"dev.cosignproject.cosign/signature":"x"}}]}`
	f.Add([]byte(`{"tags":["1.0.0","latest"]}`), []byte(manifest), []byte(`{"name":"web","version":"1.0.0"}`))
	f.Add([]byte(`{"tags":null}`), []byte(`{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.cncf.notary.signature","digest":"CONFIG"}]}`), []byte("[]"))
	f.Add([]byte("[]"), []byte(strings.ReplaceAll(manifest, "CONFIG", "sha256:../x")), []byte(`{"name":1}`))
	repository, err := name.NewRepository("registry.example/charts/web")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, tags, manifest, config []byte) {
		g := NewWithT(t)
		manifest = bytes.ReplaceAll(manifest, []byte("CONFIG"), []byte(chart.Digest(config)))
		puller, err := remote.NewPuller(remote.WithTransport(registryOf{tags, manifest, config}), remote.WithRetryBackoff(remote.Backoff{Steps: 1}))
		g.Expect(err).NotTo(HaveOccurred())
		client := &registryClient{puller: puller, timeout: DefaultTimeout, guard: &registryTransport{registry: repository.Registry}}
		expectReason := func(err error) {
			if err != nil {
				g.Expect(outcome.Reason(err, "")).NotTo(BeEmpty(), "%v", err)
				g.Expect(len(err.Error())).To(BeNumerically("<", 2000))
			}
		}
		_, err = client.listTags(t.Context(), repository)
		expectReason(err)
		tag := repository.Tag("1.0.0")
		_, err = client.readTag(t.Context(), tag)
		expectReason(err)
		for _, provider := range []v1alpha1.VerificationProvider{
			v1alpha1.VerificationProviderHelmProvenance, v1alpha1.VerificationProviderCosign, v1alpha1.VerificationProviderNotation,
		} {
			_, err = client.fetchSignatures(t.Context(), tag, "", provider)
			expectReason(err)
		}
	})
}
