package server_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/memory"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/appmarket/operator/internal/chart"
)

// Media types with which an OCI client other than helm pushes a chart.
const (
	configType  = "application/vnd.cncf.helm.config.v1+json"
	archiveType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

// newRepository returns the repository of the chart web for an OCI client that is not helm.
func (m *market) newRepository(token string) *remote.Repository {
	m.Helper()
	host := strings.TrimPrefix(m.url, "http://")
	repository, err := remote.NewRepository(host + "/market/team/web")
	NewWithT(m).Expect(err).NotTo(HaveOccurred())
	repository.PlainHTTP = true
	repository.Client = &auth.Client{Credential: auth.StaticCredential(host, auth.Credential{Username: "x", Password: token})}
	return repository
}

// packChart returns a local store that has an archive as version 1.0.0, as "oras push" packs it.
func packChart(t *testing.T, archive []byte, configMedia, archiveMedia string) *memory.Store {
	t.Helper()
	g, local := NewWithT(t), memory.New()
	add := func(media string, data []byte) ocispec.Descriptor {
		described := content.NewDescriptorFromBytes(media, data)
		g.Expect(local.Push(t.Context(), described, bytes.NewReader(data))).To(Succeed())
		return described
	}
	config, layer := add(configMedia, []byte(`{"name":"web","version":"1.0.0","apiVersion":"v2"}`)), add(archiveMedia, archive)
	layer.Annotations = map[string]string{ocispec.AnnotationTitle: "web-1.0.0.tgz"}
	artifactType := ""
	if configMedia == ocispec.MediaTypeEmptyJSON {
		artifactType = archiveType
	}
	manifest, err := oras.PackManifest(t.Context(), local, oras.PackManifestVersion1_1, artifactType, oras.PackManifestOptions{
		ConfigDescriptor: &config, Layers: []ocispec.Descriptor{layer},
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(local.Tag(t.Context(), manifest, "1.0.0")).To(Succeed())
	return local
}

// pushChart copies version 1.0.0 to a repository, as "oras push" does.
func pushChart(ctx context.Context, local *memory.Store, to *remote.Repository) error {
	_, err := oras.Copy(ctx, local, "1.0.0", to, "1.0.0", oras.DefaultCopyOptions)
	return err
}

func TestOrasPushesAndPulls(t *testing.T) {
	g, m := NewWithT(t), startMarket(t)
	archive := newArchive(t, "web", "1.0.0", "a")
	local, repository := packChart(t, archive, configType, archiveType), m.newRepository(all)
	g.Expect(pushChart(t.Context(), local, m.newRepository(""))).NotTo(Succeed(), "without a token")
	g.Expect(m.changed).To(BeEmpty())
	g.Expect(pushChart(t.Context(), local, repository)).To(Succeed())
	g.Expect(<-m.changed).To(Equal(team))
	g.Expect(pushChart(t.Context(), local, repository)).To(Succeed(), "the same again")

	pulled := memory.New()
	_, err := oras.Copy(t.Context(), repository, "1.0.0", pulled, "", oras.DefaultCopyOptions)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.FetchAll(t.Context(), pulled, content.NewDescriptorFromBytes(archiveType, archive))).To(Equal(archive))
	g.Expect(m.send("HEAD", webFile+"?digest="+chart.Digest(archive), all, nil).status).To(Equal(200), "it is the same chart for the other clients")

	other := packChart(t, newArchive(t, "web", "1.0.0", "b"), configType, archiveType)
	g.Expect(pushChart(t.Context(), other, repository)).To(MatchError(ContainSubstring("allowOverwrite")), "the same version with another digest")
}

// TestOnlyChartsArePushed pushes artifacts of other types.
func TestOnlyChartsArePushed(t *testing.T) {
	for _, c := range []struct{ why, config, archive string }{
		{"the config of an image", ocispec.MediaTypeImageConfig, archiveType},
		{"an empty config", ocispec.MediaTypeEmptyJSON, archiveType},
		{"the layer of an image", configType, ocispec.MediaTypeImageLayerGzip},
		{"a file", configType, "application/octet-stream"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g, m := NewWithT(t), startMarket(t)
			err := pushChart(t.Context(), packChart(t, newArchive(t, "web", "1.0.0", "a"), c.config, c.archive), m.newRepository(all))
			g.Expect(err).To(MatchError(ContainSubstring("manifest invalid")))
			g.Expect(m.changed).To(BeEmpty())
			_, _, err = m.store.List(team)
			g.Expect(err).To(HaveOccurred(), "nothing was accepted")
		})
	}
}
