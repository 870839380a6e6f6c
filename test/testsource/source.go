// Package testsource provides specs with a source whose only app, web, has the versions that the spec
// publishes, as hydration would publish them.
package testsource

import (
	"encoding/json"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/test/testenv"
)

// Fixture is a source with the app web.
type Fixture struct {
	Store  *chartrepo.Store
	Source *v1alpha1.MarketSource
	App    *v1alpha1.AppInfo

	server *testenv.Env
}

// New creates a source that all namespaces may use, in a namespace of its own.
func New(server *testenv.Env) *Fixture {
	GinkgoHelper()
	store, err := chartrepo.Open(GinkgoT().TempDir(), chartrepo.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(store.Close)
	namespace := server.Namespace(GinkgoTB(), nil)
	f := &Fixture{
		Store: store,
		Source: &v1alpha1.MarketSource{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main"},
			Spec: v1alpha1.MarketSourceSpec{
				Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: "https://charts.example.com"},
				AllowedNamespaces: &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll},
			},
		},
		App: &v1alpha1.AppInfo{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main.web"},
			Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "main"}, App: "web"},
		},
		server: server,
	}
	server.Create(GinkgoTB(), f.Source, f.App)
	before := client.MergeFrom(f.Source.DeepCopy())
	f.Source.Status.LastSyncTime, f.Source.Status.ObservedGeneration = new(metav1.NewTime(time.Now().Add(-time.Minute))), f.Source.Generation
	Expect(server.Client.Status().Patch(GinkgoT().Context(), f.Source, before)).To(Succeed())
	return f
}

// AppReference refers to the app from any namespace.
func (f *Fixture) AppReference() v1alpha1.AppReference {
	return v1alpha1.AppReference{Source: "main", Name: "web", Namespace: f.Source.Namespace}
}

// PublishVersion stores a version with these files, and a report of the layers of its images, in the
// repository, and adds it to the versions of the app.
func (f *Fixture) PublishVersion(version string, content map[string]string, layers ...images.ImageLayers) {
	GinkgoHelper()
	files := []chart.File{{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: " + version + "\n")}}
	for name, text := range content {
		files = append(files, chart.File{Name: name, Data: []byte(text)})
	}
	archive, err := chart.Pack("web", files)
	Expect(err).NotTo(HaveOccurred())
	metadata, err := chart.ReadMetadata(files)
	Expect(err).NotTo(HaveOccurred())
	encoded, err := json.Marshal(metadata)
	Expect(err).NotTo(HaveOccurred())
	report, err := images.EncodeLayers(layers)
	Expect(err).NotTo(HaveOccurred())
	published, err := f.Store.Publish(GinkgoT().Context(), hydrate.PublishRequest{
		Owner: hydrate.Owner{Namespace: f.Source.Namespace, Source: "main"}, App: "web", Version: version,
		Chart: encoded, Archive: archive, Digest: chart.Digest(archive),
		Reports: map[string][]byte{images.LayersReport: report},
	})
	Expect(err).NotTo(HaveOccurred())
	f.EditApp(func(app *v1alpha1.AppInfo) {
		versions := []v1alpha1.PublishedVersion{{Version: version, Digest: published.Digest, ReportURL: "http://market.example.com/" + published.Report}}
		for _, other := range app.Status.Versions {
			if other.Version != version {
				versions = append(versions, other)
			}
		}
		app.Status.Versions = versions
	})
}

// EditApp changes the spec and the status of the AppInfo.
func (f *Fixture) EditApp(change func(*v1alpha1.AppInfo)) {
	GinkgoHelper()
	changed := f.App.DeepCopy()
	change(changed)
	status := changed.Status
	Expect(f.server.Client.Patch(GinkgoT().Context(), changed, client.MergeFrom(f.App))).To(Succeed())
	f.App = changed.DeepCopy()
	changed.Status = status
	Expect(f.server.Client.Status().Patch(GinkgoT().Context(), changed, client.MergeFrom(f.App))).To(Succeed())
	f.App = changed
}
