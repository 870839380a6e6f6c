package samplemarket_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/registry"
	"github.com/appmarket/operator/test/samplemarket"
)

const charts = "../../config/samples/charts"

// shared is the Market of all tests, which cannot be changed.
var shared = sync.OnceValues(func() (*samplemarket.Market, error) { return samplemarket.New(charts) })

func startMarket(t *testing.T) (*samplemarket.Market, *httptest.Server) {
	t.Helper()
	market, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(market)
	t.Cleanup(server.Close)
	return market, server
}

// getPath sends a request and returns the response and its body.
func getPath(t *testing.T, method, url string, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

type index struct {
	Entries map[string][]struct {
		Version string   `json:"version"`
		Digest  string   `json:"digest"`
		URLs    []string `json:"urls"`
	} `json:"entries"`
}

func TestIndexListsEveryChartWithItsDigest(t *testing.T) {
	g := NewWithT(t)
	_, server := startMarket(t)
	resp, body := getPath(t, http.MethodGet, server.URL+"/index.yaml")
	g.Expect(resp.StatusCode).To(Equal(http.StatusOK))
	var listed index
	g.Expect(yaml.Unmarshal(body, &listed)).To(Succeed())

	var names, hello []string
	for name, versions := range listed.Entries {
		names = append(names, name)
		for _, version := range versions {
			_, archive := getPath(t, http.MethodGet, server.URL+"/"+version.URLs[0])
			g.Expect(fmt.Sprintf("%x", sha256.Sum256(archive))).To(Equal(version.Digest), version.URLs[0])
		}
	}
	for _, version := range listed.Entries["hello"] {
		hello = append(hello, version.Version)
	}
	g.Expect(names).To(ConsistOf("hello", "notes", "wiki", "blog", "board", "broken", "clock", "team"))
	g.Expect(hello).To(Equal([]string{"1.2.0-rc.1", "1.1.0", "1.0.0"}))
}

func TestNothingIsSentTwiceToThoseWhoHaveIt(t *testing.T) {
	_, server := startMarket(t)
	for _, path := range []string{"/index.yaml", "/charts/hello-1.1.0.tgz"} {
		t.Run(path, func(t *testing.T) {
			g := NewWithT(t)
			first, body := getPath(t, http.MethodGet, server.URL+path)
			again, nothing := getPath(t, http.MethodGet, server.URL+path, "If-None-Match", first.Header.Get("ETag"))
			head, _ := getPath(t, http.MethodHead, server.URL+path)

			g.Expect(again.StatusCode).To(Equal(http.StatusNotModified))
			g.Expect(nothing).To(BeEmpty())
			g.Expect(head.ContentLength).To(BeNumerically("==", len(body)))
		})
	}
}

func TestTwoMarketsAreTheSame(t *testing.T) {
	g := NewWithT(t)
	_, one := startMarket(t)
	again, err := samplemarket.New(charts)
	g.Expect(err).NotTo(HaveOccurred())
	other := httptest.NewServer(again)
	t.Cleanup(other.Close)
	for _, path := range []string{"/index.yaml", "/v2/hello/manifests/1.1"} {
		_, left := getPath(t, http.MethodGet, one.URL+path)
		_, right := getPath(t, http.MethodGet, other.URL+path)
		g.Expect(left).To(Equal(right), path)
	}
}

func TestRegistryHasEveryImage(t *testing.T) {
	market, server := startMarket(t)
	client, err := registry.New(registry.Options{Mirrors: map[string]string{samplemarket.Registry: server.URL}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(market.Images()).To(ContainElements(
		"samples.appmarket.io/hello:1.0", "samples.appmarket.io/hello:1.2-rc", "samples.appmarket.io/wiki-tools:2.0",
		"samples.appmarket.io/probe:1.0", "samples.appmarket.io/team-server:1.2",
	))
	for _, image := range market.Images() {
		t.Run(image, func(t *testing.T) {
			g := NewWithT(t)
			detail, err := client.Inspect(t.Context(), image)
			g.Expect(err).NotTo(HaveOccurred())

			var platforms []string
			for _, platform := range detail.Platforms {
				platforms = append(platforms, platform.OS+"/"+platform.Architecture)
				g.Expect(platform.Size).To(BeNumerically(">", 16<<10))
				g.Expect(platform.Layers).To(BeNumerically(">", 1))
			}
			want := []string{"linux/amd64", "linux/arm64"}
			if image == samplemarket.Registry+"/clock:3.1" {
				want = want[:1]
			}
			g.Expect(platforms).To(Equal(want))
		})
	}
	t.Run("and no other", func(t *testing.T) {
		_, err := client.Inspect(t.Context(), samplemarket.Registry+"/hello:9")
		NewWithT(t).Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonImageNotFound))
	})
}

func TestMarketIsForReadingOnly(t *testing.T) {
	_, server := startMarket(t)
	for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodDelete} {
		for _, path := range []string{"/index.yaml", "/v2/hello/manifests/1.1", "/v2/hello/blobs/uploads/"} {
			resp, _ := getPath(t, method, server.URL+path)
			NewWithT(t).Expect(resp.StatusCode).To(Equal(http.StatusMethodNotAllowed), method+" "+path)
		}
	}
}

func TestFoldersThatAreNoMarket(t *testing.T) {
	const good = "apiVersion: v2\nname: app\nversion: 1.0.0\n"
	cases := []struct {
		why   string
		files map[string]string
	}{
		{"an empty folder", nil},
		{"a chart without a version", map[string]string{"app/Chart.yaml": "apiVersion: v2\nname: app\n"}},
		{"one version in two folders", map[string]string{"a/Chart.yaml": good, "b/Chart.yaml": good}},
		{"a platform that is none", map[string]string{
			"app/Chart.yaml":  good + "annotations:\n  samples.appmarket.io/platforms: a/b/c/d\n",
			"app/values.yaml": "image: samples.appmarket.io/app:1\n",
		}},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			dir := t.TempDir()
			for name, text := range c.files {
				path := filepath.Join(dir, name)
				g.Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
				g.Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
			}

			_, err := samplemarket.New(dir)

			g.Expect(err).To(HaveOccurred())
		})
	}
}
