package permissions_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/permissions"
)

const report = `---
# Source: agent/crds/widget.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec: {group: example.com, scope: Cluster, names: {kind: Widget, plural: widgetry}, versions: [{name: v1, served: true}]}
---
# Source: agent/templates/rbac.yaml
apiVersion: v1
kind: List
items:
- apiVersion: rbac.authorization.k8s.io/v1
  kind: ClusterRole
  metadata: {name: agent, labels: {app: agent}}
  rules: [{apiGroups: [""], resources: [nodes], verbs: [list]}]
- apiVersion: rbac.authorization.k8s.io/v1
  kind: ClusterRoleBinding
  metadata: {name: agent}
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: agent}
  subjects: [{kind: ServiceAccount, name: agent, namespace: default}]
---
# Source: agent/templates/web.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {}
---
# Source: agent/templates/config.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: dns, namespace: kube-system}
---
# Source: agent/templates/custom.yaml
apiVersion: example.com/v1
kind: Widget
metadata: {name: w}
---
# Source: agent/templates/custom.yaml
apiVersion: gateway.example.org/v1
kind: Gateway
metadata: {name: g}
---
# Source: agent/templates/hook.yaml
apiVersion: v1
kind: Service
metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}
---
# Source: agent/templates/test.yaml
apiVersion: v1
kind: Pod
metadata: {name: test, annotations: {helm.sh/hook: test}}
---
# Source: agent/templates/secret.yaml
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {password: (masked)}
`

var app = &v1alpha1.AppInfo{
	ObjectMeta: metav1.ObjectMeta{Namespace: "market"}, Spec: v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "samples"}, App: "agent"},
}

type manifest struct {
	App, Version        string
	Roles, Bindings     []struct{ Kind, Namespace, Name string }
	RequiredPermissions struct {
		OwnNamespace, Cluster []rbacv1.PolicyRule
		OtherNamespaces       []struct {
			Namespace string
			Rules     []rbacv1.PolicyRule
		}
	}
	AssumedResources, InvalidObjects []string
}

func newManifest(t *testing.T, report string) (manifest, string) {
	t.Helper()
	g := NewWithT(t)
	text, err := permissions.NewManifest(app, "1.0.0", []byte(report))
	g.Expect(err).NotTo(HaveOccurred())
	again, err := permissions.NewManifest(app, "1.0.0", []byte(report))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(again)).To(Equal(string(text)), "the same bytes again")
	var m manifest
	g.Expect(yaml.Unmarshal(text, &m)).To(Succeed(), string(text))
	return m, string(text)
}

// allows reports whether rules contain a verb for a resource.
func allows(rules []rbacv1.PolicyRule, verb, group, resource, name string) bool {
	contains := func(list []string, one string) bool {
		return strings.Contains("\n"+strings.Join(list, "\n")+"\n", "\n"+one+"\n")
	}
	for _, rule := range rules {
		named := name == "" && len(rule.ResourceNames) == 0 || contains(rule.ResourceNames, name)
		if contains(rule.Verbs, verb) && contains(rule.APIGroups, group) && contains(rule.Resources, resource) && named {
			return true
		}
	}
	return false
}

func TestManifest(t *testing.T) {
	g := NewWithT(t)
	m, text := newManifest(t, report)
	t.Log(text)
	g.Expect(m.App).To(Equal("market/samples/agent"))
	g.Expect(m.Version).To(Equal("1.0.0"))
	g.Expect(m.Roles).To(HaveLen(1))
	g.Expect(m.Roles[0].Kind + "/" + m.Roles[0].Name).To(Equal("ClusterRole/agent"))
	g.Expect(m.Bindings).To(HaveLen(1))
	own, cluster := m.RequiredPermissions.OwnNamespace, m.RequiredPermissions.Cluster
	for _, each := range []struct {
		why                         string
		rules                       []rbacv1.PolicyRule
		verb, group, resource, name string
	}{
		{"Helm stores releases", own, "create", "", "secrets", ""},
		{"an object of the chart", own, "patch", "apps", "deployments", ""},
		{"a hook", own, "create", "", "services", ""},
		{"a custom kind that ends in a vowel and y", own, "create", "gateway.example.org", "gateways", ""},
		{"a cluster-scoped object is created", cluster, "create", "rbac.authorization.k8s.io", "clusterroles", ""},
		{"a cluster-scoped object is changed by name", cluster, "patch", "rbac.authorization.k8s.io", "clusterroles", "agent"},
		{"the rules of a role are required to create it", cluster, "list", "", "nodes", ""},
		{"the CRD", cluster, "create", "apiextensions.k8s.io", "customresourcedefinitions", ""},
		{"a kind of the app has the plural and the scope of its CRD", cluster, "patch", "example.com", "widgetry", "w"},
	} {
		g.Expect(allows(each.rules, each.verb, each.group, each.resource, each.name)).To(BeTrue(), each.why)
	}
	g.Expect(allows(own, "patch", "", "services", "")).To(BeFalse(), "a hook is not patched")
	g.Expect(allows(cluster, "delete", "apiextensions.k8s.io", "customresourcedefinitions", "widgets.example.com")).To(BeFalse(), "CRDs of a crds folder are kept")
	g.Expect(allows(own, "create", "", "pods", "")).To(BeFalse(), "tests are not installed")
	g.Expect(m.RequiredPermissions.OtherNamespaces).To(HaveLen(1))
	g.Expect(m.RequiredPermissions.OtherNamespaces[0].Namespace).To(Equal("kube-system"))
	g.Expect(m.AssumedResources).To(Equal([]string{"gateways.gateway.example.org"}))
	g.Expect(m.InvalidObjects).To(BeEmpty())
	g.Expect(text).NotTo(ContainSubstring("masked"))
}

func TestManifestWithoutObjects(t *testing.T) {
	g := NewWithT(t)
	m, text := newManifest(t, "")
	g.Expect(m.Roles).To(BeEmpty())
	g.Expect(text).To(ContainSubstring("roles: []"))
	g.Expect(allows(m.RequiredPermissions.OwnNamespace, "create", "", "secrets", "")).To(BeTrue())
	g.Expect(m.RequiredPermissions.Cluster).To(BeEmpty())
}

func TestManifestIsBounded(t *testing.T) {
	rule := "- {apiGroups: [" + strings.Repeat("a,", 200) + "], resources: [" + strings.Repeat("b,", 200) + "], verbs: [" + strings.Repeat("c,", 200) + "]}\n"
	role := "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: wide}\nrules:\n" + rule
	m, _ := newManifest(t, role)
	NewWithT(t).Expect(m.InvalidObjects).To(ConsistOf(ContainSubstring("more than 10000 rules")))
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	before := "a"
	for _, name := range []string{"b", "c", "d", "e", "f", "g", "h"} {
		bomb += name + ": &" + name + " [" + strings.Repeat("*"+before+",", 10) + "]\n"
		before = name
	}
	for why, text := range map[string]string{
		"too large": strings.Repeat("# x\n", 3<<20), "aliases": bomb, "not YAML": "a: [", "too many objects": strings.Repeat("---\nkind: Pod\napiVersion: v1\n", 5001),
	} {
		_, err := permissions.NewManifest(app, "1.0.0", []byte(text))
		NewWithT(t).Expect(err).To(HaveOccurred(), why)
	}
}
