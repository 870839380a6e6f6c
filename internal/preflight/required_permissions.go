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

	"github.com/appmarket/operator/api/v1alpha1"
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

// scalableKinds contains the kinds with replicas.
var scalableKinds = map[schema.GroupKind]bool{
	{Group: appsv1.GroupName, Kind: "Deployment"}:            true,
	{Group: appsv1.GroupName, Kind: "ReplicaSet"}:            true,
	{Group: appsv1.GroupName, Kind: "StatefulSet"}:           true,
	{Group: corev1.GroupName, Kind: "ReplicationController"}: true,
}

// Needs returns all permissions that the tenant's service account requires to install,
// monitor, change and uninstall the app, in a stable order without duplicates. It omits
// objects of unknown kinds, and CRDs of a crds folder that already exist, because they are
// not created again.
func (d *Requirements) Needs(facts *Facts) []Need {
	all := rightSet{}
	tenant := d.request.Tenant.Namespace
	all.addVerbs(tenant, corev1.GroupName, "secrets", "", recordVerbs...)
	all.addVerbs(tenant, corev1.GroupName, "pods", "", "list")
	for _, input := range d.request.Inputs {
		if input.Kind == v1alpha1.ValuesFromConfigMap { // recordVerbs include all Secrets.
			all.addVerbs(tenant, corev1.GroupName, "configmaps", input.Name, "get")
		}
	}
	for _, o := range d.allObjects() {
		kind, ok := d.servedKind(o, facts)
		if !ok || d.isOwnNamespace(o) || d.isEstablished(o, facts) {
			continue
		}
		namespace, name := d.objectNamespace(o, facts), ""
		if namespace == "" {
			name = o.name
		}
		for _, verb := range d.verbsFor(o, namespace) {
			// A create permission cannot be restricted by name.
			if verb == "create" {
				all.addVerbs(namespace, o.gvk.Group, kind.Resource, "", verb)
			} else {
				all.addVerbs(namespace, o.gvk.Group, kind.Resource, name, verb)
			}
		}
		if o.isKind(appsv1.SchemeGroupVersion, "StatefulSet") && d.hasClaims(o) {
			all.addVerbs(namespace, corev1.GroupName, "persistentvolumeclaims", "", claimVerbs...)
		}
		if claimNamespace, ok := d.ownedClaimsNamespace(o, namespace); ok {
			all.addVerbs(claimNamespace, corev1.GroupName, "persistentvolumeclaims", "", ownedVerbs...)
		}
		// Replicas are compared only if no autoscaler sets them.
		if scalableKinds[o.gvk.GroupKind()] && !o.hook {
			all.addVerbs(namespace, autoscalingv2.GroupName, "horizontalpodautoscalers", "", "list")
		}
	}
	return append(all.toSortedNeeds(), d.grantNeeds(facts)...)
}

// verbsFor returns the verbs that are used for an object.
func (d *Requirements) verbsFor(o *object, where string) []string {
	switch {
	case o.early:
		return earlyVerbs
	case o.hook && (o.isKind(batchv1.SchemeGroupVersion, "Job") || o.isKind(corev1.SchemeGroupVersion, "Pod")):
		return slices.Concat(hookVerbs, watchedVerbs)
	case o.hook:
		return hookVerbs
	case where == d.request.Tenant.Namespace && o.isKind(corev1.SchemeGroupVersion, "Secret") && !d.request.DetectsDrift:
		return keptVerbs // The health of a Secret that may not be watched is read by name.
	case where == d.request.Tenant.Namespace:
		return slices.Concat(keptVerbs, followedVerbs)
	}
	return keptVerbs
}

// ownedClaimsNamespace returns the namespace of the PersistentVolumeClaims that may be deleted
// with a custom resource, since it may own them. It returns false for other objects.
func (d *Requirements) ownedClaimsNamespace(o *object, where string) (string, bool) {
	if o.early || !release.IsCustomGroup(o.gvk.Group) {
		return "", false
	}
	return cmp.Or(where, d.request.Tenant.Namespace), true
}

func (d *Requirements) hasClaims(o *object) bool {
	return slices.ContainsFunc(d.claims, func(c claimSpec) bool { return c.object == o })
}

// permission is one verb on one resource.
type permission struct{ namespace, group, resource, name, verb string }

// rightSet is a set of rights.
type rightSet map[permission]bool

func (n rightSet) addVerbs(namespace, group, resource, name string, verbs ...string) {
	for _, verb := range verbs {
		n[permission{namespace, group, resource, name, verb}] = true
	}
}

func (n rightSet) toSortedNeeds() []Need {
	rights := make([]permission, 0, len(n))
	for r := range n {
		rights = append(rights, r)
	}
	slices.SortFunc(rights, func(a, b permission) int {
		return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.group, b.group),
			strings.Compare(a.resource, b.resource), strings.Compare(a.name, b.name), strings.Compare(a.verb, b.verb))
	})
	all := make([]Need, len(rights))
	for i, r := range rights {
		all[i] = Need{Namespace: r.namespace, Rules: []rbacv1.PolicyRule{r.toRule()}}
	}
	return all
}

func (r permission) toRule() rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{APIGroups: []string{r.group}, Resources: []string{r.resource}, Verbs: []string{r.verb}}
	if r.name != "" {
		rule.ResourceNames = []string{r.name}
	}
	return rule
}
