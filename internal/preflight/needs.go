package preflight

import (
	"cmp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/appmarket/operator/internal/release"
)

// What Helm and the health watches ask the API server for, as the tenant.
var (
	// recordVerbs are for the Secrets in which Helm records a release.
	recordVerbs = []string{"create", "delete", "get", "list", "update"}
	// keptVerbs are for an object of a release: looked for, made, changed by patches,
	// waited for and deleted, never all of a kind at once.
	keptVerbs = []string{"create", "delete", "get", "patch"}
	// followedVerbs are for an object in the namespace of the tenant, which a watch
	// follows: its state, or only whether it exists.
	followedVerbs = []string{"list", "watch"}
	// hookVerbs are for a hook, which is made anew each time.
	hookVerbs = []string{"create", "delete", "get"}
	// earlyVerbs are for a CRD that Helm makes first and then leaves alone.
	earlyVerbs = []string{"create", "get"}
	// watchedVerbs are for a hook whose end is waited for.
	watchedVerbs = []string{"watch"}
	// ownedVerbs are for volume claims that may be lost with an object: they are found to
	// be kept.
	ownedVerbs = []string{"list", "patch"}
	// claimVerbs are for the volume claims that StatefulSets make: they are found to
	// be kept, and deleted where the tenant wants that.
	claimVerbs = []string{"delete", "list"}
)

// scalable are kinds that have replicas.
var scalable = map[schema.GroupKind]bool{
	{Group: appsv1.GroupName, Kind: "Deployment"}:            true,
	{Group: appsv1.GroupName, Kind: "ReplicaSet"}:            true,
	{Group: appsv1.GroupName, Kind: "StatefulSet"}:           true,
	{Group: corev1.GroupName, Kind: "ReplicationController"}: true,
}

// Needs are everything that the tenant's service account must be allowed for the app
// to be installed, followed, changed and removed, each once and in the same order
// each time. Objects of kinds that the cluster does not know are left out, and so are
// CRDs of a crds folder that the cluster has, which are not created again.
func (d *Demand) Needs(facts *Facts) []Need {
	all := needs{}
	tenant := d.wish.Tenant.Namespace
	all.add(tenant, corev1.GroupName, "secrets", "", recordVerbs...)
	all.add(tenant, corev1.GroupName, "pods", "", "list")
	for _, o := range d.all() {
		kind, ok := d.kind(o, facts)
		if !ok || d.isOwnNamespace(o) || d.isEstablished(o, facts) {
			continue
		}
		where, name := d.place(o, facts), ""
		if where == "" {
			name = o.name
		}
		for _, verb := range d.verbs(o, where) {
			// What does not exist yet has no name that a rule could speak of.
			if verb == "create" {
				all.add(where, o.gvk.Group, kind.Resource, "", verb)
			} else {
				all.add(where, o.gvk.Group, kind.Resource, name, verb)
			}
		}
		if o.is(appsv1.SchemeGroupVersion, "StatefulSet") && d.claimsOf(o) {
			all.add(where, corev1.GroupName, "persistentvolumeclaims", "", claimVerbs...)
		}
		if place, ok := d.claimsLostWith(o, where); ok {
			all.add(place, corev1.GroupName, "persistentvolumeclaims", "", ownedVerbs...)
		}
		// Whether something else sets the replicas is looked up before they are compared.
		if scalable[o.gvk.GroupKind()] && !o.hook {
			all.add(where, autoscalingv2.GroupName, "horizontalpodautoscalers", "", "list")
		}
	}
	return append(all.sorted(), d.grantNeeds(facts)...)
}

// verbs are what is done with an object.
func (d *Demand) verbs(o *object, where string) []string {
	switch {
	case o.early:
		return earlyVerbs
	case o.hook && (o.is(batchv1.SchemeGroupVersion, "Job") || o.is(corev1.SchemeGroupVersion, "Pod")):
		return slices.Concat(hookVerbs, watchedVerbs)
	case o.hook:
		return hookVerbs
	case where == d.wish.Tenant.Namespace:
		return slices.Concat(keptVerbs, followedVerbs)
	}
	return keptVerbs
}

// claimsLostWith is where volume claims may be lost when an object is deleted, since a
// custom resource may own them.
func (d *Demand) claimsLostWith(o *object, where string) (string, bool) {
	if o.early || !release.IsCustomGroup(o.gvk.Group) {
		return "", false
	}
	return cmp.Or(where, d.wish.Tenant.Namespace), true
}

func (d *Demand) claimsOf(o *object) bool {
	return slices.ContainsFunc(d.claims, func(c claim) bool { return c.object == o })
}

// right is one verb on one resource.
type right struct{ namespace, group, resource, name, verb string }

// needs is a set of rights.
type needs map[right]bool

func (n needs) add(namespace, group, resource, name string, verbs ...string) {
	for _, verb := range verbs {
		n[right{namespace, group, resource, name, verb}] = true
	}
}

func (n needs) sorted() []Need {
	rights := make([]right, 0, len(n))
	for r := range n {
		rights = append(rights, r)
	}
	slices.SortFunc(rights, func(a, b right) int {
		return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.group, b.group),
			strings.Compare(a.resource, b.resource), strings.Compare(a.name, b.name), strings.Compare(a.verb, b.verb))
	})
	all := make([]Need, len(rights))
	for i, r := range rights {
		all[i] = Need{Namespace: r.namespace, Rules: []rbacv1.PolicyRule{r.rule()}}
	}
	return all
}

func (r right) rule() rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{APIGroups: []string{r.group}, Resources: []string{r.resource}, Verbs: []string{r.verb}}
	if r.name != "" {
		rule.ResourceNames = []string{r.name}
	}
	return rule
}
