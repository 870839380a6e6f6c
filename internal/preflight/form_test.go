package preflight_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
)

func TestForm(t *testing.T) {
	const advice = "; correct the values or the chart"
	deploy := func(spec string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec: {" + spec + "}"
	}
	configMap := func(metadata string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, " + metadata + "}"
	}
	for _, c := range []struct{ why, text, message string }{
		{"a number as an annotation", configMap("annotations: {checksum/config: 12345}"), `ConfigMap/a: metadata.annotations["checksum/config"]: Invalid value: number: must be a string`},
		{"a fraction", configMap("annotations: {x: 1.5e3}"), `ConfigMap/a: metadata.annotations["x"]: Invalid value: number: must be a string`},
		{"true", configMap("annotations: {x: true}"), `ConfigMap/a: metadata.annotations["x"]: Invalid value: true: must be a string`},
		{"a number as a label", configMap("labels: {port: 8080}"), `ConfigMap/a: metadata.labels["port"]: Invalid value: number: must be a string`},
		{"null is nothing", configMap("annotations: {x: null}"), ""},
		{"a name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 12}", `ConfigMap/: metadata.name: Invalid value: number: must be a string`},
		{"labels that are a list", configMap("labels: [a]"), `ConfigMap/a: metadata.labels: Invalid value: list: must be a map`},
		{"data", configMap("b: c") + "\ndata: {port: 80}", `ConfigMap/a: data["port"]: Invalid value: number: must be a string`},
		{"a kind that is not built in", "apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: a, annotations: {x: 1}}\nspec: {replicas: two}",
			`Odd/a: metadata.annotations["x"]: Invalid value: number: must be a string`},
		{"an item of a list", "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: b, labels: {x: 1}}}]",
			`ConfigMap/b: metadata.labels["x"]: Invalid value: number: must be a string`},
		{"a hook", configMap("annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: 5}"),
			`ConfigMap/a: metadata.annotations["helm.sh/hook-weight"]: Invalid value: number: must be a string`},

		{"a string as a number", deploy("replicas: two"), `Deployment/shop: spec.replicas: Invalid value: "two": must be a number`},
		{"a fraction as a number", deploy("replicas: 1.5"), `Deployment/shop: spec.replicas: Invalid value: 1.5: must be a number`},
		{"a number that is too large", deploy("replicas: 5000000000"), `Deployment/shop: spec.replicas: Invalid value: 5000000000: must be a number of at most 32 bits`},
		{"a string as a boolean", deploy("paused: 'yes'"), `Deployment/shop: spec.paused: Invalid value: "yes": must be true or false`},
		{"an environment variable", deploy("template: {spec: {containers: [{name: a}, {name: b, env: [{name: A, value: a}, {name: B, value: 2}]}]}}"),
			`Deployment/shop: spec.template.spec.containers[1].env[1].value: Invalid value: number: must be a string`},
		{"a mapping for a list", deploy("template: {spec: {containers: {name: a}}}"), `Deployment/shop: spec.template.spec.containers: Invalid value: map: must be a list`},
		{"a quantity", deploy("template: {spec: {containers: [{name: a, resources: {limits: {cpu: much}}}]}}"),
			`Deployment/shop: spec.template.spec.containers[0].resources.limits["cpu"]: Invalid value: "much": must be a quantity such as 500m or 1Gi`},
		{"a quantity that is a number", deploy("template: {spec: {containers: [{name: a, resources: {limits: {cpu: 2}}}]}}"), ""},
		{"a port by name or number", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80, targetPort: true}]}",
			`Service/a: spec.ports[0].targetPort: Invalid value: true: must be a number or a string`},
		{"a label of a pod", deploy("template: {metadata: {labels: {version: 1.0}}}"), `Deployment/shop: spec.template.metadata.labels["version"]: Invalid value: number: must be a string`},

		{"a plus in a label", configMap("labels: {version: 1.0.0+build.7}"),
			`ConfigMap/a: metadata.labels["version"]: Invalid value: "1.0.0+build.7": must be at most 63 alphanumeric characters, "-", "_" or ".", and must start and end with an alphanumeric character`},
		{"a label of a pod that is too long", deploy("template: {metadata: {labels: {v: " + strings.Repeat("a", 64) + "}}}"), `must be at most 63`},
		{"a selector", deploy("selector: {matchLabels: {image: 'a@sha256:b'}}"), `Deployment/shop: spec.selector.matchLabels["image"]: Invalid value: "a@sha256:b": must be at most 63`},
		{"a label of an own kind", "apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: a, labels: {v: 'a b'}}", `Odd/a: metadata.labels["v"]: Invalid value: "a b": must be at most 63`},
		{"a key", configMap("annotations: {'a b': c}"), `ConfigMap/a: metadata.annotations: Invalid value: "a b": must be a qualified name such as "app" or "example.com/app"`},
		{"a plus in an annotation", configMap("annotations: {version: 1.0.0+build.7}"), ""},

		{"a secret is not quoted", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {key: 'hunter2!'}", `Secret/a: data["key"]: Invalid value: must be a base64-encoded string`},
		{"nor is a number", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {key: 7}", `Secret/a: stringData["key"]: Invalid value: number: must be a string`},
		{"a secret as it should be", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {key: aGk=}\nstringData: {a: b}", ""},
		{"several faults", deploy("replicas: two, paused: 3, minReadySeconds: x"), `Deployment/shop: spec.replicas: Invalid value: "two": must be a number (and 2 more errors)`},
	} {
		f := newFacts()
		f.Kinds[schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Odd"}] = preflight.Kind{Resource: "odds", Namespaced: true}
		problems := checkRequest(t, newRequest(c.text), f)
		if c.message == "" {
			NewWithT(t).Expect(problems).To(BeEmpty(), c.why)
			continue
		}
		message := c.message
		if !strings.HasSuffix(message, "must be at most 63") {
			message += advice
		}
		expectProblems(t, c.why, problems, want{v1alpha1.ReasonInvalidObject, true, []string{message}})
	}
}

func TestOneFaultOfManyObjects(t *testing.T) {
	var all []string
	for i := range 30 {
		all = append(all, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-%d, labels: {version: 1+2}}", i))
	}
	expectProblems(t, "one problem", checkRequest(t, newRequest(strings.Join(all, "\n---\n")), newFacts()),
		want{v1alpha1.ReasonInvalidObject, true, []string{"ConfigMap/c-0 and 29 other objects: metadata.labels"}})
}
