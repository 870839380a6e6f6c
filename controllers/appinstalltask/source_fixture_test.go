package appinstalltask_test

import (
	"encoding/json"
	"time"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/ginkgo/v2"

	. "github.com/onsi/gomega"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/images"
)

// sourceFixture is a source with the app web, whose versions are published by the test.
type sourceFixture struct {
	store  *chartrepo.Store
	source *v1alpha1.MarketSource
	app    *v1alpha1.AppInfo
}

// newSourceFixture creates a market that all namespaces may use.
func newSourceFixture() *sourceFixture {
	GinkgoHelper()
	store, err := chartrepo.Open(GinkgoT().TempDir(), chartrepo.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(store.Close)
	namespace := server.Namespace(GinkgoTB(), nil)
	m := &sourceFixture{store: store,
		source: &v1alpha1.MarketSource{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main"},
			Spec: v1alpha1.MarketSourceSpec{
				Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: "https://charts.example.com"},
				AllowedNamespaces: &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll},
			},
		},
		app: &v1alpha1.AppInfo{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main.web"},
			Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "main"}, App: "web"},
		},
	}
	server.Create(GinkgoTB(), m.source, m.app)
	before := client.MergeFrom(m.source.DeepCopy())
	m.source.Status.LastSyncTime, m.source.Status.ObservedGeneration = new(metav1.NewTime(time.Now().Add(-time.Minute))), m.source.Generation
	Expect(server.Client.Status().Patch(GinkgoT().Context(), m.source, before)).To(Succeed())
	return m
}

func (m *sourceFixture) appReference() v1alpha1.AppReference {
	return v1alpha1.AppReference{Source: "main", Name: "web", Namespace: m.source.Namespace}
}

// publishVersion stores a version with these files, and a report of the layers of its images, in the repository, as
// hydration does.
func (m *sourceFixture) publishVersion(version string, content map[string]string, layers ...images.ImageLayers) {
	GinkgoHelper()
	files := []chart.File{{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: " + version + "\n")}}
	for name, text := range content {
		files = append(files, chart.File{Name: name, Data: []byte(text)})
	}
	archive, err := chart.Pack("web", files)
	Expect(err).NotTo(HaveOccurred())
	meta, err := chart.ReadMetadata(files)
	Expect(err).NotTo(HaveOccurred())
	packed, err := json.Marshal(meta)
	Expect(err).NotTo(HaveOccurred())
	report, err := images.EncodeLayers(layers)
	Expect(err).NotTo(HaveOccurred())
	published, err := m.store.Publish(GinkgoT().Context(), hydrate.PublishRequest{
		Owner: hydrate.Owner{Namespace: m.source.Namespace, Source: "main"}, App: "web", Version: version,
		Chart: packed, Archive: archive, Digest: chart.Digest(archive),
		Reports: map[string][]byte{images.LayersReport: report},
	})
	Expect(err).NotTo(HaveOccurred())

	before := client.MergeFrom(m.app.DeepCopy())
	status := &m.app.Status
	versions := []v1alpha1.PublishedVersion{{Version: version, Digest: published.Digest, ReportURL: "http://market.example.com/" + published.Report}}
	for _, v := range status.Versions {
		if v.Version != version {
			versions = append(versions, v)
		}
	}
	status.Versions = versions
	Expect(server.Client.Status().Patch(GinkgoT().Context(), m.app, before)).To(Succeed())
}

// editApp changes the AppInfo.
func (m *sourceFixture) editApp(change func(*v1alpha1.AppInfo)) {
	GinkgoHelper()
	changed := m.app.DeepCopy()
	change(changed)
	status := changed.Status
	Expect(server.Client.Patch(GinkgoT().Context(), changed, client.MergeFrom(m.app))).To(Succeed())
	m.app = changed.DeepCopy()
	changed.Status = status
	Expect(server.Client.Status().Patch(GinkgoT().Context(), changed, client.MergeFrom(m.app))).To(Succeed())
	m.app = changed
}

// addDependencies adds dependencies to the app.
func (m *sourceFixture) addDependencies(apps ...string) {
	GinkgoHelper()
	m.editApp(func(app *v1alpha1.AppInfo) {
		app.Status.Summary = &v1alpha1.AppSummary{}
		for _, name := range apps {
			app.Status.Summary.Dependencies = append(app.Status.Summary.Dependencies,
				v1alpha1.AppDependency{Name: name, Type: "application", Version: ">=1.0.0", Required: true})
		}
	})
}

// manifestWithInputs is the manifest of an app with two required inputs.
const manifestWithInputs = `olaresManifest.version: 0.12.0
metadata: {name: web, version: 1.0.0}
envs:
  - {envName: PASSWORD, type: password, required: true}
  - {envName: THEME, type: string, required: true, options: [{title: Light, value: light}, {title: Dark, value: dark}]}
`

// filesWithoutInputs returns the files of an app without inputs.
func filesWithoutInputs() map[string]string {
	return map[string]string{"templates/page.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page}\n"}
}

// filesWithInputs returns the files of an app with inputs.
func filesWithInputs() map[string]string {
	content := filesWithoutInputs()
	content["OlaresManifest.yaml"] = manifestWithInputs
	return content
}
