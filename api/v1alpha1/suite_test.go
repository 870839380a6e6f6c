package v1alpha1_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/testenv"
)

var (
	server    *testenv.Env
	namespace string
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

func TestAPI(t *testing.T) {
	server = testenv.Start(t)
	namespace = server.Namespace(t, nil)
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.RandomizeAllSpecs = true
	RunSpecs(t, "API", suite, reporter)
}

// object returns an object of the given kind from YAML, in the namespace of the test. An object
// without a name gets a generated name.
func object(kind, text string) *unstructured.Unstructured {
	GinkgoHelper()
	o := &unstructured.Unstructured{Object: map[string]any{}}
	Expect(yaml.Unmarshal([]byte(text), &o.Object)).To(Succeed())
	o.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	o.SetNamespace(namespace)
	if o.GetName() == "" {
		o.SetGenerateName("test-")
	}
	return o
}

// change contains one line for each field to set: its path and its value as YAML, such as
// "spec.type: Helm". A field without a value is removed.
type change string

func (c change) apply(o *unstructured.Unstructured) {
	GinkgoHelper()
	for line := range strings.Lines(string(c)) {
		path, text, ok := strings.Cut(strings.TrimSpace(line), ":")
		Expect(ok).To(BeTrue(), "%q is a field and its value", line)
		fields := strings.Split(path, ".")
		if strings.TrimSpace(text) == "" {
			unstructured.RemoveNestedField(o.Object, fields...)
			continue
		}
		// The value is decoded as JSON, because unstructured objects contain JSON types only.
		var value any
		plain, err := yaml.YAMLToJSON([]byte(text))
		Expect(err).NotTo(HaveOccurred())
		Expect(json.Unmarshal(plain, &value)).To(Succeed())
		Expect(unstructured.SetNestedField(o.Object, whole(value), fields...)).To(Succeed())
	}
}

// whole converts all numbers to int64, which is the type of integers in an unstructured object.
func whole(value any) any {
	switch value := value.(type) {
	case float64:
		return int64(value)
	case map[string]any:
		for k, v := range value {
			value[k] = whole(v)
		}
	case []any:
		for i, v := range value {
			value[i] = whole(v)
		}
	}
	return value
}

// create creates an object in a dry run, so that it is validated but not stored.
func create(o *unstructured.Unstructured) error {
	return server.Client.Create(GinkgoT().Context(), o, client.DryRunAll)
}

// kept creates an object and returns it as the API server has stored it.
func kept(o *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	Expect(server.Client.Create(GinkgoT().Context(), o)).To(Succeed())
	Expect(server.Client.Get(GinkgoT().Context(), client.ObjectKeyFromObject(o), o)).To(Succeed())
	return o
}

// typed converts an object to its Go type.
func typed[T any](o *unstructured.Unstructured) *T {
	GinkgoHelper()
	into := new(T)
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, into)).To(Succeed())
	return into
}

// letters returns a string of n letters.
func letters(n int) string { return strings.Repeat("a", n) }

// list returns a YAML list of n items. The format of an item contains one verb for its index.
func list(n int, format string) string {
	var items []string
	for i := range n {
		items = append(items, fmt.Sprintf(format, i))
	}
	return "[" + strings.Join(items, ", ") + "]"
}
