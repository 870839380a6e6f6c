package bench_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/samplemarket"
)

// applySource creates a source and waits until all of its apps are served.
func (m *benchmark) applySource(name string, spec v1alpha1.MarketSourceSpec) *v1alpha1.MarketSource {
	m.b.Helper()
	spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}
	spec.Platform = &v1alpha1.Platform{Profile: v1alpha1.ProfileOlares}
	source := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: marketNamespace, Name: name}, Spec: spec}
	all := m.watchObjects(&v1alpha1.MarketSourceList{}, client.InNamespace(marketNamespace))
	m.Expect(m.cluster.Create(m.ctx, source)).To(Succeed())
	m.waitUntil(all, func(o client.Object) (bool, error) {
		if o.GetName() != name {
			return false, nil
		}
		source = o.(*v1alpha1.MarketSource)
		return isReady(source, v1alpha1.ConditionReady)
	})
	return source
}

// removeSource deletes a source and waits until its apps are deleted.
func (m *benchmark) removeSource(source *v1alpha1.MarketSource) {
	m.b.Helper()
	m.Expect(m.cluster.Delete(m.ctx, source)).To(Succeed())
	m.Eventually(func(g Gomega) {
		var apps v1alpha1.AppInfoList
		g.Expect(m.cluster.List(m.ctx, &apps, client.MatchingLabels{v1alpha1.SourceLabel: source.Name})).To(Succeed())
		g.Expect(apps.Items).To(BeEmpty())
	}, timeout, 200*time.Millisecond).Should(Succeed())
}

func (m *benchmark) createNamespace(name string) {
	m.b.Helper()
	m.Expect(client.IgnoreAlreadyExists(m.cluster.Create(m.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))).To(Succeed())
}

// listApps returns the apps of the market.
func (m *benchmark) listApps() []v1alpha1.AppInfo {
	m.b.Helper()
	var list v1alpha1.AppInfoList
	m.Expect(m.cluster.List(m.ctx, &list, client.MatchingLabels{v1alpha1.SourceLabel: m.market.Name})).To(Succeed())
	return list.Items
}

func (m *benchmark) fetchAllArchives() {
	m.b.Helper()
	for _, app := range m.listApps() {
		for _, version := range app.Status.Versions {
			m.Expect(fetchURL(version.URL)).To(Succeed())
		}
	}
}

func (m *benchmark) sourceDigests() map[string]string {
	m.b.Helper()
	all := map[string]string{}
	for _, app := range m.listApps() {
		all[app.Spec.App] = app.Status.Versions[0].SourceDigest
	}
	return all
}

// countingServer serves a market and counts the requests and the bytes of the responses.
type countingServer struct {
	*httptest.Server
	charts   string
	market   atomic.Pointer[samplemarket.Market]
	requests atomic.Int64
	bytes    atomic.Int64
}

func (c *countingServer) resetCounts() {
	c.requests.Store(0)
	c.bytes.Store(0)
}

// indexBytes returns the length of the index.
func (c *countingServer) indexBytes() int {
	answer := httptest.NewRecorder()
	c.market.Load().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/index.yaml", nil))
	return answer.Body.Len()
}

type countingWriter struct {
	http.ResponseWriter
	bytes *atomic.Int64
}

func (w countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes.Add(int64(n))
	return n, err
}

// serveCatalog serves a copy of the catalog as a Helm repository.
func (m *benchmark) serveCatalog() {
	m.b.Helper()
	c := &countingServer{charts: filepath.Join(m.scratch, "charts")}
	m.Expect(os.CopyFS(c.charts, os.DirFS(m.catalog))).To(Succeed())
	market, err := samplemarket.New(c.charts)
	m.Expect(err).NotTo(HaveOccurred())
	c.market.Store(market)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		c.market.Load().ServeHTTP(countingWriter{w, &c.bytes}, r)
	}))
	m.parent.Cleanup(c.Close)
	m.catalogServer = c
}

// changeCharts adds a file to count charts, which are spread over the catalog, serves the result,
// and returns the names of their apps.
func (m *benchmark) changeCharts(count int) []string {
	m.b.Helper()
	all := m.listApps()
	var names []string
	for i := range count {
		name := all[i*len(all)/count].Spec.App
		file := filepath.Join(m.catalogServer.charts, name, "CHANGED.md")
		m.Expect(os.WriteFile(file, []byte("Changed for a measure.\n"), 0o644)).To(Succeed())
		names = append(names, name)
	}
	market, err := samplemarket.New(m.catalogServer.charts)
	m.Expect(err).NotTo(HaveOccurred())
	m.catalogServer.market.Store(market)
	return names
}
