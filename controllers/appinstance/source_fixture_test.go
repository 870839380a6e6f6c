package appinstance_test

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

// publishVersion stores a version with these files in the repository, as hydration does.
func (m *sourceFixture) publishVersion(version string, content map[string]string) {
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
	published, err := m.store.Publish(GinkgoT().Context(), hydrate.PublishRequest{
		Owner: hydrate.Owner{Namespace: m.source.Namespace, Source: "main"}, App: "web", Version: version,
		Chart: packed, Archive: archive, Digest: chart.Digest(archive),
	})
	Expect(err).NotTo(HaveOccurred())

	before := client.MergeFrom(m.app.DeepCopy())
	status := &m.app.Status
	versions := []v1alpha1.PublishedVersion{{Version: version, Digest: published.Digest}}
	for _, v := range status.Versions {
		if v.Version != version {
			versions = append(versions, v)
		}
	}
	status.Versions = versions
	Expect(server.Client.Status().Patch(GinkgoT().Context(), m.app, before)).To(Succeed())
}

// Templates of the apps.
const (
	configMapTemplate = `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-page}
data: {color: {{ .Values.color | quote }}, theme: {{ (.Values.olaresEnv).THEME | quote }}}
`
	deploymentTemplate = `apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: web, image: "images.example.com/web:{{ .Chart.Version }}"}]}
`
	claimTemplate = `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: {{ .Release.Name }}-data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`
	manifestWithInputs = `olaresManifest.version: 0.12.0
metadata: {name: web, version: 1.0.0}
entrances: [{name: front, title: Front, host: web, port: 80}]
envs:
  - {envName: PASSWORD, type: password, required: true}
  - {envName: THEME, type: string, required: true, options: [{title: Light, value: light}, {title: Dark, value: dark}]}
`
)

// configMapFiles returns the files of an app that is ready immediately.
func configMapFiles() map[string]string {
	return map[string]string{"templates/page.yaml": configMapTemplate, "values.yaml": "color: gray\n"}
}

// workloadFiles returns the files of an app with a workload.
func workloadFiles() map[string]string {
	return map[string]string{"templates/web.yaml": deploymentTemplate}
}
