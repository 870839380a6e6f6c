package objects_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/objects"
)

func roleYAML(kind, name, rules string) string {
	return fmt.Sprintf("apiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata: {name: %s}\nrules: [%s]\n", kind, name, rules)
}

func bindingYAML(kind, role, subject string) string {
	of, name, _ := strings.Cut(role, "/")
	return fmt.Sprintf("apiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata: {name: b}\nroleRef: {kind: %s, name: %s}\nsubjects: [%s]\n",
		kind, of, name, subject)
}

func TestListAddedPermissions(t *testing.T) {
	const (
		account  = "{kind: ServiceAccount, name: web}"
		readPods = `{apiGroups: [""], resources: [pods], verbs: [list, get]}`
	)
	role := func(rules ...string) string {
		return roleYAML("Role", "r", strings.Join(rules, ", ")) + "---\n" + bindingYAML("RoleBinding", "Role/r", account)
	}
	clusterRole := func(rules string) string { return roleYAML("ClusterRole", "r", rules) }
	for _, c := range []struct {
		why           string
		before, after string
		want          []string
	}{
		{"a role of a new app", "", role(readPods), []string{`get, list pods in namespace "demo"`}},
		{"the same permissions", role(readPods), role(readPods), nil},
		{"another verb", role(readPods), role(`{apiGroups: [""], resources: [pods], verbs: [list, delete]}`), []string{`delete pods in namespace "demo"`}},
		{"a named object", "", role(`{apiGroups: [apps], resources: [deployments], resourceNames: [web], verbs: [patch]}`),
			[]string{`patch deployments.apps "web" in namespace "demo"`}},
		{"a wildcard covers a permission", role(`{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}`), role(readPods), nil},
		{"all objects include a named one", role(readPods), role(`{apiGroups: [""], resources: [pods], resourceNames: [a], verbs: [get]}`), nil},
		{"a named object does not include all", role(`{apiGroups: [""], resources: [pods], resourceNames: [a], verbs: [get, list]}`), role(readPods),
			[]string{`get, list pods in namespace "demo"`}},
		{"a ClusterRole in a namespace", "", clusterRole(readPods) + "---\n" + bindingYAML("RoleBinding", "ClusterRole/r", account),
			[]string{`get, list pods in namespace "demo"`}},
		{"a ClusterRole in all namespaces", role(readPods), clusterRole(readPods) + "---\n" + bindingYAML("ClusterRoleBinding", "ClusterRole/r", account),
			[]string{"get, list pods in all namespaces"}},
		{"a ClusterRole without a binding", "", clusterRole(readPods), []string{"get, list pods in all namespaces"}},
		{"a role that the app does not contain", "", bindingYAML("ClusterRoleBinding", "ClusterRole/cluster-admin", account),
			[]string{`all permissions of ClusterRole "cluster-admin" in all namespaces`}},
		{"a group", role(readPods), roleYAML("Role", "r", readPods) + "---\n" + bindingYAML("RoleBinding", "Role/r", "{kind: Group, name: 'system:authenticated'}"),
			[]string{`get, list pods in namespace "demo" for group "system:authenticated"`}},
		{"a path", "", clusterRole(`{nonResourceURLs: [/metrics], verbs: [get]}`), []string{"get /metrics"}},
		{"fields of another type", "", role(`{apiGroups: 1, resources: [pods], verbs: [get]}`, `3`), nil},
	} {
		got, err := objects.ListAddedPermissions(documentsOf(c.before), documentsOf(c.after), "demo")
		NewWithT(t).Expect(err).NotTo(HaveOccurred(), c.why)
		NewWithT(t).Expect(got).To(Equal(c.want), c.why)
	}
}

// documentsOf returns the documents of a text.
func documentsOf(text string) []objects.Document {
	var docs []objects.Document
	for _, one := range objects.SplitDocuments(text) {
		docs = append(docs, objects.NewDocument("app/templates/rbac.yaml", one))
	}
	return docs
}

func TestAddedPermissionsAreBounded(t *testing.T) {
	g := NewWithT(t)
	var many []string
	for i := range 3000 {
		many = append(many, fmt.Sprintf("r%d", i))
	}
	list := strings.Join(many, ", ")
	rule := fmt.Sprintf("{apiGroups: [%s], resources: [%s], verbs: [get, list]}", list, list)
	got, err := objects.ListAddedPermissions(nil, documentsOf(roleYAML("ClusterRole", "r", rule)), "demo")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got[0]).To(Equal("more than 20000 permissions; not all of them are listed"))
	g.Expect(len(got)).To(BeNumerically("<=", 20_001))
}
