package preflight_test

import (
	"slices"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
)

// objectRef returns a reference to an existing object.
func objectRef(apiVersion, kind, namespace, name string) v1alpha1.ObjectReference {
	return v1alpha1.ObjectReference{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name}
}

func TestWhatIsThere(t *testing.T) {
	const rbac = "rbac.authorization.k8s.io"
	base := []string{"team /pods: list", "team /secrets: create delete get list update"}
	for _, c := range []struct {
		why   string
		there v1alpha1.ObjectReference
		needs []string
	}{
		{"a workload", objectRef("apps/v1", "Deployment", "team", "web"),
			[]string{"team apps/deployments: create delete get list patch watch", "team autoscaling/horizontalpodautoscalers: list"}},
		{"a binding, whose role is not known", objectRef(rbac+"/v1", "RoleBinding", "team", "web"), []string{"team " + rbac + "/rolebindings: create delete get list patch watch"}},
		{"a role, whose rules are granted already", objectRef(rbac+"/v1", "Role", "team", "web"), []string{"team " + rbac + "/roles: create delete get list patch watch"}},
		{"one of another namespace", objectRef("v1", "ConfigMap", "default", "web"), []string{"default /configmaps: create delete get patch"}},
		{"one of the cluster", objectRef(rbac+"/v1", "ClusterRole", "", "web"),
			[]string{" " + rbac + "/clusterroles: create", " " + rbac + "/clusterrolesweb: delete get patch"}},
		{"one of a kind that is gone", objectRef("extensions/v1beta1", "Ingress", "team", "web"), nil},
	} {
		g, w := NewWithT(t), preflight.Request{Tenant: newRequest("").Tenant, App: "web", Existing: []v1alpha1.ObjectReference{c.there}}
		g.Expect(needsOf(t, w, newFacts())).To(ConsistOf(slices.Concat(base, c.needs)), c.why)
		expectProblems(t, c.why, checkRequest(t, w, newFacts()))
	}
}

func TestWhatIsThereAndBrought(t *testing.T) {
	g, w := NewWithT(t), newRequest(deploymentYAML("web", "", ""))
	w.Existing = []v1alpha1.ObjectReference{objectRef("apps/v1", "Deployment", "team", "web"), objectRef("v1", "Service", "team", "old")}
	expectProblems(t, "an existing object that the app contains is reported once", checkRequest(t, w, newFacts()))
	g.Expect(needsOf(t, w, newFacts())).To(ContainElement("team /services: create delete get list patch watch"), "what is not brought any more is removed")
}

func TestFor(t *testing.T) {
	hook := func(name, moments string) string {
		return "kind: Job\napiVersion: batch/v1\nmetadata: {name: " + name + ", annotations: {helm.sh/hook: '" + moments + "'}}"
	}
	all := newUnit("web", "web/templates/all.yaml", deploymentYAML("web", "", "")+"\n---\n"+
		hook("first", "pre-install")+"\n---\n"+hook("last", "post-delete, pre-delete")+"\n---\n"+hook("back", "pre-upgrade,pre-rollback"))
	names := func(u preflight.Unit) []int {
		var found []int
		for i, doc := range all.Documents {
			if slices.Contains(u.Documents, doc) {
				found = append(found, i)
			}
		}
		return found
	}
	g := NewWithT(t)
	g.Expect(names(all.FilterDocuments(false, "pre-delete", "post-delete"))).To(Equal([]int{2}))
	g.Expect(names(all.FilterDocuments(true, "pre-rollback", "post-rollback"))).To(Equal([]int{0, 3}))
	g.Expect(names(all.FilterDocuments(false))).To(BeEmpty())
	g.Expect(all.Documents).To(HaveLen(4), "the unit itself stays as it is")
}
