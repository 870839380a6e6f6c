package hydrate_test

import (
	"testing"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/images"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
)

// objectsOf returns the report on documents.
func objectsOf(t *testing.T, texts ...string) string {
	t.Helper()
	var unit hydrate.Unit
	for _, text := range texts {
		unit.Documents = append(unit.Documents, newDocument(text))
	}
	reports, err := hydrate.NewReports(&hydrate.Draft{Units: []hydrate.Unit{unit}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return string(reports["objects.yaml"])
}

func TestReports(t *testing.T) {
	g := NewWithT(t)
	d := &hydrate.Draft{
		Files: newWebChart(map[string]string{
			"README.md": "# Web\n", "values.schema.json": "{}", "LICENSE": "free", "docs/README.md": "more",
			"i18n/en-US/OlaresManifest.yaml": "metadata: {title: Web}\n",
			"i18n/zh-CN/OlaresManifest.yaml": "metadata: {title: 网}\n",
			"i18n/zh-CN/other.yaml":          "a: 1\n", "i18n/OlaresManifest.yaml": "a: 1\n", "i18n/a/b/OlaresManifest.yaml": "a: 1\n",
		}),
		Manifest: &hydrate.Manifest{Name: "web", Title: "The web"},
		Chart:    chart.Metadata{Annotations: map[string]string{"artifacthub.io/changes": "- A change\n"}},
		Images:   []images.Image{{Reference: "nginx:1", Name: "docker.io/library/nginx:1", Where: []string{"Deployment/web"}, Problem: "no answer"}},
	}
	reports, err := hydrate.NewReports(d)
	g.Expect(err).NotTo(HaveOccurred())
	var names []string
	for name := range reports {
		names = append(names, name)
	}
	g.Expect(names).To(ConsistOf("README.md", "values.yaml", "values.schema.json", "app.json", "chart.json", "inputs.json", "images.json", "objects.yaml",
		"i18n-en-US.yaml", "i18n-zh-CN.yaml"))
	g.Expect(string(reports["README.md"])).To(Equal("# Web\n"))
	g.Expect(string(reports["i18n-zh-CN.yaml"])).To(ContainSubstring("网"))
	g.Expect(string(reports["app.json"])).To(ContainSubstring(`"Title": "The web"`))
	g.Expect(reports["images.json"]).To(MatchJSON(`[{"reference": "nginx:1", "name": "docker.io/library/nginx:1", "where": ["Deployment/web"], "problem": "no answer"}]`))
}

func TestReportsOfAPlainChart(t *testing.T) {
	g := NewWithT(t)
	reports, err := hydrate.NewReports(&hydrate.Draft{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(reports["app.json"]).To(MatchJSON("null"))
	g.Expect(reports["images.json"]).To(MatchJSON("null"))
	g.Expect(reports["objects.yaml"]).To(BeEmpty())
}

func TestReportsListObjects(t *testing.T) {
	g := NewWithT(t)
	got := objectsOf(t, "kind: A\n# why\nb: 1", "kind: B\n")
	g.Expect(got).To(Equal("---\n# Source: web/templates/a.yaml\nkind: A\n# why\nb: 1\n---\n# Source: web/templates/a.yaml\nkind: B\n"))
}

func TestReportsMaskSecrets(t *testing.T) {
	for _, c := range []struct {
		why  string
		text string
	}{
		{"data", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {password: hunter2}\n"},
		{"text", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: hunter2}\n"},
		{"in JSON", `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"password": "hunter2"}}`},
		{"over several lines", "kind: Secret\nstringData:\n  password: |\n    hunter2\n    hunter2\n"},
		{"in a list", "apiVersion: v1\nkind: List\nitems:\n- {kind: ConfigMap}\n- {kind: Secret, data: {password: hunter2}}\n"},
		{"in a list of Secrets", "apiVersion: v1\nkind: SecretList\nitems:\n- {metadata: {name: a}, data: {password: hunter2}}\n"},
		{"in a list in a list", "kind: List\nitems:\n- {kind: List, items: [{kind: Secret, data: {password: hunter2}}]}\n"},
		{"by an alias", "kind: Secret\nmetadata: {name: a}\ndata: &d {password: hunter2}\nstringData: *d\n"},
		{"of a kind that is quoted", "kind: \"Secret\"\ndata: {'password': 'hunter2'}\n"},
		{"in a comment", "# hunter2 is the password\nkind: Secret\ndata: {password: x}\n"},
	} {
		t.Run(c.why, func(t *testing.T) {
			got := objectsOf(t, c.text)
			NewWithT(t).Expect(got).To(And(ContainSubstring("(masked)"), Not(ContainSubstring("hunter2"))))
		})
	}
}

func TestReportsLeaveOthersAlone(t *testing.T) {
	for _, c := range []struct {
		why  string
		text string
	}{
		{"a mention of a Secret", "kind: Pod\nspec: {volumes: [{secret: {secretName: a}}]} # a Secret\n"},
		{"the data of a ConfigMap", "kind: ConfigMap\ndata: {kind: Secret}\n"},
		{"a text that is no object", "No Secret is made here.\n"},
		{"a list that is no object", "- Secret\n"},
		{"a map without a kind", "about: Secrets\n"},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(objectsOf(t, c.text)).To(HaveSuffix("a.yaml\n" + c.text))
		})
	}
}
