package collector_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/objects"

	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/preflight/collector"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// newCollector returns a Collector without cached state.
func newCollector(t *testing.T, server *testenv.Env, change ...func(*rest.Config)) *collector.Collector {
	t.Helper()
	config := rest.CopyConfig(server.Config)
	for _, one := range change {
		one(config)
	}
	c, err := collector.New(config, server.Mapper)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return c
}

// newRequest returns a request of a tenant for a chart with these templates.
func newRequest(tenant release.Tenant, templates ...string) preflight.Request {
	unit := preflight.Unit{Name: "web", RenderedIn: "default"}
	for _, text := range templates {
		unit.Documents = append(unit.Documents, newDocument("web/templates/a.yaml", text))
	}
	return preflight.Request{Tenant: tenant, App: "web", Instance: "web", Units: []preflight.Unit{unit}}
}

// newDocument returns a document as a worker does for a rendered text.
func newDocument(path, text string) objects.Document {
	object, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		panic(err)
	}
	return objects.Document{Path: path, Text: text, Object: string(object), Hook: strings.Contains(text, "helm.sh/hook")}
}

// createAdministrator creates a service account with all permissions.
func createAdministrator(t *testing.T, server *testenv.Env) release.Tenant {
	t.Helper()
	tenant := release.Tenant{Namespace: server.Namespace(t, nil), ServiceAccount: "admin"}
	server.Create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: tenant.ServiceAccount}})
	server.Create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: tenant.Namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: tenant.Namespace, Name: tenant.ServiceAccount}},
	})
	return tenant
}

// createOperator creates a user with the permissions of an operator that may list only these
// resources, and returns a function that makes a collector act as this user.
func createOperator(t *testing.T, server *testenv.Env, user string, lists ...string) func(*rest.Config) {
	t.Helper()
	name := metav1.ObjectMeta{Name: user}
	server.Create(t, &rbacv1.ClusterRole{ObjectMeta: name, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: lists, Verbs: []string{"list"}},
		{APIGroups: []string{""}, Resources: []string{"namespaces", "serviceaccounts"}, Verbs: []string{"get"}},
		{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, Verbs: []string{"impersonate"}},
		{APIGroups: []string{"storage.k8s.io"}, Resources: []string{"storageclasses"}, Verbs: []string{"list"}},
	}}, &rbacv1.ClusterRoleBinding{
		ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})
	return func(config *rest.Config) { config.Impersonate.UserName = user }
}

// checkReasons returns the reasons of the problems of a request.
func checkReasons(ctx context.Context, c *collector.Collector, w preflight.Request) ([]string, error) {
	problems, err := c.Check(ctx, w)
	var all []string
	for _, p := range problems {
		all = append(all, p.Reason)
	}
	return all, err
}

// checkMessages returns the messages of the problems of a request.
func checkMessages(ctx context.Context, g Gomega, c *collector.Collector, w preflight.Request) []string {
	problems, err := c.Check(ctx, w)
	g.Expect(err).NotTo(HaveOccurred())
	var all []string
	for _, p := range problems {
		all = append(all, p.Message)
	}
	return all
}

// applyRemedy creates the objects of a remedy, as an administrator would.
func applyRemedy(t *testing.T, server *testenv.Env, remedy string) {
	t.Helper()
	g := NewWithT(t)
	for doc := range strings.SplitSeq(remedy, "---\n") {
		var head metav1.TypeMeta
		g.Expect(yaml.Unmarshal([]byte(doc), &head)).To(Succeed())
		object := map[string]client.Object{
			"ServiceAccount": &corev1.ServiceAccount{},
			"Role":           &rbacv1.Role{}, "RoleBinding": &rbacv1.RoleBinding{},
			"ClusterRole": &rbacv1.ClusterRole{}, "ClusterRoleBinding": &rbacv1.ClusterRoleBinding{},
		}[head.Kind]
		g.Expect(object).NotTo(BeNil(), doc)
		g.Expect(yaml.UnmarshalStrict([]byte(doc), object)).To(Succeed())
		server.Create(t, object)
	}
}

// addNode creates a ready node with these resources.
func addNode(t *testing.T, server *testenv.Env, name string, offers corev1.ResourceList) {
	t.Helper()
	g := NewWithT(t)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}}}
	server.Create(t, node)
	node.Spec.Taints = nil // The API server taints new nodes.
	g.Expect(server.Client.Update(t.Context(), node)).To(Succeed())
	node.Status = corev1.NodeStatus{
		Allocatable: offers, NodeInfo: corev1.NodeSystemInfo{Architecture: "amd64"},
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
	}
	g.Expect(server.Client.Status().Update(t.Context(), node)).To(Succeed())
	t.Cleanup(func() { g.Expect(server.Client.Delete(context.WithoutCancel(t.Context()), node)).To(Succeed()) })
}

func resourceList(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory),
		corev1.ResourcePods: resource.MustParse("110"),
	}
}
