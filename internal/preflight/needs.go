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

// The verbs that Helm and the health watches use as the tenant.
var (
	// recordVerbs apply to the Secrets that store Helm releases.
	recordVerbs = []string{"create", "delete", "get", "list", "update"}
	// keptVerbs apply to the objects of a release. They are read, created, patched, waited
	// for and deleted by name, and never listed.
	keptVerbs = []string{"create", "delete", "get", "patch"}
	// followedVerbs apply to objects in the tenant's namespace, whose state or existence is
	// watched.
	followedVerbs = []string{"list", "watch"}
	// hookVerbs apply to hooks, which are re-created each time.
	hookVerbs = []string{"create", "delete", "get"}
	// earlyVerbs apply to CRDs of a crds folder, which Helm creates and does not change
	// afterwards.
	earlyVerbs = []string{"create", "get"}
	// watchedVerbs apply to hooks whose completion is waited for.
	watchedVerbs = []string{"watch"}
	// ownedVerbs apply to PersistentVolumeClaims that may be deleted with their owner. They
	// are found and patched to keep them.
	ownedVerbs = []string{"list", "patch"}
	// claimVerbs apply to the PersistentVolumeClaims of StatefulSets. They are found to
	// keep them, and deleted if spec.dataPolicy is Delete.
	claimVerbs = []string{"delete", "list"}
)

// scalable contains the kinds with replicas.
var scalable = map[schema.GroupKind]bool{
	{Group: appsv1.GroupName, Kind: "Deployment"}:            true,
	{Group: appsv1.GroupName, Kind: "ReplicaSet"}:            true,
	{Group: appsv1.GroupName, Kind: "StatefulSet"}:           true,
	{Group: corev1.GroupName, Kind: "ReplicationController"}: true,
}

// Needs returns all permissions that the tenant's service account requires to install,
// monitor, change and uninstall the app, in a stable order without duplicates. It omits
// objects of unknown kinds, and CRDs of a crds folder that already exist, because they are
// not created again.
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
			// A create permission cannot be restricted by name.
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
		// Replicas are compared only if no autoscaler sets them.
		if scalable[o.gvk.GroupKind()] && !o.hook {
			all.add(where, autoscalingv2.GroupName, "horizontalpodautoscalers", "", "list")
		}
	}
	return append(all.sorted(), d.grantNeeds(facts)...)
}

// verbs returns the verbs that are used for an object.
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

// claimsLostWith returns the namespace of the PersistentVolumeClaims that may be deleted
// with a custom resource, since it may own them. It returns false for other objects.
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
