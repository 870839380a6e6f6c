package render

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/releaseutil"

	"github.com/appmarket/operator/internal/objects"
)

// sortByHelm sorts rendered files with the functions of Helm.
func sortByHelm(texts map[string]string) (documents []objects.Document, err error) {
	hooks, manifests, err := releaseutil.SortManifests(texts, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	for _, manifest := range manifests {
		if !objects.IsEmptyDocument(manifest.Content) {
			documents = append(documents, objects.Document{Path: manifest.Name, Text: manifest.Content})
		}
	}
	for _, hook := range hooks {
		if !objects.IsEmptyDocument(hook.Manifest) {
			documents = append(documents, objects.Document{Path: hook.Path, Text: hook.Manifest, Hook: true})
		}
	}
	return documents, nil
}

// WithoutContents returns documents without their parsed contents.
func WithoutContents(documents []objects.Document) []objects.Document {
	var bare []objects.Document
	for _, document := range documents {
		bare = append(bare, objects.Document{Path: document.Path, Text: document.Text, Hook: document.Hook})
	}
	return bare
}

func TestSplitSortsAsHelmDoes(t *testing.T) {
	object := func(kind, name string, annotations ...string) string {
		text := fmt.Sprintf("apiVersion: v1\nkind: %s\nmetadata:\n  name: %s\n", kind, name)
		if len(annotations) > 0 {
			text += "  annotations:\n    " + strings.Join(annotations, "\n    ") + "\n"
		}
		return text + "data: {a: b}\n"
	}
	for name, texts := range map[string]map[string]string{
		"kinds in the order of installation": {
			"web/templates/b.yaml": object("Deployment", "b") + "---\n" + object("ConfigMap", "b") + "---\n" + object("Unknown", "b"),
			"web/templates/a.yaml": object("Service", "a") + "---\n" + object("ConfigMap", "a") + "---\n" + object("Another", "a"),
		},
		"files whose names begin alike": {
			"web/templates/a.yaml": object("ConfigMap", "a1") + "---\n" + object("ConfigMap", "a2"), "web/templates/a.yaml-b": object("ConfigMap", "b"),
			"web/templates/a": object("ConfigMap", "c"), "web/templates/a!": object("ConfigMap", "d"),
		},
		"more than nine documents of a file": {"web/templates/a.yaml": strings.Join([]string{
			object("ConfigMap", "0"), object("ConfigMap", "1"), object("ConfigMap", "2"), object("ConfigMap", "3"), object("ConfigMap", "4"), object("ConfigMap", "5"),
			object("ConfigMap", "6"), object("ConfigMap", "7"), object("ConfigMap", "8"), object("ConfigMap", "9"), object("ConfigMap", "10"), object("ConfigMap", "11")}, "---\n")},
		"hooks with weights": {
			"web/templates/a.yaml": object("Job", "b", "helm.sh/hook: post-install", "helm.sh/hook-weight: 5") + "---\n" +
				object("Job", "a", "helm.sh/hook: Pre-Install, pre-upgrade", `helm.sh/hook-weight: "-5"`, "helm.sh/hook-delete-policy: hook-succeeded"),
			"web/templates/b.yaml": object("Pod", "test", "helm.sh/hook: test"),
		},
		"a hook of no kind that Helm knows": {"web/templates/a.yaml": object("Job", "a", "helm.sh/hook: someday") + "---\n" + object("Job", "b")},
		"annotations of other types":        {"web/templates/a.yaml": object("Job", "a", "one: 1", "yes: true", "none:", "helm.sh/hook: test")},
		"a float, which is a text to Helm":  {"web/templates/a.yaml": object("Job", "a", "one: 1.10", "helm.sh/hook: test")},
		"a key that is a number":            {"web/templates/a.yaml": object("Job", "a", "1: one", "helm.sh/hook: test")},
		"names that are numbers":            {"web/templates/a.yaml": object("ConfigMap", "123") + "---\n" + object("ConfigMap", "1e3")},
		"partials, comments and nothing":    {"web/templates/_a.yaml": object("ConfigMap", "a"), "web/templates/b.yaml": "# nothing\n", "web/templates/c.yaml": " \n"},
		"null":                              {"web/templates/a.yaml": "null\n---\n" + object("ConfigMap", "b"), "web/templates/b.yaml": "~"},
		"a list of objects":                 {"web/templates/a.yaml": "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: a}}]\n"},
		"a text":                            {"web/templates/a.yaml": "just words\n"},
		"a sequence":                        {"web/templates/a.yaml": "- a\n- b\n"},
		"metadata that is a list":           {"web/templates/a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: [a]\n"},
		"annotations that are a list":       {"web/templates/a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: [a]}\n"},
		"a kind that is a map":              {"web/templates/a.yaml": "apiVersion: v1\nkind: {a: b}\nmetadata: {name: a}\n"},
		"broken YAML":                       {"web/templates/a.yaml": object("Secret", "a"), "web/templates/b.yaml": "a: b: c\n"},
		"an anchor":                         {"web/templates/a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: &m {name: a, annotations: {x: y}}\ncopy: *m\n"},
		"no metadata":                       {"web/templates/a.yaml": "apiVersion: v1\nkind: Secret\n---\napiVersion: v1\nkind: Secret\nmetadata:\n"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			want, wantErr := sortByHelm(texts)
			got, err := splitRendered(&chart.Chart{Metadata: &chart.Metadata{Name: "web"}}, texts)
			if wantErr != nil {
				g.Expect(err).To(MatchError(wantErr.Error()))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(WithoutContents(got.Documents)).To(Equal(want))
		})
	}
}
