package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// templateChart returns a chart with one template and values.
func templateChart(values, template string) fixture.Chart {
	return fixture.Chart{Name: "forms", Version: "1.0.0", Files: fixture.Files{
		"values.yaml": values, "templates/objects.yaml": template,
	}}
}

var _ = Describe("A chart that renders objects that the API server rejects", func() {
	const settings = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n"

	DescribeTable("is rejected with object and field before an object is created", func(ctx SpecContext, chart fixture.Chart, message string, values map[string]any) {
		t := newTenant(ctx)
		t.Offer(ctx, chart)
		if values != nil {
			t.Succeed(ctx, v1alpha1.ActionInstall, "forms", fixture.As("good"))
		}
		end := t.Do(ctx, v1alpha1.ActionInstall, "forms", fixture.Values(values))
		Expect(end.Reason).To(Equal(v1alpha1.ReasonInvalidObject), end.Message)
		Expect(end.Message).To(HavePrefix(message))
		Expect(end.Task.Status.InstanceRef).To(BeNil())
		Expect(t.Names(ctx, "configmaps,services,deployments")).NotTo(ContainElement("forms"))
	},
		Entry("if an annotation is a number", templateChart("rev: abc\n", settings+"  annotations:\n    checksum/config: {{ .Values.rev }}\n"),
			`ConfigMap/forms: metadata.annotations["checksum/config"]: Invalid value: number: must be a string`, map[string]any{"rev": 123456}),
		Entry("if a label is a boolean", templateChart("debug: \"no\"\n", settings+"  labels:\n    debug: {{ .Values.debug | quote }}\n    other: {{ .Values.other | default \"none\" }}\n"),
			`ConfigMap/forms: metadata.labels["other"]: Invalid value: true: must be a string`, map[string]any{"other": true}),
		Entry("if data of a ConfigMap is a number", templateChart("port: x\n", settings+"data:\n  port: {{ .Values.port }}\n"),
			`ConfigMap/forms: data["port"]: Invalid value: number: must be a string`, map[string]any{"port": 8080}),
		Entry("if replicas is a string", templateChart("replicas: 0\n", `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: web, image: `+fixture.Image+`}]}
`), `Deployment/forms: spec.replicas: Invalid value: "two": must be a number`, map[string]any{"replicas": "two"}),
		Entry("if a port name has upper-case letters", templateChart("port: web\n", `apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: {{ .Release.Name }}}
  ports: [{port: 80, name: {{ .Values.port }}}]
`), `Service/forms: spec.ports[0].name: `, map[string]any{"port": "Web_Port"}),
	)
})

var _ = Describe("A chart with values that violate values.schema.json", func() {
	It("is rejected before an object is created", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, templateChart("size: 1\n", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n").With("1.0.0", fixture.Files{
			"values.schema.json": `{"properties": {"size": {"type": "integer", "maximum": 5}}, "additionalProperties": true}`,
		}))
		end := t.Do(ctx, v1alpha1.ActionInstall, "forms", fixture.Values(map[string]any{"size": 9}))
		Expect(end.Reason).To(Equal(v1alpha1.ReasonSchemaViolation), end.Message)
		Expect(end.Message).To(ContainSubstring("size"))
		Expect(end.Task.Status.InstanceRef).To(BeNil())
		t.Succeed(ctx, v1alpha1.ActionInstall, "forms", fixture.Values(map[string]any{"size": 5}))
	})
})

var _ = Describe("A chart with messages for missing values", func() {
	DescribeTable("is rejected with its message before an object is created", func(ctx SpecContext, template, message string, values map[string]any) {
		t := newTenant(ctx)
		t.Offer(ctx, templateChart("host: \"\"\n", template+"\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  host: {{ .Values.host | quote }}\n"))
		end := t.Do(ctx, v1alpha1.ActionInstall, "forms")
		Expect(end.Reason).To(Equal(v1alpha1.ReasonRenderFailed), end.Message)
		Expect(end.Message).To(And(ContainSubstring("templates/objects.yaml"), ContainSubstring(message)))
		Expect(end.Task.Status.InstanceRef).To(BeNil())
		t.Succeed(ctx, v1alpha1.ActionInstall, "forms", fixture.Values(values))
	},
		Entry("from required", `{{- $_ := required "set host, see the README" .Values.host }}`, "set host, see the README", map[string]any{"host": "a.example"}),
		Entry("from fail", `{{- if not .Values.host }}{{ fail "choose a host" }}{{ end }}`, "choose a host", map[string]any{"host": "a.example"}),
		Entry("from the field of a missing value", `{{- $_ := .Values.server.name }}`, "server", map[string]any{"host": "a", "server": map[string]any{"name": "a"}}),
	)
})
