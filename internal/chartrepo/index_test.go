package chartrepo_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chartrepo"
)

var update = flag.Bool("update", false, "update the golden files")

func getPath(t testing.TB, handler http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer
}

func TestGoldenIndexes(t *testing.T) {
	store := openStore(t, t.TempDir(), nil)
	strange := newPublication(t, main, "1e3", "0.1.0+build.7")
	strange.Chart = []byte(`{"name":"1e3","version":"0.1.0+build.7","urls":["http://elsewhere/"],"digest":"false",
		"description":"line\n\n  indented: {{ .Values }}\n# no comment\ttab\u0000","annotations":{"yes":"0x10","z":"<a&b>"},"keywords":[],
		"dependencies":[{"name":"a","version":"~1"}],"deprecated":true,"icon":null}`)
	publishAll(t, store,
		newPublication(t, main, "web", "1.2.0"), newPublication(t, main, "web", "1.10.0"), newPublication(t, main, "web", "1.10.0-rc.1"), strange,
		newPublication(t, extra, "web", "1.10.0"), newPublication(t, extra, "web", "2.0.0"), newPublication(t, extra, "db", "0.1.0"),
		newPublication(t, hydrate.Owner{Namespace: "tenant", Source: "own"}, "secret", "1.0.0"))
	handler := chartrepo.Handler(store, chartrepo.HandlerOptions{
		Shared: func(owner hydrate.Owner) bool { return owner.Namespace == "market" },
	})
	for name, path := range map[string]string{
		"source.yaml":    "/market/main/index.yaml",
		"aggregate.yaml": "/index.yaml",
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			answer := getPath(t, handler, path)
			g.Expect(answer.Code).To(gomega.Equal(http.StatusOK))
			golden := filepath.Join("testdata", name)
			if *update {
				g.Expect(os.WriteFile(golden, answer.Body.Bytes(), 0o644)).To(gomega.Succeed())
			}
			want, err := os.ReadFile(golden)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(answer.Body.String()).To(gomega.Equal(string(want)))
		})
	}
	t.Run("preserves the metadata of the chart", func(t *testing.T) {
		g := gomega.NewWithT(t)
		var index struct {
			Entries map[string][]map[string]any `json:"entries"`
		}
		g.Expect(yaml.Unmarshal(getPath(t, handler, "/market/main/index.yaml").Body.Bytes(), &index)).To(gomega.Succeed())
		var want map[string]any
		g.Expect(json.Unmarshal(strange.Chart, &want)).To(gomega.Succeed())
		want["urls"] = []any{"charts/1e3-0.1.0+build.7.tgz"}
		want["digest"] = strange.Digest[len("sha256:"):]
		want["created"] = "2026-01-02T12:00:00Z"
		g.Expect(index.Entries["1e3"]).To(gomega.Equal([]map[string]any{want}))
	})
}

func TestIndexFollowsEveryChange(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := gomega.NewWithT(t)
		dir := t.TempDir()
		store := in.openStore(t, dir, nil)
		handler := chartrepo.Handler(store, chartrepo.HandlerOptions{})
		g.Expect(getPath(t, handler, "/index.yaml").Body.String()).To(gomega.ContainSubstring("entries: {}"))
		g.Expect(getPath(t, handler, "/market/main/index.yaml").Code).To(gomega.Equal(http.StatusNotFound))

		publishAll(t, store, newPublication(t, main, "a", "1.0.0"))
		first := getPath(t, handler, "/index.yaml")
		g.Expect(first.Body.String()).To(gomega.ContainSubstring("market/main/charts/a-1.0.0.tgz"))
		g.Expect(getPath(t, handler, "/market/main/index.yaml").Body.String()).To(gomega.ContainSubstring(`- "charts/a-1.0.0.tgz"`))
		publishAll(t, store, newPublication(t, main, "a", "1.0.0"))
		g.Expect(getPath(t, handler, "/index.yaml").Header().Get("ETag")).To(gomega.Equal(first.Header().Get("ETag")), "nothing changed")

		publishAll(t, store, newPublication(t, extra, "b", "1.0.0"))
		g.Expect(getPath(t, handler, "/index.yaml").Body.String()).To(gomega.ContainSubstring("market/extra/charts/b-1.0.0.tgz"))
		g.Expect(store.Remove(main, "a")).To(gomega.Succeed())
		g.Expect(getPath(t, handler, "/index.yaml").Body.String()).NotTo(gomega.ContainSubstring("a-1.0.0"))
		g.Expect(getPath(t, handler, "/market/main/index.yaml").Code).To(gomega.Equal(http.StatusNotFound))
		g.Expect(getPath(t, handler, "/market/main/charts/a-1.0.0.tgz").Code).To(gomega.Equal(http.StatusNotFound))
	})
}
