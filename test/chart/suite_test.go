// Package chart_test checks the Helm chart that installs the operator: the objects that
// it renders for each value, the values that it rejects, that a real API server accepts
// the objects, that they agree with the manifests for kustomize, and that its README,
// its annotations and its license are current.
//
// Helm 3 and Helm 4 must render the same objects. HELM3 and HELM4 are the paths of the
// programs, and KUBEBUILDER_ASSETS is the folder of the control plane and kubectl.
package chart_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/test/testenv"
)

// update writes the chart's README.md instead of comparing it.
var update = flag.Bool("update", false, "write the values of README.md of the chart")

// namespace is the namespace of the operator, in the rendered chart and in the manifests.
const namespace = "appmarket-system"

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// modulePath returns the path of a file in the module.
func modulePath(t *testing.T, elements ...string) string {
	t.Helper()
	root, err := testenv.ModuleRoot()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return filepath.Join(append([]string{root}, elements...)...)
}

// helmClients returns the helm clients by name, or skips the test if one is missing.
func helmClients(t *testing.T) map[string]string {
	t.Helper()
	programs := map[string]string{"helm3": os.Getenv("HELM3"), "helm4": os.Getenv("HELM4")}
	for name, program := range programs {
		if program != "" {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not set", strings.ToUpper(name))
		}
		t.Skipf("skipped: %s is not set", strings.ToUpper(name))
	}
	return programs
}

// runHelm runs a helm client and returns its standard output and its standard error.
func runHelm(t *testing.T, program string, args ...string) (out, complaint string, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	folder := t.TempDir()
	command.Env = append(os.Environ(), "HELM_CACHE_HOME="+folder, "HELM_CONFIG_HOME="+folder, "HELM_DATA_HOME="+folder)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err = command.Run()
	return stdout.String(), stderr.String(), err
}

// templateArgs returns the arguments of helm that render the chart with values of the form name=value,
// where the value is YAML.
func templateArgs(t *testing.T, values []string) []string {
	t.Helper()
	args := []string{
		"template", "appmarket", modulePath(t, "charts", "appmarket"),
		"--namespace", namespace, "--kube-version", "1.36.0", "--values",
	}
	return append(args, valuesFile(t, values))
}

// valuesFile writes values to a file. The name of a value is a path, such as store.size.
func valuesFile(t *testing.T, values []string) string {
	t.Helper()
	g := NewWithT(t)
	tree := map[string]any{}
	for _, each := range values {
		name, text, found := strings.Cut(each, "=")
		g.Expect(found).To(BeTrue(), each)
		var value any
		g.Expect(yaml.Unmarshal([]byte(text), &value)).To(Succeed(), each)
		at, last := tree, strings.Split(name, ".")
		for ; len(last) > 1; last = last[1:] {
			below, ok := at[last[0]].(map[string]any)
			if !ok {
				below = map[string]any{}
				at[last[0]] = below
			}
			at = below
		}
		at[last[0]] = value
	}
	text, err := yaml.Marshal(tree)
	g.Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(t.TempDir(), "values.yaml")
	g.Expect(os.WriteFile(file, text, 0o600)).To(Succeed())
	return file
}

// objects are the objects of a manifest.
type objects []*unstructured.Unstructured

// rendered caches manifests by values, because many tests use the same values.
var rendered = map[string]string{}

// renderChart renders the chart with values in both clients, which must agree, and returns the objects.
func renderChart(t *testing.T, values ...string) objects {
	t.Helper()
	g := NewWithT(t)
	key := strings.Join(values, "\n")
	if rendered[key] == "" {
		byClient := map[string]objects{}
		for name, program := range helmClients(t) {
			out, complaint, err := runHelm(t, program, templateArgs(t, values)...)
			g.Expect(err).NotTo(HaveOccurred(), complaint)
			byClient[name], rendered[key] = parseDocuments(t, out), out
		}
		g.Expect(byClient["helm4"]).To(ConsistOf(byClient["helm3"]))
	}
	return parseDocuments(t, rendered[key])
}

// renderErrors returns the errors of both clients, which must fail to render the chart with the values.
func renderErrors(t *testing.T, values ...string) string {
	t.Helper()
	var all []string
	for name, program := range helmClients(t) {
		out, complaint, err := runHelm(t, program, templateArgs(t, values)...)
		NewWithT(t).Expect(err).To(HaveOccurred(), "%s rendered %v: %s", name, values, out)
		all = append(all, complaint)
	}
	return strings.Join(all, "\n")
}

// parseDocuments reads a stream of YAML documents.
func parseDocuments(t *testing.T, text string) objects {
	t.Helper()
	var all objects
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		content := map[string]any{}
		NewWithT(t).Expect(yaml.Unmarshal([]byte(document), &content)).To(Succeed(), document)
		if len(content) > 0 {
			all = append(all, &unstructured.Unstructured{Object: content})
		}
	}
	return all
}

// ofKind returns the objects of a kind.
func (o objects) ofKind(kind string) objects {
	var found objects
	for _, each := range o {
		if each.GetKind() == kind {
			found = append(found, each)
		}
	}
	return found
}

// findOnly returns the one object with a kind and a name, converted to its type.
func findOnly[T any](t *testing.T, all objects, kind, name string) T {
	t.Helper()
	g := NewWithT(t)
	var found objects
	for _, each := range all.ofKind(kind) {
		if each.GetName() == name {
			found = append(found, each)
		}
	}
	g.Expect(found).To(HaveLen(1), "%s %s", kind, name)
	var into T
	g.Expect(runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(found[0].Object, &into, true)).To(Succeed())
	return into
}
