// Package gitops asks what GitOps tools make of the objects of AppMarket.
//
// Three readers judge them. Argo CD runs the Lua of config/argocd, here in a sandbox
// with no more in it than Argo CD's own; Flux evaluates the CEL expressions of
// config/flux, in its order; and kstatus, which both Flux and kubectl wait use where
// nobody says otherwise, reads conditions by fixed rules. What they judge is written
// by hand (testdata of the health checks), generated (every combination of
// conditions), and produced by internal/status for every verdict of the retry policy:
// the last is what the operator really writes, and there the three must agree.
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

// update writes what is generated instead of comparing it.
var update = flag.Bool("update", false, "write the generated ConfigMap of Argo CD")

// kinds are all of AppMarket.
var kinds = []string{"MarketSource", "AppInfo", "AppInstance", "AppInstallTask"}

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// file is the path of a file of the module.
func file(g Gomega, elements ...string) string {
	root, err := testenv.ModuleRoot()
	g.Expect(err).NotTo(HaveOccurred())
	return filepath.Join(append([]string{root}, elements...)...)
}

// scripts is a folder of Argo CD's customizations of a kind.
func scripts(g Gomega, kind string, elements ...string) string {
	return file(g, append([]string{"config", "argocd", "resource_customizations", "appmarket.io", kind}, elements...)...)
}

func text(g Gomega, path string) string {
	content, err := os.ReadFile(path)
	g.Expect(err).NotTo(HaveOccurred())
	return string(content)
}

// read reads a file of YAML.
func read[T any](g Gomega, path string) T { return parse[T](g, text(g, path)) }

// parse reads YAML, and refuses fields that nobody asks for.
func parse[T any](g Gomega, text string) T {
	var into T
	g.Expect(yaml.UnmarshalStrict([]byte(text), &into)).To(Succeed(), text)
	return into
}

// object reads one object as the API server would give it.
func object(g Gomega, path string) *unstructured.Unstructured {
	plain, err := yaml.YAMLToJSON([]byte(text(g, path)))
	g.Expect(err).NotTo(HaveOccurred())
	o := &unstructured.Unstructured{}
	g.Expect(o.UnmarshalJSON(plain)).To(Succeed(), path)
	return o
}
