package samplemarket_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/test/samplemarket"
)

func TestPublishWritesARepositoryWithImagesOfAnotherRegistry(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	g.Expect(samplemarket.Publish(samples+"/charts", folder, "registry.example/apps")).To(Succeed())
	server := httptest.NewServer(http.FileServer(http.Dir(folder)))
	t.Cleanup(server.Close)
	_, body := getPath(t, http.MethodGet, server.URL+"/index.yaml")
	var listed index
	g.Expect(yaml.Unmarshal(body, &listed)).To(Succeed())
	g.Expect(listed.Entries).To(HaveLen(8))
	for name, versions := range listed.Entries {
		for _, version := range versions {
			_, archive := getPath(t, http.MethodGet, server.URL+"/"+version.URLs[0])
			g.Expect(fmt.Sprintf("%x", sha256.Sum256(archive))).To(Equal(version.Digest))
			files, err := chart.Unpack(archive)
			g.Expect(err).NotTo(HaveOccurred())
			all := ""
			for _, file := range files {
				all += string(file.Data)
			}
			g.Expect(all).To(ContainSubstring("registry.example/apps/"))
			g.Expect(all).NotTo(ContainSubstring(samplemarket.Registry+"/"+name), "an image that does not exist")
		}
	}
}

func TestReadImagesReturnsNamesAndPlatforms(t *testing.T) {
	g := NewWithT(t)
	images, err := samplemarket.ReadImages(samples + "/charts")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(images).To(ContainElements(
		samplemarket.Image{Name: "hello:1.1", Platforms: []string{"linux/amd64", "linux/arm64"}},
		samplemarket.Image{Name: "clock:3.1", Platforms: []string{"linux/amd64"}},
	))
	_, err = samplemarket.ReadImages(t.TempDir())
	g.Expect(err).To(MatchError(ContainSubstring("look for charts")))
}
