package chartrepo_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/repo"
	"sigs.k8s.io/yaml"
)

// TestHeadlampFindsChartsAndValues reads the index as Headlamp does, and requests each
// archive next to it and its values.
func TestHeadlampFindsChartsAndValues(t *testing.T) {
	g := gomega.NewWithT(t)
	s := serveStore(t)
	response, body := s.doRequest(t, http.MethodGet, "/charts/index.yaml")
	g.Expect(response.StatusCode).To(gomega.Equal(http.StatusOK))
	var index repo.IndexFile
	g.Expect(yaml.Unmarshal(body, &index)).To(gomega.Succeed())
	g.Expect(index.Entries).To(gomega.HaveLen(12))
	versions := []string{}
	for _, version := range append(index.Entries["web"], index.Entries["market_main_web"]...) {
		versions = append(versions, version.Version)
		at, err := url.Parse("/charts/index.yaml")
		g.Expect(err).NotTo(gomega.HaveOccurred())
		archive, err := at.Parse(version.URLs[0])
		g.Expect(err).NotTo(gomega.HaveOccurred())
		_, content := s.doRequest(t, http.MethodGet, archive.Path)
		g.Expect(digestOf(content)).To(gomega.Equal("sha256:"+version.Digest), archive.Path)
	}
	g.Expect(versions).To(gomega.Equal([]string{"3.0.0", "2.0.0", "1.0.0"}))

	response, values := s.doRequest(t, http.MethodGet, "/values/market_main_web/1.0.0/values.yaml")
	g.Expect(response.StatusCode).To(gomega.Equal(http.StatusOK))
	g.Expect(string(values)).To(gomega.Equal(string(s.small.Reports["values.yaml"])))
	g.Expect(response.Header.Get("Cache-Control")).To(gomega.Equal("public, max-age=60, must-revalidate"))
}

func TestMissingValuesAreNotFound(t *testing.T) {
	s := serveStore(t)
	for why, path := range map[string]string{
		"no such chart":            "/values/none/1.0.0/values.yaml",
		"no such version":          "/values/web/9.0.0/values.yaml",
		"a version with a slash":   "/values/web/1.0.0/more/values.yaml",
		"a chart with a dash":      "/values/more/0-1.0.0/values.yaml",
		"another source's version": "/values/web/1.0.0/values.yaml",
	} {
		t.Run(why, func(t *testing.T) {
			response, _ := s.doRequest(t, http.MethodGet, path)
			gomega.NewWithT(t).Expect(response.StatusCode).To(gomega.Equal(http.StatusNotFound))
		})
	}
}
