package preflight_test

import (
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/objects"

	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
)

// newRequest returns a request for a chart with one template, which contains YAML documents.
func newRequest(template string) preflight.Request {
	return preflight.Request{
		Tenant: release.Tenant{Namespace: "team", ServiceAccount: "installer"},
		App:    "web", Instance: "shop",
		Units: []preflight.Unit{newUnit("web", "web/templates/all.yaml", template)},
	}
}

func newUnit(name, path, text string) preflight.Unit {
	u := preflight.Unit{Name: name, RenderedIn: "default"}
	for doc := range strings.SplitSeq(text, "\n---\n") {
		u.Documents = append(u.Documents, newDocument(path, doc))
	}
	return u
}

// newDocument returns the document that a worker creates from a rendered text.
func newDocument(path, text string) objects.Document {
	object, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		panic(err)
	}
	return objects.Document{Path: path, Text: text, Object: string(object), Hook: strings.Contains(text, "helm.sh/hook")}
}

// checkRequest reads a request and compares it with facts.
func checkRequest(t *testing.T, w preflight.Request, facts *preflight.Facts) []preflight.Problem {
	t.Helper()
	g := NewWithT(t)
	requirements, err := preflight.ParseRequest(w)
	g.Expect(err).NotTo(HaveOccurred())
	problems := requirements.Check(facts)
	g.Expect(requirements.Check(facts)).To(Equal(problems), "the same again")
	for _, p := range problems {
		g.Expect(p.Message).NotTo(BeEmpty())
		g.Expect(p.Message).NotTo(ContainSubstring("\n"))
		g.Expect(len(p.Remedy)).To(BeNumerically("<=", preflight.MaxRemedy))
	}
	return problems
}

// want is an expected problem: its reason, whether it is final, and words of its message.
type want struct {
	reason string
	final  bool
	words  []string
}

func expectProblems(t *testing.T, why string, problems []preflight.Problem, wants ...want) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(problems).To(HaveLen(len(wants)), why)
	for i, w := range wants {
		g.Expect(problems[i].Reason).To(Equal(w.reason), why)
		g.Expect(problems[i].Final).To(Equal(w.final), "%s: %s", why, problems[i].Message)
		for _, word := range w.words {
			g.Expect(problems[i].Message).To(ContainSubstring(word), why)
		}
	}
}

// knownKinds returns the built-in kinds that the tests use.
func knownKinds() map[schema.GroupVersionKind]preflight.Kind {
	kinds := map[schema.GroupVersionKind]preflight.Kind{}
	for _, line := range strings.Fields(`v1/ServiceAccount=serviceaccounts v1/Pod=pods v1/Service=services v1/Secret=secrets v1/ConfigMap=configmaps
		v1/PersistentVolumeClaim=persistentvolumeclaims v1/PersistentVolume=!persistentvolumes v1/Namespace=!namespaces
		apps/v1/Deployment=deployments apps/v1/StatefulSet=statefulsets apps/v1/DaemonSet=daemonsets
		batch/v1/Job=jobs batch/v1/CronJob=cronjobs storage.k8s.io/v1/StorageClass=!storageclasses
		apiextensions.k8s.io/v1/CustomResourceDefinition=!customresourcedefinitions
		rbac.authorization.k8s.io/v1/Role=roles rbac.authorization.k8s.io/v1/RoleBinding=rolebindings
		rbac.authorization.k8s.io/v1/ClusterRole=!clusterroles
		rbac.authorization.k8s.io/v1/ClusterRoleBinding=!clusterrolebindings`) {
		kind, as, _ := strings.Cut(line, "=")
		at := strings.LastIndex(kind, "/")
		plural, global := strings.CutPrefix(as, "!")
		kinds[schema.FromAPIVersionAndKind(kind[:at], kind[at+1:])] = preflight.Kind{Resource: plural, Namespaced: !global}
	}
	return kinds
}

// newFacts returns the facts of a cluster with these nodes and without problems.
func newFacts(nodes ...preflight.Node) *preflight.Facts {
	return &preflight.Facts{Version: "v1.36.1", Kinds: knownKinds(), StorageClasses: []string{"fast", "slow"}, DefaultClass: "slow", Nodes: nodes}
}

// newNode returns a ready amd64 node with resources such as "cpu=4 memory=8Gi".
func newNode(name, offers string, change ...func(*preflight.Node)) preflight.Node {
	n := preflight.Node{
		Name: name, Architecture: "amd64", Ready: true, Allocatable: parseResources(offers + " pods=110"),
		Labels: map[string]string{corev1.LabelHostname: name},
	}
	for _, one := range change {
		one(&n)
	}
	return n
}

func parseResources(text string) corev1.ResourceList {
	all := corev1.ResourceList{}
	for _, item := range strings.Fields(text) {
		name, amount, _ := strings.Cut(item, "=")
		all[corev1.ResourceName(name)] = resource.MustParse(amount)
	}
	return all
}

// deploymentYAML returns a Deployment with requests such as "cpu: 2, memory: 1Gi" and further
// lines of the Pod spec.
func deploymentYAML(name, requests, more string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + "}\nspec:\n  template:\n    spec:\n" +
		"      containers: [{name: app, image: nginx, resources: {requests: {" + requests + "}}}]\n" + more
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ why, text, reason string }{
		{"too many objects", strings.Repeat("kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n---\n", 5001), v1alpha1.ReasonLimitExceeded},
		{"a list of too many", "kind: List\napiVersion: v1\nitems:\n" + strings.Repeat("- {kind: ConfigMap, apiVersion: v1}\n", 5001), v1alpha1.ReasonLimitExceeded},
	} {
		g := NewWithT(t)
		_, err := preflight.ParseRequest(newRequest(c.text))
		g.Expect(outcome.IsStalled(err)).To(BeTrue(), c.why)
		g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), c.why)
	}
}

func TestReadPassesOver(t *testing.T) {
	for _, c := range []struct{ why, text string }{
		{"nothing", ""},
		{"a comment", "# nothing here"},
		{"a text", "hello"},
		{"a list", "- a\n- b"},
		{"what has no kind", "metadata: {name: a}"},
		{"an empty list of objects", "kind: List\napiVersion: v1\nitems: []"},
		{"a hook that only helm test runs", "kind: Strange\napiVersion: a.b/v1\nmetadata: {name: a, annotations: {helm.sh/hook: 'test, test-success'}}"},
		{"a deployment without pods", strings.Replace(deploymentYAML("web", "cpu: 900", ""), "spec:\n", "spec:\n  replicas: 0\n", 1)},
		{"a suspended job", "kind: Job\napiVersion: batch/v1\nmetadata: {name: a}\nspec: {suspend: true, template: {spec: {containers: [{name: a, resources: {requests: {cpu: 900}}}]}}}"},
	} {
		expectProblems(t, c.why, checkRequest(t, newRequest(c.text), newFacts(newNode("n1", "cpu=4"))))
	}
}

func TestObjectOfTheWrongForm(t *testing.T) {
	text := "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: web}\nspec: {replicas: '3'}"
	expectProblems(t, "a string for a number", checkRequest(t, newRequest(text), newFacts()), want{v1alpha1.ReasonInvalidObject, true, []string{`Deployment/web: spec.replicas: Invalid value: "3": must be a number`}})
}

func TestDescribe(t *testing.T) {
	g := NewWithT(t)
	app := &v1alpha1.AppInfo{Spec: v1alpha1.AppInfoSpec{App: "web"}, Status: v1alpha1.AppInfoStatus{
		Images: []v1alpha1.AppImage{{Name: "docker.io/library/nginx:1", Platforms: []string{"linux/arm64"}}},
		Summary: &v1alpha1.AppSummary{
			Architectures: []string{"arm64"}, Resources: &v1alpha1.AppResources{CPU: "2", Memory: "1Gi"},
		},
	}}
	w := preflight.Request{}
	w.SetAppRequirements(app)
	g.Expect(w).To(Equal(preflight.Request{
		App: "web", Platforms: map[string][]string{"docker.io/library/nginx:1": {"linux/arm64"}},
		Architectures: []string{"arm64"}, CPU: "2", Memory: "1Gi",
	}))
	bare := preflight.Request{}
	bare.SetAppRequirements(&v1alpha1.AppInfo{Spec: v1alpha1.AppInfoSpec{App: "web"}})
	g.Expect(bare.Architectures).To(BeEmpty(), "an app that says nothing")
}

func TestUnits(t *testing.T) {
	g := NewWithT(t)
	draft := &hydrate.Draft{
		Units: []hydrate.Unit{
			{
				Name: "server", Dir: "server", Documents: []objects.Document{{Path: "a", Text: "b"}}, Lookups: 1,
				Release: &hydrate.ReleaseChart{KubeVersion: ">=1.30"},
			},
			{Name: "worker", Lookups: 1},
			{Name: "page"},
		},
	}
	g.Expect(preflight.UnitsOf(draft, "default")).To(Equal([]preflight.Unit{
		{Name: "server", KubeVersion: ">=1.30", RenderedIn: "default", Documents: draft.Units[0].Documents},
		{Name: "worker", RenderedIn: "default", Provisional: true},
		{Name: "page", RenderedIn: "default"},
	}))
	draft.Request.At = hydrate.InstallTarget{Namespace: "team", Instance: "shop"}
	draft.Chart.Name = "web"
	g.Expect(preflight.UnitsOf(draft, "team")[0].Release).To(Equal("shop-server"))
}

func TestObjectsOfSeveralCharts(t *testing.T) {
	w := preflight.Request{Tenant: release.Tenant{Namespace: "team"}, Units: []preflight.Unit{
		newUnit("server", "server/templates/web.yaml", configMap("web")), newUnit("client", "client/templates/web.yaml", configMap("web")),
	}}
	expectProblems(t, "both charts bring one object", checkRequest(t, w, newFacts()), want{v1alpha1.ReasonInvalidChart, true, []string{"ConfigMap/web", "client, server"}})
	w.Units[1].Documents[0] = newDocument("client/templates/web.yaml", configMap("other"))
	expectProblems(t, "each has its own", checkRequest(t, w, newFacts()))
}

func configMap(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name
}
