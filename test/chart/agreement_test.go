package chart_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// kustomization builds a folder below config, or an overlay that adds components to
// config/default.
func kustomization(t *testing.T, folder string, components ...string) objects {
	t.Helper()
	g := NewWithT(t)
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Skip("left out: KUBEBUILDER_ASSETS is not set")
	}
	target := path(t, "config", folder)
	if len(components) > 0 {
		overlay := t.TempDir()
		relative := func(name string) string {
			found, err := filepath.Rel(overlay, path(t, "config", name))
			g.Expect(err).NotTo(HaveOccurred())
			return found
		}
		text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [" + relative(folder) + "]\ncomponents:\n"
		for _, each := range components {
			text += "  - " + relative(each) + "\n"
		}
		g.Expect(os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(text), 0o600)).To(Succeed())
		target = overlay
	}
	command := exec.CommandContext(t.Context(), filepath.Join(assets, "kubectl"), "kustomize", target)
	out, err := command.Output()
	g.Expect(err).NotTo(HaveOccurred())
	return documents(t, string(out))
}

// compared returns objects by kind and name, without the parts that only the chart has: labels of
// the release, the image, and arguments that the chart sets from values.
func compared(t *testing.T, all objects) map[string]map[string]any {
	t.Helper()
	byName := map[string]map[string]any{}
	for _, each := range all {
		o := each.DeepCopy()
		name := o.GetKind() + " " + o.GetName()
		NewWithT(t).Expect(byName).NotTo(HaveKey(name))
		stripLabels(o.Object)
		if o.GetKind() == "Deployment" {
			container := nested(t, o, "spec", "template", "spec", "containers").([]any)[0].(map[string]any)
			delete(container, "image")
			delete(container, "imagePullPolicy")
			delete(container, "args")
		}
		byName[name] = o.Object
	}
	return byName
}

// stripLabels removes the labels that Helm adds to objects, at any depth, and maps that become
// empty.
func stripLabels(tree map[string]any) {
	for key, value := range tree {
		switch below := value.(type) {
		case map[string]any:
			for _, label := range []string{"instance", "version", "managed-by"} {
				delete(below, "app.kubernetes.io/"+label)
			}
			delete(below, "helm.sh/chart")
			if key == "labels" {
				delete(below, "app.kubernetes.io/name")
			}
			stripLabels(below)
			if len(below) == 0 {
				delete(tree, key)
			}
		case []any:
			for _, item := range below {
				if inner, ok := item.(map[string]any); ok {
					stripLabels(inner)
				}
			}
		}
	}
}

// withoutImpersonation removes the permission to impersonate, for which the chart has a separate
// role.
func withoutImpersonation(role map[string]any) {
	for _, rule := range role["rules"].([]any) {
		verbs := rule.(map[string]any)["verbs"].([]any)
		rule.(map[string]any)["verbs"] = slices.DeleteFunc(verbs, func(verb any) bool { return verb == "impersonate" })
	}
}

// agree checks that the chart and a kustomization have the same objects, except the named ones.
func agree(t *testing.T, chart, manifests objects, onlyChart, onlyManifests []string) {
	t.Helper()
	g := NewWithT(t)
	inChart, inManifests := compared(t, chart), compared(t, manifests)
	withoutImpersonation(inManifests["ClusterRole appmarket"])
	for _, name := range onlyChart {
		g.Expect(inChart).To(HaveKey(name))
		delete(inChart, name)
	}
	for _, name := range onlyManifests {
		g.Expect(inManifests).To(HaveKey(name))
		delete(inManifests, name)
	}
	g.Expect(slices.Sorted(maps.Keys(inChart))).To(Equal(slices.Sorted(maps.Keys(inManifests))))
	for name, object := range inManifests {
		g.Expect(inChart[name]).To(Equal(object), name)
	}
}

// impersonation are the objects of the chart that restrict impersonation.
var impersonation = []string{"ClusterRole appmarket-impersonated-accounts", "ClusterRoleBinding appmarket-impersonated-accounts"}

// parity are values of the chart, each with the equivalent components.
var parity = map[string]struct{ values, components []string }{
	"by default":              {},
	"on readers":              {[]string{"readers=[market]"}, []string{"readers"}},
	"on metrics":              {[]string{"metrics.enabled=true"}, []string{"metrics"}},
	"on a ServiceMonitor":     {[]string{"metrics={enabled: true, serviceMonitor: true}"}, []string{"metrics", "prometheus"}},
	"on authenticated access": {[]string{"metrics={enabled: true, authentication: true}"}, []string{"metrics", "metrics-authentication"}},
	"on an authenticated ServiceMonitor": {
		[]string{"metrics={enabled: true, authentication: true, serviceMonitor: true}"},
		[]string{"metrics", "prometheus", "metrics-authentication"},
	},
}

// TestChartAndManifestsAgree compares the objects and the arguments of both.
func TestChartAndManifestsAgree(t *testing.T) {
	for name, c := range parity {
		t.Run(name, func(t *testing.T) {
			chart, manifests := render(t, c.values...), kustomization(t, "default", c.components...)
			agree(t, chart, manifests, append([]string{"Pod appmarket-test"}, impersonation...), []string{"Namespace appmarket-system"})
			agreeOnArguments(t, arguments(t, chart), arguments(t, manifests))
		})
	}
}

// TestMetricsNeedNoPrometheusOperator checks that no ServiceMonitor is rendered, because its kind
// may be missing in the cluster.
func TestMetricsNeedNoPrometheusOperator(t *testing.T) {
	for _, authentication := range []string{"false", "true"} {
		all := render(t, "metrics.enabled=true", "metrics.authentication="+authentication)
		NewWithT(t).Expect(all.find("ServiceMonitor")).To(BeEmpty())
		only[corev1.Service](t, all, "Service", "appmarket-metrics")
	}
	NewWithT(t).Expect(kustomization(t, "default", "metrics", "metrics-authentication").find("ServiceMonitor")).To(BeEmpty())
}

// arguments returns the arguments of the operator.
func arguments(t *testing.T, all objects) []string {
	t.Helper()
	made := all.find("Deployment")
	NewWithT(t).Expect(made).To(HaveLen(1))
	container := nested(t, made[0], "spec", "template", "spec", "containers").([]any)[0].(map[string]any)
	args, _, err := unstructured.NestedStringSlice(container, "args")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return args
}

// agreeOnArguments checks that the chart sets all arguments of the manifests to the same values,
// and otherwise only known arguments to the defaults of the program.
func agreeOnArguments(t *testing.T, inChart, inManifests []string) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(inChart).To(ContainElements(inManifests))
	var more []string
	for _, each := range inChart {
		if !slices.Contains(inManifests, each) && !strings.HasPrefix(each, "--metrics-bind-address=0") {
			more = append(more, strings.TrimPrefix(each, "--"))
		}
	}
	g.Expect(more).To(ConsistOf("repository-connections=1000", "concurrent-hydrations=8", "concurrent-installs=16",
		"render-timeout=10s", "render-memory=536870912", "scrub-interval=6h",
		"namespace-apps=10000", "namespace-published-bytes=5368709120", "namespace-watches=400", "instance-tasks=100", "namespace-task-bytes=16777216"))
}
