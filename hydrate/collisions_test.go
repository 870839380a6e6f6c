package hydrate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/collision"
	"github.com/appmarket/operator/internal/objects"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// TestCloneHostile covers charts with very many or very long claims, and with fields of
// wrong types.
func TestCloneHostile(t *testing.T) {
	for _, c := range []struct {
		why        string
		template   string
		verdict    string
		collisions int
	}{
		{"thousands of names", "{{ range $i, $x := until 2000 }}---\napiVersion: v1\nkind: Secret\nmetadata: {name: a{{ $i }}}\n{{ end }}", hydrate.CloneNamespacedOnly, 50},
		{"more objects than are read under the other name",
			"{{ range $i, $x := until (ternary 1 5001 (eq .Release.Name \"web\")) }}---\napiVersion: v1\nkind: Secret\nmetadata: {name: a{{ $i }}}\n{{ end }}", hydrate.CloneUnsafe, 1},
		{"routes of many hosts and many paths", objectYAML("gateway.networking.k8s.io/v1", "HTTPRoute") +
			"spec:\n  parentRefs: [{name: a}]\n  hostnames:\n{{ range $i, $x := until 300 }}  - a{{ $i }}\n{{ end }}  rules:\n{{ range $i, $x := until 300 }}  - matches: [{path: {value: /{{ $i }}}}]\n{{ end }}",
			hydrate.CloneUnsafe, 1},
		{"services of many ports at many addresses", objectYAML("v1", "Service") +
			"spec:\n  externalIPs:\n{{ range $i, $x := until 300 }}  - a{{ $i }}\n{{ end }}  ports:\n{{ range $i, $x := until 300 }}  - port: {{ add $i 1 }}\n{{ end }}",
			hydrate.CloneUnsafe, 1},
		{"many selectors and many pods", "{{ range $i, $x := until 700 }}---\napiVersion: v1\nkind: Service\nmetadata: {name: '{{ $.Release.Name }}{{ $i }}'}\nspec: {selector: {a: b, c: s{{ $i }}}}\n" +
			"---\napiVersion: v1\nkind: Thing\nmetadata: {name: '{{ $.Release.Name }}{{ $i }}'}\nspec: {metadata: {labels: {a: b, c: p{{ $i }}}}, spec: {containers: [{name: a}]}}\n{{ end }}",
			hydrate.CloneNamespacedOnly, 50},
		{"a pod spec in a pod spec in …", objectYAML("example.com/v1", "Thing") + "spec: {{ repeat 500 \"{spec: {containers: [{name: a}], template: \" }}x{{ repeat 500 \"}}\" }}\n", hydrate.CloneSafe, 0},
		{"a long host with control characters", objectYAML("networking.k8s.io/v1", "Ingress") + "spec: {rules: [{host: \"a\\n\\e[31m{{ repeat 500 \"ü\" }}\"}]}\n", hydrate.CloneUnsafe, 1},
		{"fields of other types", objectYAML("v1", "Service") + "spec: {ports: {a: b}, selector: [a], externalIPs: 3, clusterIP: [], loadBalancerIP: {}}\n---\n" +
			objectYAML("networking.k8s.io/v1", "Ingress") + "spec: {rules: [3, {http: []}, {host: {}, http: {paths: [{path: []}]}}]}\n---\n" +
			objectYAML("apps/v1", "Deployment") + "spec: {template: {spec: {hostNetwork: maybe, volumes: {}, containers: [{name: a, ports: [{hostPort: \"80\"}], volumeMounts: 3}]}}}\n",
			hydrate.CloneUnsafe, 1},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			began := time.Now()
			got := analyzeClone(t, newTemplateChart(c.template))
			g.Expect(time.Since(began)).To(BeNumerically("<", time.Minute))
			g.Expect(got.Verdict).To(Equal(c.verdict), "%q", got.Collisions)
			g.Expect(got.Collisions).To(HaveLen(c.collisions))
			for _, sentence := range got.Collisions {
				g.Expect(len(sentence)).To(BeNumerically("<=", 253))
				g.Expect(strings.ToValidUTF8(sentence, "?")).To(Equal(sentence))
				g.Expect(sentence).NotTo(MatchRegexp(`[[:cntrl:]]`))
			}
		})
	}
}

// TestCollisions compares two instances with their real names and values.
func TestCollisions(t *testing.T) {
	document := func(text string, args ...any) []objects.Document {
		return []objects.Document{{Path: "web/templates/page.yaml", Text: fmt.Sprintf(text, args...)}}
	}
	const service = "{apiVersion: v1, kind: Service, metadata: {name: %s}, spec: {ports: [{port: 80, nodePort: %d}]}}"
	for _, c := range []struct {
		why  string
		a, b []collision.Release
		want []string
	}{
		{"nothing", nil, nil, nil},
		{"names and ports of their own",
			[]collision.Release{{Namespace: "red", Documents: document(service, "web", 30080)}},
			[]collision.Release{{Namespace: "red", Documents: document(service, "blog", 30081)}}, nil},
		{"the same name in another namespace",
			[]collision.Release{{Namespace: "red", Documents: document(service, "web", 30080)}},
			[]collision.Release{{Namespace: "blue", Documents: document(service, "web", 30081)}}, nil},
		{"the same name and port in one",
			[]collision.Release{{Namespace: "red", Documents: document(service, "web", 30080)}},
			[]collision.Release{{Namespace: "red", Documents: document(service, "web", 30080)}},
			[]string{"Service web: node port 30080", "Service web: same name in both"}},
		{"an object that one puts into the namespace of the other",
			[]collision.Release{{Namespace: "red", Documents: document("{apiVersion: v1, kind: Secret, metadata: {name: a}}")}},
			[]collision.Release{{Namespace: "blue", Documents: document("{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: red}}")}},
			[]string{"Secret a: same name in both"}},
		{"releases of one instance may share what they like",
			[]collision.Release{{Namespace: "red", Documents: document(service, "a", 30080)}, {Namespace: "red", Documents: document(service, "a", 30080)}},
			[]collision.Release{{Namespace: "red", Documents: document(service, "b", 30081)}}, nil},
		{"releases of different units",
			[]collision.Release{{Namespace: "red", Documents: document(service, "a", 30080)}, {Namespace: "red", Documents: document(service, "b", 30081)}},
			[]collision.Release{{Namespace: "red", Documents: document(service, "c", 30081)}},
			[]string{"Service b: node port 30081"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			got, err := collision.FindCollisions(c.a, c.b)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(HaveExactElements(c.want))
		})
	}
	g := NewWithT(t)
	_, err := collision.FindCollisions(nil, []collision.Release{{Documents: document("a: b: c")}})
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonRenderFailed))
}
