package hydrate_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/olares"
)

// analyzeChart returns the draft of a chart after the steps that read its files.
func analyzeChart(t *testing.T, platform map[string]any, files map[string]string) *hydrate.Draft {
	t.Helper()
	g := NewWithT(t)
	packed, err := chart.Pack("web", newWebChart(files))
	g.Expect(err).NotTo(HaveOccurred())
	worker := hydrate.InProcess{Renderer: render.Engine{}, Reader: olares.Reader{}}
	request := hydrate.Request{App: "web", Offer: hydrate.Offer{Version: "1.0.0"}, Profile: olares.HelmProfile{}, Platform: platform}
	d, _, err := worker.Analyze(t.Context(), request, hydrate.ChartContent{Archive: packed})
	g.Expect(err).NotTo(HaveOccurred())
	return d
}

func TestAnalysisDescribesObjects(t *testing.T) {
	g := NewWithT(t)
	d := analyzeChart(t, nil, map[string]string{"templates/a.yaml": `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: a}
spec: {storageClassName: fast, resources: {requests: {storage: 1Gi}}}
`})
	g.Expect(d.Description).NotTo(BeNil())
	g.Expect(d.Description.Footprint).To(Equal(objects.Footprint{Storage: "1Gi"}))
	g.Expect(d.Description.Requirements.StorageClasses).To(Equal([]string{"fast"}))
	g.Expect(string(d.Reports["permissions.json"])).To(MatchJSON(`{"ruleCount": 0, "crdCount": 0, "hasClusterRules": false}`))
}

func TestDescriptionHasNoPlatformValues(t *testing.T) {
	g := NewWithT(t)
	d := analyzeChart(t, map[string]any{"class": "hunter2-fast", "home": "/users/alice-the-admin"}, map[string]string{"templates/a.yaml": `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: a}
spec: {storageClassName: {{ .Values.class }}}
---
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{name: a, image: "busybox:1"}], volumes: [{name: home, hostPath: {path: {{ .Values.home }}/data}}]}
`})
	g.Expect(d.Description.Requirements.StorageClasses).To(BeEmpty())
	g.Expect(d.Description.Access.HostPaths).To(Equal([]string{"Pod/a: (masked)/data"}))
	g.Expect(string(d.Reports["permissions.json"])).NotTo(ContainSubstring("alice"))
}

func TestObjectsOfUnrenderedChartsAreUnknown(t *testing.T) {
	g := NewWithT(t)
	d := analyzeChart(t, nil, map[string]string{"templates/a.yaml": `{{ required "set a" .Values.a }}`})
	g.Expect(d.Description).To(BeNil())
	g.Expect(d.Reports).NotTo(HaveKey("permissions.json"))
}

func TestTranslations(t *testing.T) {
	g := NewWithT(t)
	d := analyzeChart(t, nil, map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\nannotations:\n  appmarket.io/title-zh-CN: ignored\n" +
			"  appmarket.io/description-zh-CN: 描述\n  appmarket.io/title-de: Netz\n  appmarket.io/title-not a locale: x\n",
		"i18n/zh-CN/OlaresManifest.yaml": "metadata:\n  title: 网\n", "i18n/fr/OlaresManifest.yaml": "metadata: {title: [",
	})
	g.Expect(d.Translations).To(Equal([]hydrate.Translation{
		{Locale: "de", Title: "Netz"}, {Locale: "zh-CN", Title: "网", Description: "描述"},
	}))
}
