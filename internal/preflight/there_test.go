package preflight_test

import (
	"slices"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
)

// is returns a reference to an existing object.
func is(apiVersion, kind, namespace, name string) v1alpha1.ObjectReference {
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
		{"a workload", is("apps/v1", "Deployment", "team", "web"),
			[]string{"team apps/deployments: create delete get list patch watch", "team autoscaling/horizontalpodautoscalers: list"}},
		{"a binding, whose role is not known", is(rbac+"/v1", "RoleBinding", "team", "web"), []string{"team " + rbac + "/rolebindings: create delete get list patch watch"}},
		{"a role, whose rules are granted already", is(rbac+"/v1", "Role", "team", "web"), []string{"team " + rbac + "/roles: create delete get list patch watch"}},
		{"one of another namespace", is("v1", "ConfigMap", "default", "web"), []string{"default /configmaps: create delete get patch"}},
		{"one of the cluster", is(rbac+"/v1", "ClusterRole", "", "web"),
			[]string{" " + rbac + "/clusterroles: create", " " + rbac + "/clusterrolesweb: delete get patch"}},
		{"one of a kind that is gone", is("extensions/v1beta1", "Ingress", "team", "web"), nil},
	} {
		g, w := NewWithT(t), preflight.Wish{Tenant: wish("").Tenant, App: "web", There: []v1alpha1.ObjectReference{c.there}}
		g.Expect(needsOf(t, w, facts())).To(ConsistOf(slices.Concat(base, c.needs)), c.why)
		expect(t, c.why, check(t, w, facts()))
	}
}

func TestWhatIsThereAndBrought(t *testing.T) {
	g, w := NewWithT(t), wish(deployment("web", "", ""))
	w.There = []v1alpha1.ObjectReference{is("apps/v1", "Deployment", "team", "web"), is("v1", "Service", "team", "old")}
	expect(t, "what is brought anew is not there twice", check(t, w, facts()))
	g.Expect(needsOf(t, w, facts())).To(ContainElement("team /services: create delete get list patch watch"), "what is not brought any more is removed")
}

func TestFor(t *testing.T) {
	hook := func(name, moments string) string {
		return "kind: Job\napiVersion: batch/v1\nmetadata: {name: " + name + ", annotations: {helm.sh/hook: '" + moments + "'}}"
	}
	all := unit("web", "web/templates/all.yaml", deployment("web", "", "")+"\n---\n"+
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
	g.Expect(names(all.For(false, "pre-delete", "post-delete"))).To(Equal([]int{2}))
	g.Expect(names(all.For(true, "pre-rollback", "post-rollback"))).To(Equal([]int{0, 3}))
	g.Expect(names(all.For(false))).To(BeEmpty())
	g.Expect(all.Documents).To(HaveLen(4), "the unit itself stays as it is")
}
