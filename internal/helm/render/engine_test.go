package render_test

import (
	"context"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/helmtest"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/outcome"
)

func newRenderInput(content map[string]string) hydrate.RenderInput {
	return hydrate.RenderInput{Files: helmtest.NewChartFiles(content), Release: "blog", Namespace: "anna"}
}

func TestEngineRenders(t *testing.T) {
	cases := []struct {
		why   string
		chart map[string]string
		give  map[string]any
		want  []objects.Document
		notes string
	}{{
		why: "given values override the values of the chart, and the release is known",
		chart: map[string]string{
			"values.yaml":        "a: chart\nb: chart\n",
			"templates/web.yaml": "kind: ConfigMap\nv: {{ .Values.a }} {{ .Values.b }} {{ .Release.Name }} {{ .Release.Namespace }} {{ .Release.IsInstall }}",
		},
		give: map[string]any{"a": "mine"},
		want: []objects.Document{{Path: "web/templates/web.yaml", Text: "kind: ConfigMap\nv: mine chart blog anna true"}},
	}, {
		why: "documents come in the order of installation, hooks after them, crds first, empty ones not at all",
		chart: map[string]string{
			"crds/things.yaml":     "kind: CustomResourceDefinition\nn: 1\n---\n# nothing\n---\nkind: CustomResourceDefinition\nn: 2\n",
			"templates/all.yaml":   "kind: Deployment\n---\n# only words\n---\nkind: Service\n---\nkind: Namespace\n",
			"templates/hook.yaml":  "kind: Job\nmetadata:\n  name: init\n  annotations:\n    helm.sh/hook: pre-install\n",
			"templates/empty.yaml": "{{ if .Values.never }}kind: Secret{{ end }}",
			"templates/_help.tpl":  `{{ define "x" }}x{{ end }}`,
			"templates/NOTES.txt":  "Welcome to {{ .Release.Name }}.",
		},
		want: []objects.Document{
			{Path: "web/crds/things.yaml", Text: "kind: CustomResourceDefinition\nn: 1"},
			{Path: "web/crds/things.yaml", Text: "kind: CustomResourceDefinition\nn: 2"},
			{Path: "web/templates/all.yaml", Text: "kind: Namespace"},
			{Path: "web/templates/all.yaml", Text: "kind: Service"},
			{Path: "web/templates/all.yaml", Text: "kind: Deployment"},
			{Path: "web/templates/hook.yaml", Hook: true,
				Text: "kind: Job\nmetadata:\n  name: init\n  annotations:\n    helm.sh/hook: pre-install"},
		},
		notes: "Welcome to blog.",
	}, {
		why: "a byte order mark is taken off every file, as Helm does",
		chart: map[string]string{
			"Chart.yaml":         "\ufeffapiVersion: v2\nname: web\nversion: 1.0.0\n",
			"values.yaml":        "\ufeffa: chart\n",
			"templates/web.yaml": "\ufeffkind: Service\nv: {{ .Values.a }}{{ .Files.Get \"note.txt\" }}\n---\nkind: ConfigMap",
			"note.txt":           "\ufeffnote",
		},
		want: []objects.Document{
			{Path: "web/templates/web.yaml", Text: "kind: ConfigMap"},
			{Path: "web/templates/web.yaml", Text: "kind: Service\nv: chartnote"},
		},
	}, {
		why: "a dependency in charts/ is rendered and a library there is used",
		chart: map[string]string{
			"Chart.yaml":                       "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n- {name: cache, version: 1.0.0}\n- {name: lib, version: 1.0.0}\n",
			"charts/cache/Chart.yaml":          "apiVersion: v2\nname: cache\nversion: 1.0.0\n",
			"charts/cache/templates/c.yaml":    "kind: Service\nsize: {{ .Values.size }}",
			"charts/cache/templates/NOTES.txt": "not shown",
			"charts/lib/Chart.yaml":            "apiVersion: v2\nname: lib\nversion: 1.0.0\ntype: library\n",
			"charts/lib/templates/_l.tpl":      `{{ define "lib.name" }}from-library{{ end }}`,
			"templates/web.yaml":               `{"kind": "ConfigMap", "n": "{{ include "lib.name" . }}"}`,
		},
		give: map[string]any{"cache": map[string]any{"size": 3}},
		want: []objects.Document{
			{Path: "web/templates/web.yaml", Text: `{"kind": "ConfigMap", "n": "from-library"}`},
			{Path: "web/charts/cache/templates/c.yaml", Text: "kind: Service\nsize: 3"},
		},
	}, {
		why: "a nested chart that is not in charts/ is only files",
		chart: map[string]string{
			"webserver/Chart.yaml":         "apiVersion: v2\nname: webserver\nversion: 1.0.0\n",
			"webserver/templates/web.yaml": "kind: Deployment",
		},
	}, {
		why: "lookup finds nothing, of one name or of all, and Kubernetes is a recent one",
		chart: map[string]string{
			"templates/a.yaml": `kind: {{ (lookup "v1" "Secret" "x" "y") | len }}{{ (lookup "v1" "Secret" "x" "") | len }} {{ .Capabilities.KubeVersion.Minor }} {{ .Capabilities.APIVersions.Has "apps/v1" }}`,
		},
		want: []objects.Document{{Path: "web/templates/a.yaml", Text: "kind: 00 36 true"}},
	}, {
		why: "the usual kinds are known, and the kubeVersion of the chart is not checked",
		chart: map[string]string{
			"Chart.yaml":       "apiVersion: v2\nname: web\nversion: 1.0.0\nkubeVersion: '< 1.20.0'\n",
			"templates/a.yaml": `kind: {{ .Capabilities.APIVersions.Has "networking.k8s.io/v1/Ingress" }} {{ .Capabilities.APIVersions.Has "v1/Pod" }} {{ .Release.Revision }}`,
		},
		want: []objects.Document{{Path: "web/templates/a.yaml", Text: "kind: true true 1"}},
	}}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			in := newRenderInput(c.chart)
			in.Values = c.give
			out, err := render.Engine{}.Render(t.Context(), in)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(render.WithoutContents(out.Documents)).To(Equal(c.want))
			g.Expect(out.Notes).To(Equal(c.notes))
		})
	}
}

func TestEngineExplainsWhatFails(t *testing.T) {
	cases := []struct {
		why    string
		chart  map[string]string
		reason string
		want   string
	}{{
		why:   "a missing parent names file, line and the value to give",
		chart: map[string]string{"templates/web.yaml": "kind: A\n\nhost: {{ .Values.domain.web }}\n"},
		want:  "templates/web.yaml:3: nil pointer evaluating interface {}.web; give .Values.domain.web",
	}, {
		why: "the innermost file counts, and the error names the file that includes it",
		chart: map[string]string{
			"templates/_help.tpl": "{{ define \"x\" }}\n{{ .Values.os.app.key }}{{ end }}",
			"templates/web.yaml":  "kind: A\nx: {{ include \"x\" . }}",
		},
		want: "templates/_help.tpl:2: nil pointer evaluating interface {}.app, included from templates/web.yaml:2; give .Values.os.app.key",
	}, {
		why:   "a missing leaf that a function wants",
		chart: map[string]string{"values.yaml": "domain: {}", "templates/web.yaml": "{{ split \",\" $.Values.domain.web }}"},
		want:  "templates/web.yaml:1: wrong type for value; expected string; got interface {}; give .Values.domain.web",
	}, {
		why:   "the message of required is kept",
		chart: map[string]string{"templates/web.yaml": "a: {{ required \"give\\n  a host\" .Values.host }}"},
		want:  "templates/web.yaml:1: give a host",
	}, {
		why:   "fail too",
		chart: map[string]string{"templates/web.yaml": "\n{{ fail \"never: ever\" }}"},
		want:  "templates/web.yaml:2: never: ever",
	}, {
		why:   "a template that cannot be read",
		chart: map[string]string{"templates/web.yaml": "a: b\n{{ nosuch }}"},
		want:  `templates/web.yaml:2: function "nosuch" not defined`,
	}, {
		why:   "a template that ends too early",
		chart: map[string]string{"templates/web.yaml": "{{ if true }}"},
		want:  "templates/web.yaml:1: unexpected EOF",
	}, {
		why: "text given to tpl has no file of its own",
		chart: map[string]string{
			"values.yaml":        "text: \"{{ .Values.a.b.c }}\"",
			"templates/web.yaml": "\nx: {{ tpl .Values.text . }}",
		},
		want: "templates/web.yaml:2: nil pointer evaluating interface {}.b, in text given to tpl; give .Values.a.b.c",
	}, {
		why:   "what is rendered must be YAML",
		chart: map[string]string{"templates/web.yaml": "a: b\nc: d: e\n"},
		want:  "templates/web.yaml: rendered text is not YAML at line 2 of the document: mapping values are not allowed in this context",
	}, {
		why:   "annotations are texts",
		chart: map[string]string{"templates/web.yaml": "kind: A\nmetadata:\n  annotations:\n    hosts: [a]\n"},
		want:  "templates/web.yaml: metadata.annotations of an object has a value that is not a string (array); quote it",
	}, {
		why: "a fault in a dependency is placed there",
		chart: map[string]string{
			"charts/cache/Chart.yaml":       "apiVersion: v2\nname: cache\nversion: 1.0.0\n",
			"charts/cache/templates/c.yaml": "{{ .Values.a.b.c }}",
		},
		want: "charts/cache/templates/c.yaml:1: nil pointer evaluating interface {}.b; give .Values.a.b.c",
	}, {
		why:   "no chart at all",
		chart: map[string]string{"Chart.yaml": "name: web\n"},
		want:  "load chart: validation: chart.metadata.version is required",
	}, {
		why:   "a library alone",
		chart: map[string]string{"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\ntype: library\n"},
		want:  "the chart is a library: it has no objects of its own; install an app whose chart depends on it",
	}, {
		why:   "a dependency that was not packed",
		chart: map[string]string{"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n- {name: cache, version: 1.0.0}\n"},
		want:  `dependencies "cache" are missing in the folder charts: vendor them with "helm dependency update"`,
	}, {
		why:   "values of a wrong shape",
		chart: map[string]string{"values.yaml": "- a\n"},
		want:  "load chart: values.yaml: values must be a map, but are a list",
	}, {
		why:    "more text than is allowed",
		chart:  map[string]string{"templates/web.yaml": "a: {{ repeat 17000000 \"x\" }}"},
		reason: v1alpha1.ReasonLimitExceeded,
		want:   "render chart: 17000003 bytes of output, at most 16777216 are allowed",
	}}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := render.Engine{}.Render(t.Context(), newRenderInput(c.chart))
			g.Expect(err).To(MatchError(c.want))
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			if c.reason == "" {
				c.reason = v1alpha1.ReasonRenderFailed
			}
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
		})
	}
}

func TestEngineIsConfigured(t *testing.T) {
	g := NewWithT(t)
	engine := render.Engine{KubeVersion: "1.31", APIVersions: []string{"example.com/v1/Thing"}}
	out, err := engine.Render(t.Context(), newRenderInput(map[string]string{
		"templates/a.yaml": `kind: {{ .Capabilities.KubeVersion }} {{ .Capabilities.APIVersions.Has "example.com/v1/Thing" }}`,
	}))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(out.Documents[0].Text).To(Equal("kind: v1.31 true"))

	in := newRenderInput(map[string]string{
		"templates/a.yaml": `kind: {{ .Capabilities.KubeVersion }} {{ .Capabilities.APIVersions }} {{ .Release.IsInstall }} {{ .Release.IsUpgrade }} {{ .Release.Revision }}`,
	})
	in.Cluster, in.Upgrade, in.Revision = &hydrate.Capabilities{KubeVersion: "v1.33.1+k3s1", APIVersions: []string{"v1/Pod"}}, true, 4
	out, err = engine.Render(t.Context(), in)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(out.Documents[0].Text).To(Equal("kind: v1.33.1+k3s1 [v1/Pod] false true 4"), "a cluster that is known is all there is")

	_, err = render.Engine{KubeVersion: "soon"}.Render(t.Context(), newRenderInput(map[string]string{}))
	g.Expect(outcome.IsStalled(err)).To(BeTrue(), "no version is no version")
}

func TestEngineBoundsItsErrors(t *testing.T) {
	g := NewWithT(t)
	_, err := render.Engine{}.Render(t.Context(), newRenderInput(map[string]string{
		"templates/a.yaml": `{{ fail (repeat 1000000 "ä b\n") }}`,
	}))
	g.Expect(err).To(HaveOccurred())
	g.Expect(len(err.Error())).To(BeNumerically("<", 900))
	g.Expect(strings.ContainsAny(err.Error(), "\n\r")).To(BeFalse())
}

func TestEngineStopsForItsCaller(t *testing.T) {
	g := NewWithT(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := render.Engine{}.Render(ctx, newRenderInput(map[string]string{}))
	g.Expect(err).To(MatchError(context.Canceled))
	g.Expect(outcome.IsStalled(err)).To(BeFalse())
}
