package hydrate_test

import (
	"testing"

	. "github.com/onsi/gomega"
)

// TestWarningsOfForm covers objects that the API server would reject in a chart that is
// rendered with its own values.
func TestWarningsOfForm(t *testing.T) {
	for _, c := range []struct {
		why  string
		text string
		want []string
	}{
		{"texts, and what is taken for nothing", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {port: '80'}, annotations: {x: null}}\ndata: {y: '1', z: }\n", nil},
		{"a label and annotations", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {port: 80}, annotations: {'on': yes, version: 1.5}}\n", []string{
			`ConfigMap/a: metadata.annotations["on"]: Invalid value: boolean: must be a string; quote the value in the template`,
			`ConfigMap/a: metadata.annotations["version"]: Invalid value: number: must be a string; quote the value in the template`,
			`ConfigMap/a: metadata.labels["port"]: Invalid value: number: must be a string; quote the value in the template`,
		}},
		{"a custom resource has annotations too, and a spec of its own", "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a, annotations: {x: 1}}\nspec: {labels: {a: 1}, env: [{name: A, value: 1}]}\n", []string{
			`Thing/a: metadata.annotations["x"]: Invalid value: number: must be a string; quote the value in the template`,
		}},
		{"data", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {debug: true, nested: {a: b}}\n", []string{
			`ConfigMap/a: data["debug"]: Invalid value: boolean: must be a string; quote the value in the template`,
			`ConfigMap/a: data["nested"]: Invalid value: map: must be a string; quote the value in the template`,
		}},
		{"data of a Secret in a list", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {pin: 1234}}\n", []string{
			`Secret/a: stringData["pin"]: Invalid value: number: must be a string; quote the value in the template`,
		}},
		{"pods of a workload", `
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  selector: {matchLabels: {version: 1.0}}
  template:
    metadata: {labels: {version: 1.0}}
    spec:
      nodeSelector: {fast: true}
      containers:
      - {name: main, env: [{name: PORT, value: 8080}, {name: HOST, value: a}, {value: 1}]}
`, []string{
			`Deployment/a: spec.selector.matchLabels["version"]: Invalid value: number: must be a string; quote the value in the template`,
			`Deployment/a: spec.template.metadata.labels["version"]: Invalid value: number: must be a string; quote the value in the template`,
			`Deployment/a: spec.template.spec.containers[0].env[name=PORT].value: Invalid value: number: must be a string; quote the value in the template`,
			`Deployment/a: spec.template.spec.containers[0].env[2].value: Invalid value: number: must be a string; quote the value in the template`,
			`Deployment/a: spec.template.spec.nodeSelector["fast"]: Invalid value: boolean: must be a string; quote the value in the template`,
		}},
		{"the selector of a Service", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {version: 2}}\n", []string{
			`Service/a: spec.selector["version"]: Invalid value: number: must be a string; quote the value in the template`,
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			d := fetchDraft(t, newWebChart(map[string]string{"templates/page.yaml": c.text}))
			g.Expect(rendering.Apply(t.Context(), d)).To(Succeed())
			g.Expect(d.ListWarnings()).To(Equal(c.want))
		})
	}
}
