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
	const advice = "; correct the values, or have the chart corrected"
	deploy := func(spec string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec: {" + spec + "}"
	}
	configMap := func(metadata string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, " + metadata + "}"
	}
	for _, c := range []struct{ why, text, message string }{
		{"a number as an annotation", configMap("annotations: {checksum/config: 12345}"), `ConfigMap/a: metadata.annotations["checksum/config"] must be a string, and is a number`},
		{"a fraction", configMap("annotations: {x: 1.5e3}"), `ConfigMap/a: metadata.annotations["x"] must be a string, and is a number`},
		{"true", configMap("annotations: {x: true}"), `ConfigMap/a: metadata.annotations["x"] must be a string, and is true`},
		{"a number as a label", configMap("labels: {port: 8080}"), `ConfigMap/a: metadata.labels["port"] must be a string, and is a number`},
		{"null is nothing", configMap("annotations: {x: null}"), ""},
		{"a name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 12}", `ConfigMap/: metadata.name must be a string, and is a number`},
		{"labels that are a list", configMap("labels: [a]"), `ConfigMap/a: metadata.labels must be a mapping, and is a list`},
		{"data", configMap("b: c") + "\ndata: {port: 80}", `ConfigMap/a: data["port"] must be a string, and is a number`},
		{"a kind that is not built in", "apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: a, annotations: {x: 1}}\nspec: {replicas: two}",
			`Odd/a: metadata.annotations["x"] must be a string, and is a number`},
		{"an item of a list", "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: b, labels: {x: 1}}}]",
			`ConfigMap/b: metadata.labels["x"] must be a string, and is a number`},
		{"a hook", configMap("annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: 5}"),
			`ConfigMap/a: metadata.annotations["helm.sh/hook-weight"] must be a string, and is a number`},

		{"a string as a number", deploy("replicas: two"), `Deployment/shop: spec.replicas must be a number, and is "two"`},
		{"a fraction as a number", deploy("replicas: 1.5"), `Deployment/shop: spec.replicas must be a number, and is 1.5`},
		{"a number that is too large", deploy("replicas: 5000000000"), `Deployment/shop: spec.replicas must be a number of at most 32 bits, and is 5000000000`},
		{"a string as a boolean", deploy("paused: 'yes'"), `Deployment/shop: spec.paused must be true or false, and is "yes"`},
		{"an environment variable", deploy("template: {spec: {containers: [{name: a}, {name: b, env: [{name: A, value: a}, {name: B, value: 2}]}]}}"),
			`Deployment/shop: spec.template.spec.containers[1].env[1].value must be a string, and is a number`},
		{"a mapping for a list", deploy("template: {spec: {containers: {name: a}}}"), `Deployment/shop: spec.template.spec.containers must be a list, and is a mapping`},
		{"a quantity", deploy("template: {spec: {containers: [{name: a, resources: {limits: {cpu: much}}}]}}"),
			`Deployment/shop: spec.template.spec.containers[0].resources.limits["cpu"] must be a quantity such as 500m or 1Gi, and is "much"`},
		{"a quantity that is a number", deploy("template: {spec: {containers: [{name: a, resources: {limits: {cpu: 2}}}]}}"), ""},
		{"a port by name or number", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80, targetPort: true}]}",
			`Service/a: spec.ports[0].targetPort must be a number or a string, and is true`},
		{"a label of a pod", deploy("template: {metadata: {labels: {version: 1.0}}}"), `Deployment/shop: spec.template.metadata.labels["version"] must be a string, and is a number`},

		{"a plus in a label", configMap("labels: {version: 1.0.0+build.7}"),
			`ConfigMap/a: metadata.labels["version"] must be at most 63 letters, digits, "-", "_" and ".", with a letter or digit at both ends, and is "1.0.0+build.7"`},
		{"a label of a pod that is too long", deploy("template: {metadata: {labels: {v: " + strings.Repeat("a", 64) + "}}}"), `spec.template.metadata.labels["v"] must be at most 63`},
		{"a selector", deploy("selector: {matchLabels: {image: 'a@sha256:b'}}"), `Deployment/shop: spec.selector.matchLabels["image"] must be at most 63`},
		{"a label of an own kind", "apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: a, labels: {v: 'a b'}}", `Odd/a: metadata.labels["v"] must be at most 63`},
		{"a key", configMap("annotations: {'a b': c}"), `ConfigMap/a: metadata.annotations["a b"] must have a key such as "app" or "example.com/app"`},
		{"a plus in an annotation", configMap("annotations: {version: 1.0.0+build.7}"), ""},

		{"a secret is not quoted", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {key: 'hunter2!'}", `Secret/a: data["key"] must be a string in base64, and is not`},
		{"nor is a number", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {key: 7}", `Secret/a: stringData["key"] must be a string, and is a number`},
		{"a secret as it should be", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {key: aGk=}\nstringData: {a: b}", ""},
		{"several faults", deploy("replicas: two, paused: 3, minReadySeconds: x"), `Deployment/shop: spec.replicas must be a number, and is "two" (and 2 other faults)`},
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
