// Package gitops_test checks how GitOps tools interpret the objects of AppMarket.
//
// Three readers compute the status of an object. Argo CD runs the Lua of
// config/argocd, here in a sandbox with the same libraries as Argo CD's own. Flux
// evaluates the CEL expressions of config/flux, in its order. kstatus, which both Flux
// and kubectl wait use by default, reads conditions by fixed rules. The objects are
// written by hand (testdata of the health checks), generated (every combination of
// conditions), and produced by internal/status for every result of the retry policy.
// The last are the statuses that the operator writes, and for them the three readers
// must agree.
//
// The samples of config/samples/gitops are applied to a real API server.
package gitops_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/test/testenv"
)

// update writes the generated files instead of comparing them.
var update = flag.Bool("update", false, "write the generated ConfigMap of Argo CD")

// kinds are all kinds of AppMarket.
var kinds = []string{"MarketSource", "AppInfo", "AppInstance", "AppInstallTask"}

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// modulePath returns the path of a file in the module.
func modulePath(g Gomega, elements ...string) string {
	root, err := testenv.ModuleRoot()
	g.Expect(err).NotTo(HaveOccurred())
	return filepath.Join(append([]string{root}, elements...)...)
}

// scriptPath returns the path of a file or folder in Argo CD's customizations of a kind.
func scriptPath(g Gomega, kind string, elements ...string) string {
	return modulePath(g, append([]string{"config", "argocd", "resource_customizations", "appmarket.io", kind}, elements...)...)
}

func readText(g Gomega, path string) string {
	content, err := os.ReadFile(path)
	g.Expect(err).NotTo(HaveOccurred())
	return string(content)
}

// readYAML parses a YAML file.
func readYAML[T any](g Gomega, path string) T { return parseYAML[T](g, readText(g, path)) }

// parseYAML parses YAML and rejects unknown fields.
func parseYAML[T any](g Gomega, text string) T {
	var into T
	g.Expect(yaml.UnmarshalStrict([]byte(text), &into)).To(Succeed(), text)
	return into
}

// readObject reads an object in the form in which the API server returns it.
func readObject(g Gomega, path string) *unstructured.Unstructured {
	plain, err := yaml.YAMLToJSON([]byte(readText(g, path)))
	g.Expect(err).NotTo(HaveOccurred())
	o := &unstructured.Unstructured{}
	g.Expect(o.UnmarshalJSON(plain)).To(Succeed(), path)
	return o
}
