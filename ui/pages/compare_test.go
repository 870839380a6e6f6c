package pages_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/pages"
	"github.com/appmarket/operator/ui/reports"
)

// oldDigest is the digest of the reports of the version 1.0.0 of an app with two versions.
var oldDigest = strings.Repeat("cd", 32)

// addOldVersion publishes version 1.0.0 of an app.
func (w world) addOldVersion(t *testing.T, app *v1alpha1.AppInfo) {
	t.Helper()
	old := app.Status.Versions[0]
	old.Version, old.ReportURL = "1.0.0", w.reports.URL+"/reports/"+oldDigest+"/"
	app.Status.Versions = append(app.Status.Versions, old)
	NewWithT(t).Expect(w.Client.Status().Update(t.Context(), app)).To(Succeed())
}

// addReports adds reports that differ between version 1.0.0 and version 1.2.0 of an app.
func (w world) addReports(t *testing.T) {
	t.Helper()
	w.reports.mu.Lock()
	defer w.reports.mu.Unlock()
	for of, content := range map[string]struct{ replicas, tag, size, secret, extra string }{
		oldDigest: {"1", "1.0.0", "300000000", "Q0FOQVJZMQ==", ""},
		digest:    {"2", "1.2.0", "412000000", "Q0FOQVJZMg==", "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: wiki-new}\n"},
	} {
		for name, text := range map[string]string{
			"values.yaml":        "replicas: " + content.replicas + "\nimage: {tag: " + content.tag + "}\n",
			"values.schema.json": `{"properties": {"replicas": {"type": "integer", "maximum": ` + content.replicas + `}}}`,
			"images.json":        `[{"name": "registry.example/wiki:` + content.tag + `", "detail": {"digest": "sha256:1", "platforms": [{"size": ` + content.size + `}]}}]`,
			"objects.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: wiki-web, labels: {helm.sh/chart: wiki-" + content.tag + "}}\nspec:\n  replicas: " + content.replicas +
				"\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: wiki-key}\ndata: {key: " + content.secret + "}\n" + content.extra,
			"app.json":   `{"UpgradeDescription": "Read this <script>alert(1)</script> first."}`,
			"chart.json": chartWithChanges(t, "- kind: fixed\n  description: A fault "+attack+"\n- Plain text\n"),
		} {
			w.reports.texts["/reports/"+of+"/"+name] = text
		}
	}
}

func TestImagesOfAnEarlierVersion(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	w.addOldVersion(t, w.readApp(t, "wiki"))
	w.addReports(t)
	path := strings.TrimSuffix(w.path, "install") + "images?version=1.0.0"
	g.Expect(w.b.get(t, path).text).To(And(ContainSubstring("registry.example/wiki:1.0.0"), Not(ContainSubstring("in total"))), "without a report of layers")
	w.reports.mu.Lock()
	w.reports.texts["/reports/"+oldDigest+"/layers.json"] = `{"layers":[{"digest":"sha256:` + digest + `","bytes":17000000}],"images":[` +
		`{"name":"a","digest":"x","platforms":{"linux/amd64":[0]}},{"name":"b","digest":"y","platforms":{"linux/amd64":[0]}}]}`
	w.reports.mu.Unlock()
	g.Expect(w.b.get(t, path).text).To(And(ContainSubstring("17"), ContainSubstring("in total for the largest platform, each layer once")))
}

func TestVersionsAreCompared(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	path := strings.TrimSuffix(w.path, "install") + "versions"
	g.Expect(w.b.get(t, path).text).NotTo(ContainSubstring(">Compare<"), "one version")
	app := w.readApp(t, "wiki")
	w.addOldVersion(t, app)
	w.addReports(t)
	shows(t, w.b, path, `<option value="1.0.0" selected>`, "Compare")
	g.Expect(w.b.get(t, path).text).NotTo(ContainSubstring("Default values <"), "nothing is compared before it is requested")

	page := shows(t, w.b, path+"?from=1.0.0&to=1.2.0", "<code>replicas</code>", "<code>image.tag</code>", "registry.example/wiki:1.0.0", "300 MB", "registry.example/wiki:1.2.0", "412 MB",
		"<del>-   replicas: 1</del>", "<ins>+   replicas: 2</ins>", "wiki-new", "&#34;maximum&#34;: 2", "What is new in 1.2.0", "Read this &lt;script&gt;", "Plain text", "All versions")
	g.Expect(page.text).NotTo(Or(ContainSubstring("Q0FOQVJZ"), ContainSubstring("wiki-key"), ContainSubstring("Not compared")))
	g.Expect(activeMarkup(t, page.text)).To(BeEmpty())
	back := w.b.get(t, path+"?from=1.2.0&to=1.0.0").text
	g.Expect(back).To(And(ContainSubstring("<del>-   replicas: 2</del>"), ContainSubstring("Removed")))
	for query, want := range map[string]string{
		"?from=1.0.0": "Select two versions that are published.", "?from=1.0.0&to=9.9.9": "Select two versions that are published.", "?from=1.0.0&to=1.0.0": "Select two different versions.",
	} {
		answer := w.b.get(t, path+query)
		g.Expect(answer.StatusCode).To(Equal(http.StatusOK))
		g.Expect(answer.text).To(ContainSubstring(want), query)
	}
	before := w.reports.requests()
	g.Expect(w.b.get(t, "/parts"+path+"?from=1.0.0&to=1.2.0").StatusCode).To(Equal(http.StatusOK))
	g.Expect(w.reports.requests()).To(Equal(before), "the live part is read often, and contains no comparison")
	other := w.signIn(t, w.Namespace(t, nil), "other", tenant...)
	g.Expect(other.get(t, path+"?from=1.0.0&to=1.2.0").StatusCode).To(Equal(http.StatusForbidden))
	g.Expect(w.reports.requests()).To(Equal(before))

	// The form of an upgrade links to the comparison.
	w.addInstance(t, w.tenant, "wiki", w.ref, func(i *v1alpha1.AppInstance) { i.Status.Version, i.Status.AvailableUpdate = "1.0.0", "1.2.0" })
	form := "/instances/" + w.tenant + "/wiki/actions/upgrade"
	shows(t, w.b, form, "What is new in 1.2.0", "Plain text", path+`?from=1.0.0&amp;to=1.2.0">What changes between 1.0.0 and 1.2.0</a>`)
	g.Expect(w.b.post(t, form+"/preview", nil).text).To(ContainSubstring("What changes between 1.0.0 and 1.2.0"))
}

// TestHostileReportsAreNotCompared compares reports that cannot be read, that are cut, or that are elsewhere.
func TestHostileReportsAreNotCompared(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	app := w.readApp(t, "wiki")
	w.addOldVersion(t, app)
	var many strings.Builder
	for i := range 412 {
		fmt.Fprintf(&many, "k%d: 1\n", i)
	}
	w.reports.mu.Lock()
	w.reports.texts["/reports/"+oldDigest+"/values.yaml"] = "a: " + strings.Repeat("[", 5000)
	w.reports.texts["/reports/"+digest+"/values.yaml"] = many.String()
	w.reports.texts["/reports/"+digest+"/objects.yaml"] = strings.Repeat("x", 3<<20)
	w.reports.mu.Unlock()
	path := strings.TrimSuffix(w.path, "install") + "versions?from=1.0.0&to=1.2.0"
	shows(t, w.b, path, "Not compared: read values: invalid YAML", "Not compared: objects.yaml cannot be shown: the report is too large")
	w.reports.mu.Lock()
	w.reports.texts["/reports/"+oldDigest+"/values.yaml"] = ""
	w.reports.mu.Unlock()
	shows(t, w.b, path, "The first 200 of 412.")
	app = w.readApp(t, "wiki")
	app.Status.Versions[1].ReportURL = "https://elsewhere.example.com/reports/" + oldDigest + "/"
	g.Expect(w.Client.Status().Update(t.Context(), app)).To(Succeed())
	shows(t, w.b, path, "Not compared: values.yaml cannot be shown: its URL is not in the repository of this market")
}

// readApp returns an app of the source samples.
func (w world) readApp(t *testing.T, name string) *v1alpha1.AppInfo {
	t.Helper()
	app := &v1alpha1.AppInfo{}
	NewWithT(t).Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.market, Name: "samples." + name}, app)).To(Succeed())
	return app
}

// chartWithChanges returns the report chart.json of a chart with an annotation about its changes.
func chartWithChanges(t *testing.T, changes string) string {
	t.Helper()
	content, err := json.Marshal(map[string]any{"annotations": map[string]string{"artifacthub.io/changes": changes}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return string(content)
}

func TestPagesWithoutRepository(t *testing.T) {
	g := NewWithT(t)
	none, err := reports.New("")
	g.Expect(err).NotTo(HaveOccurred())
	w := newFormWorld(t, func(o *pages.Options) { o.Reports = none })
	w.addOldVersion(t, w.readApp(t, "wiki"))
	app := strings.TrimSuffix(w.path, "/install")
	const note = "not available, because these pages have no URL of the repository"
	for _, tab := range []string{"", "/versions", "/values", "/versions?from=1.0.0&to=1.2.0"} {
		page := shows(t, w.b, app+tab, note).text
		g.Expect(page).NotTo(Or(ContainSubstring("has no README"), ContainSubstring("has no values.yaml"), ContainSubstring("No differences"),
			ContainSubstring(`name="from"`), ContainSubstring("objects.yaml")), tab)
	}
	w.addInstance(t, w.tenant, "wiki", w.ref, func(i *v1alpha1.AppInstance) { i.Status.Version = "1.0.0" })
	upgrade := shows(t, w.b, "/instances/"+w.tenant+"/wiki/actions/upgrade", "1.2.0").text
	g.Expect(upgrade).NotTo(ContainSubstring("/versions?from="), "a comparison would show nothing")
}
