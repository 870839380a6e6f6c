package appinfo_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"unicode/utf8"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

// numberedLines formats n lines with the numbers from 0.
func numberedLines(n int, form string) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, form, i)
	}
	return text.String()
}

var _ = Describe("The summary of an app", func() {
	var b *appFixture
	BeforeEach(func() { b = newAppFixture() })

	It("is of its chart where it has no manifest", func() {
		content := configMapFiles()
		content["Chart.yaml"] = "description: A page.\nicon: https://example.com/web.png\nkeywords: [pages, text]\nmaintainers: [{name: Ada}]\nannotations: {category: Websites}\n"
		b.addVersion("1.0.0", content)
		b.writeListing()
		b.expectServed("1.0.0")
		Expect(*b.app.Status.Summary).To(Equal(v1alpha1.AppSummary{
			Title: "web", AppVersion: "v1.0.0", Description: "A page.", Icon: "https://example.com/web.png",
			Categories: []string{"Websites"}, Keywords: []string{"pages", "text"}, Type: "application", Developer: "Ada",
			Kinds: []v1alpha1.KindCount{{Kind: "ConfigMap", Count: 1}},
			Clone: &v1alpha1.CloneSafety{
				Verdict: v1alpha1.CloneNamespacedOnly, Collisions: []string{"ConfigMap page: same name in all releases"},
			},
			Footprint: &v1alpha1.AppFootprint{}, Access: &v1alpha1.AppAccess{Scope: v1alpha1.AccessNamespace}, Requirements: &v1alpha1.AppRequirements{},
		}))
	})

	It("has the translations of its chart", func() {
		content := configMapFiles()
		content["Chart.yaml"] = "description: A page.\nannotations: {appmarket.io/title-de: Netz, appmarket.io/title-en: web, appmarket.io/description-en: A page.}\n"
		b.addVersion("1.0.0", content)
		b.writeListing()
		b.expectServed("1.0.0")
		Expect(b.app.Status.Summary.Translations).To(Equal([]v1alpha1.AppTranslation{{Locale: "de", Title: "Netz"}}), "English has the same texts")
	})

	It("has the icon and the texts of its source where its chart has none", func() {
		b.addVersion("1.0.0", configMapFiles())
		content := configMapFiles()
		content["Chart.yaml"] = "description: A page.\nannotations: {appmarket.io/title-de: Netz}\n"
		b.addVersion("2.0.0", content)
		b.writeListing()
		present := func(title string) {
			GinkgoHelper()
			b.editApp(func(app *v1alpha1.AppInfo) {
				for i := range app.Spec.Offers {
					app.Spec.Offers[i].Presentation = &v1alpha1.OfferPresentation{
						Icon: "https://store.example/web.png", Title: title, Description: "Of the store.",
						Translations: []v1alpha1.AppTranslation{{Locale: "de", Title: "Web", Description: "Seiten."}, {Locale: "fr", Title: "Toile"}},
					}
				}
			})
		}
		present("Web")
		b.expectServed("2.0.0", "1.0.0")
		summary := b.app.Status.Summary
		Expect([]string{summary.Title, summary.Description, summary.Icon}).To(Equal([]string{"Web", "A page.", "https://store.example/web.png"}))
		Expect(summary.Translations).To(Equal([]v1alpha1.AppTranslation{{Locale: "de", Title: "Netz", Description: "Seiten."}, {Locale: "fr", Title: "Toile"}}))

		present("Other")
		b.expectServed("2.0.0", "1.0.0")
		Expect(b.app.Status.Summary.Title).To(Equal("Other"), "a text that changes without the chart")
	})

	It("describes what the objects may do, request and require", func() {
		content := configMapFiles()
		content["Chart.yaml"] = "kubeVersion: '>=1.20.0-0'\n"
		content["templates/more.yaml"] = `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {storageClassName: fast, resources: {requests: {storage: 2Gi}}}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: one}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [nodes], verbs: [list]}]
`
		b.addVersion("1.0.0", content)
		b.writeListing()
		b.expectServed("1.0.0")
		summary := b.app.Status.Summary
		Expect(summary.Footprint).To(Equal(&v1alpha1.AppFootprint{Storage: "2Gi"}))
		Expect(summary.Access).To(Equal(&v1alpha1.AppAccess{Scope: v1alpha1.AccessCluster, Rules: 1}))
		Expect(summary.Requirements).To(Equal(&v1alpha1.AppRequirements{
			KubernetesVersion: ">=1.20.0-0", Kinds: []v1alpha1.RequiredKind{{APIVersion: "example.com/v1", Kind: "Widget"}}, StorageClassNames: []string{"fast"},
		}))
	})

	It("warns of a version that its chart marks as deprecated", func() {
		content := configMapFiles()
		content["Chart.yaml"] = "deprecated: true\n"
		b.addVersion("1.0.0", content)
		b.writeListing()
		b.expectServed("1.0.0")
		Expect(b.app.Status.Versions[0].Deprecated).To(BeTrue())
		Expect(b.app.Status.Summary.Warnings).To(HaveExactElements(HavePrefix("the chart is deprecated")))
		b.addVersion("1.1.0", configMapFiles())
		b.writeListing()
		b.expectServed("1.1.0", "1.0.0")
		Expect(b.app.Status.Summary.Warnings).To(BeEmpty())
	})

	It("is cut where it would be larger than status may be, and the app is left alone", func() {
		content := configMapFiles()
		var form strings.Builder
		form.WriteString("questions:\n")
		for i := range 60 {
			fmt.Fprintf(&form, "- variable: v%d\n  type: enum\n  required: true\n", i)
			if i > 0 {
				form.WriteString("  options: *all\n")
				continue
			}
			form.WriteString("  options: &all\n" + numberedLines(100, "  - '%03d"+strings.Repeat("x", 900)+"'\n"))
		}
		content["questions.yaml"] = form.String()
		b.addVersion("1.0.0", content)
		b.writeListing()
		b.expectServed("1.0.0")
		Expect(b.app.Status.Summary.Inputs).To(HaveLen(60))
		Expect(b.app.Status.Summary.Warnings).To(ContainElement(HavePrefix("the description of version 1.0.0 exceeds 256 KiB and omits options of inputs")))
		Expect(b.takeEvents()).To(ContainElement(HavePrefix("Warning LimitExceeded the description of version 1.0.0")))
		b.takeFetchCount("1.0.0")
		b.expectServed("1.0.0")
		Expect(b.takeFetchCount("1.0.0")).To(BeZero())
	})

	It("is of its manifest where it has one", func() {
		content := configMapFiles()
		content["OlaresManifest.yaml"] = `olaresManifest.version: 0.12.0
olaresManifest.type: app
metadata: {name: web, title: Web pages, description: Pages for all., categories: [Text], version: 1.0.0}
entrances: [{name: front, title: Front, host: web, port: 80}]
spec: {developer: Grace, onlyAdmin: true, supportArch: [amd64], requiredCpu: 100m, requiredMemory: 64Mi, license: [{text: MIT, url: "https://example.com"}]}
options: {allowMultipleInstall: true, appScope: {clusterScoped: true}, dependencies: [{name: base, type: application, version: ">=1.0.0", mandatory: true}]}
envs:
  - {envName: PASSWORD, type: password, required: true, default: hunter2}
  - {envName: THEME, type: string, default: light}
`
		b.addVersion("1.0.0", content)
		b.writeListing()
		b.expectServed("1.0.0")
		s := b.app.Status.Summary
		Expect([]any{s.Title, s.Description, s.Categories, s.Developer, s.Architectures, s.Resources.CPU, s.Cloneable}).To(Equal(
			[]any{"Web pages", "Pages for all.", []string{"Text"}, "Grace", []string{"amd64"}, "100m", true}))
		Expect([]bool{s.AdminOnly, s.ClusterSingleton}).To(Equal([]bool{true, true}))
		Expect(s.Entrances).To(Equal([]v1alpha1.AppEntrance{{Name: "front", Title: "Front", Host: "web", Port: 80}}))
		Expect(s.Dependencies).To(Equal([]v1alpha1.AppDependency{{Name: "base", Type: "application", Version: ">=1.0.0", Required: true}}))
		Expect(s.Inputs).To(HaveLen(2))
		Expect(s.Inputs[0].Secret).To(BeTrue())
		Expect(s.Inputs[0].Default).To(BeEmpty(), "the default of a password is not shown")
		Expect(s.Inputs[1].Default).To(Equal("light"))
	})

	It("is bounded however much the app says", func() {
		long := strings.Repeat("é", 4000)
		b.addVersion("1.0.0", map[string]string{
			"Chart.yaml": "icon: https://example.com/" + long + "\n",
			"OlaresManifest.yaml": "olaresManifest.version: 0.12.0\nmetadata:\n  name: web\n  version: 1.0.0\n  title: " + long + "\n  description: " + long +
				"\n  categories:\n    - " + long + "\n" + numberedLines(60, "    - c%d\n") +
				"spec:\n  developer: " + long + "\n  supportArch:\n" + numberedLines(60, "    - arch%d\n") +
				"entrances:\n  - {name: long, host: web, port: 80, title: " + long + "}\n" + numberedLines(60, "  - {name: e%d, host: web, port: 80}\n") +
				"envs:\n  - {envName: LONG, type: string, description: " + long + "}\n" + numberedLines(150, "  - {envName: E%d, type: string}\n") +
				"options:\n  dependencies:\n" + numberedLines(60, "    - {name: dep%d, type: application, version: '>=1.0.0'}\n"),
			"templates/many.yaml": numberedLines(90, "---\napiVersion: example.com/v1\nkind: Kind%d\nmetadata: {name: a}\n"),
			"templates/pods.yaml": numberedLines(100, "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p%[1]d}\nspec: {containers: [{name: a, image: 'images.example.invalid/app%[1]d:1'}]}\n"),
		})
		b.writeListing()
		b.expectServed("1.0.0")
		s := b.app.Status.Summary
		Expect([]int{len(s.Categories), len(s.Architectures), len(s.Entrances), len(s.Inputs), len(s.Dependencies), len(s.Kinds), len(b.app.Status.Images)}).
			To(Equal([]int{20, 20, 50, 100, 50, 60, 100}))
		Expect(s.ImageCount).To(Equal(int32(100)))
		text, err := json.Marshal(b.app)
		Expect(err).NotTo(HaveOccurred())
		Expect(len(text)).To(BeNumerically("<", 64<<10))
	})

	It("is bounded where there is no manifest", func() {
		long := strings.Repeat("é", 3000)
		content := configMapFiles()
		content["Chart.yaml"] = "description: " + long + "\nicon: https://example.com/" + long + "\nmaintainers: [{name: " + long + "}]\nannotations: {category: " + long + "}\nkeywords:\n  - " + long + "\n" + numberedLines(40, "  - k%d\n")
		b.addVersion("1.0.0", content)
		b.writeListing()
		b.expectServed("1.0.0")
		s := b.app.Status.Summary
		Expect([]int{utf8.RuneCountInString(s.Description), utf8.RuneCountInString(s.Icon), utf8.RuneCountInString(s.Developer), utf8.RuneCountInString(s.Categories[0]), len(s.Keywords), utf8.RuneCountInString(s.Keywords[0])}).
			To(Equal([]int{2048, 2048, 200, 100, 20, 100}))
	})

	It("tells of images what their registry says", func() {
		at := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
		DeferCleanup(at.Close)
		image, err := random.Image(1000, 3)
		Expect(err).NotTo(HaveOccurred())
		where := strings.TrimPrefix(at.URL, "http://") + "/team/app:1"
		ref, err := name.ParseReference(where)
		Expect(err).NotTo(HaveOccurred())
		Expect(remote.Write(ref, image)).To(Succeed())
		digest, err := image.Digest()
		Expect(err).NotTo(HaveOccurred())

		b.addVersion("1.0.0", map[string]string{"templates/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: '" + where + "'}]}\n"})
		b.writeListing()
		b.expectServed("1.0.0")
		Expect(b.app.Status.Images).To(HaveLen(1))
		found := b.app.Status.Images[0]
		Expect([]any{found.Name, found.Digest, found.Layers, found.Problem}).To(Equal([]any{where, digest.String(), int32(3), ""}))
		Expect(found.LargestPlatformBytes).To(BeNumerically(">", 3000))
		Expect(b.conditionMessage(v1alpha1.ConditionAnalyzed)).To(Equal("1 image"))
	})

	It("says of an image that its registry cannot be asked, and serves the app", func() {
		b.addVersion("1.0.0", map[string]string{"templates/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: 'images.example.invalid/app:1'}]}\n"})
		b.writeListing()
		b.expectServed("1.0.0")
		Expect(b.app.Status.Images[0].Problem).NotTo(BeEmpty())
		Expect(b.conditionMessage(v1alpha1.ConditionAnalyzed)).To(HavePrefix("1 image, 1 not looked up: "))
	})
})
