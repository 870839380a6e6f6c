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

// buildKustomization builds a folder below config, or an overlay that adds components to
// config/default.
func buildKustomization(t *testing.T, folder string, components ...string) objects {
	t.Helper()
	g := NewWithT(t)
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Skip("skipped: KUBEBUILDER_ASSETS is not set")
	}
	target := modulePath(t, "config", folder)
	if len(components) > 0 {
		overlay := t.TempDir()
		relative := func(name string) string {
			found, err := filepath.Rel(overlay, modulePath(t, "config", name))
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
	return parseDocuments(t, string(out))
}

// normalizeObjects returns objects by kind and name, without the parts that only the chart has: labels of
// the release, the image, and arguments that the chart sets from values.
func normalizeObjects(t *testing.T, all objects) map[string]map[string]any {
	t.Helper()
	byName := map[string]map[string]any{}
	for _, each := range all {
		o := each.DeepCopy()
		name := o.GetKind() + " " + o.GetName()
		NewWithT(t).Expect(byName).NotTo(HaveKey(name))
		stripLabels(o.Object)
		if o.GetKind() == "Deployment" {
			container := nestedField(t, o, "spec", "template", "spec", "containers").([]any)[0].(map[string]any)
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

// expectSameObjects checks that the chart and a kustomization have the same objects, except the named ones.
func expectSameObjects(t *testing.T, chart, manifests objects, onlyChart, onlyManifests []string) {
	t.Helper()
	g := NewWithT(t)
	inChart, inManifests := normalizeObjects(t, chart), normalizeObjects(t, manifests)
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

// impersonationObjects are the objects of the chart that restrict impersonation.
var impersonationObjects = []string{"ClusterRole appmarket-impersonated-accounts", "ClusterRoleBinding appmarket-impersonated-accounts"}

// bucketValues are the values of the chart that are equivalent to the component bucket, which reads the bucket from
// a ConfigMap.
var bucketValues = []string{
	"replicas=2", "store.persistent=false",
	"store.bucket={name: charts, endpoint: 'https://s3.example.com', region: eu-central-1, prefix: market, secretName: market-bucket}",
	`env=[` +
		`{name: STORE_BUCKET, valueFrom: {configMapKeyRef: {name: market-bucket, key: name}}},` +
		`{name: STORE_BUCKET_ENDPOINT, valueFrom: {configMapKeyRef: {name: market-bucket, key: endpoint}}},` +
		`{name: STORE_BUCKET_REGION, valueFrom: {configMapKeyRef: {name: market-bucket, key: region}}},` +
		`{name: STORE_BUCKET_PREFIX, valueFrom: {configMapKeyRef: {name: market-bucket, key: prefix}}}]`,
}

// bucketEnvironment replaces the variables of the component by the values of bucketValues.
var bucketEnvironment = strings.NewReplacer("$(STORE_BUCKET)", "charts", "$(STORE_BUCKET_ENDPOINT)", "https://s3.example.com",
	"$(STORE_BUCKET_REGION)", "eu-central-1", "$(STORE_BUCKET_PREFIX)", "market")

// equivalentValues are values of the chart, each with the equivalent components.
var equivalentValues = map[string]struct{ values, components []string }{
	"by default":              {},
	"on readers":              {[]string{"readers=[market]"}, []string{"readers"}},
	"on metrics":              {[]string{"metrics.enabled=true"}, []string{"metrics"}},
	"on a ServiceMonitor":     {[]string{"metrics={enabled: true, serviceMonitor: true}"}, []string{"metrics", "prometheus"}},
	"on authenticated access": {[]string{"metrics={enabled: true, authentication: true}"}, []string{"metrics", "metrics-authentication"}},
	"on a bucket":             {bucketValues, []string{"bucket"}},
	"on an authenticated ServiceMonitor": {
		[]string{"metrics={enabled: true, authentication: true, serviceMonitor: true}"},
		[]string{"metrics", "prometheus", "metrics-authentication"},
	},
}

// TestChartAndManifestsAgree compares the objects and the arguments of both.
func TestChartAndManifestsAgree(t *testing.T) {
	for name, c := range equivalentValues {
		t.Run(name, func(t *testing.T) {
			chart, manifests := renderChart(t, c.values...), buildKustomization(t, "default", c.components...)
			expectSameObjects(t, chart, manifests, append([]string{"Pod appmarket-test"}, impersonationObjects...), []string{"Namespace appmarket-system"})
			arguments := operatorArguments(t, manifests)
			for i := range arguments {
				arguments[i] = bucketEnvironment.Replace(arguments[i])
			}
			expectSameArguments(t, operatorArguments(t, chart), arguments)
		})
	}
}

// TestMetricsNeedNoPrometheusOperator checks that no ServiceMonitor is rendered, because its kind
// may be missing in the cluster.
func TestMetricsNeedNoPrometheusOperator(t *testing.T) {
	for _, authentication := range []string{"false", "true"} {
		all := renderChart(t, "metrics.enabled=true", "metrics.authentication="+authentication)
		NewWithT(t).Expect(all.ofKind("ServiceMonitor")).To(BeEmpty())
		findOnly[corev1.Service](t, all, "Service", "appmarket-metrics")
	}
	NewWithT(t).Expect(buildKustomization(t, "default", "metrics", "metrics-authentication").ofKind("ServiceMonitor")).To(BeEmpty())
}

// operatorArguments returns the arguments of the operator.
func operatorArguments(t *testing.T, all objects) []string {
	t.Helper()
	made := all.ofKind("Deployment")
	NewWithT(t).Expect(made).To(HaveLen(1))
	container := nestedField(t, made[0], "spec", "template", "spec", "containers").([]any)[0].(map[string]any)
	args, _, err := unstructured.NestedStringSlice(container, "args")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return args
}

// expectSameArguments checks that the chart sets all arguments of the manifests to the same values,
// and otherwise only known arguments to the defaults of the program.
func expectSameArguments(t *testing.T, inChart, inManifests []string) {
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
		"render-timeout=10s", "render-memory=536870912", "scrub-interval=6h", "nodes-on-demand=Auto",
		"namespace-apps=10000", "namespace-published-bytes=5368709120", "namespace-watches=400", "instance-tasks=100", "namespace-task-bytes=16777216"))
}
