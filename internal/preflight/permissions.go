package preflight

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// maxPlaces bounds the places for which roles are written; those left over are
// reported once these are seen to.
const maxPlaces = 10

// checkPermissions reports what the tenant's service account may not do: once for
// its own namespace, and once for each other place, which an administrator must see
// to.
func (d *Demand) checkPermissions(facts *Facts) []Problem {
	var problems []Problem
	for _, where := range d.places(facts.Missing) {
		problems = append(problems, d.denied(where, facts))
	}
	return problems
}

// places are the namespaces of needs, each once: the tenant's, the cluster, others.
func (d *Demand) places(all []Need) []string {
	found := map[string]bool{}
	for _, need := range all {
		found[need.Namespace] = true
	}
	own := d.wish.Tenant.Namespace
	ordered := slices.SortedFunc(maps.Keys(found), func(a, b string) int {
		if a == own || b == own {
			return cmp.Compare(last(a != own), last(b != own))
		}
		return strings.Compare(a, b)
	})
	return ordered[:min(len(ordered), maxPlaces)]
}

func last(is bool) int {
	if is {
		return 1
	}
	return 0
}

func (d *Demand) denied(where string, facts *Facts) Problem {
	tenant := d.wish.Tenant
	var missing []rbacv1.PolicyRule
	for _, need := range facts.Missing {
		if need.Namespace == where {
			missing = append(missing, need.Rules...)
		}
	}
	var said []string
	for _, rule := range compact(missing) {
		said = append(said, phrase(rule))
	}
	who := fmt.Sprintf("service account %s/%s may not %s", tenant.Namespace, tenant.ServiceAccount, bounded(joinedBy("; ", said)))
	problem := passing(v1alpha1.ReasonPermissionDenied, "%s, in namespace %s; have the Role of the remedy applied", who, where)
	switch where {
	case tenant.Namespace:
	case "":
		problem = passing(v1alpha1.ReasonAdministratorNeeded,
			"the app has parts that belong to the whole cluster (%s), and %s; an administrator of the cluster must apply the ClusterRole of the remedy, or install the app",
			bounded(listed(d.titles(where, facts))), who)
	default:
		problem = passing(v1alpha1.ReasonAdministratorNeeded,
			"the app has parts in namespace %s (%s), and %s there; an administrator of that namespace must apply the Role of the remedy, or install the app",
			where, bounded(listed(d.titles(where, facts))), who)
	}
	problem.Remedy = d.remedy(where, facts)
	if problem.Remedy == "" {
		problem.Message += "; the roles are too large to be shown"
	}
	return problem
}

// titles are the objects of a place, each once.
func (d *Demand) titles(where string, facts *Facts) []string {
	var said []string
	for _, o := range d.all() {
		if title := o.title(); d.place(o, facts) == where && !slices.Contains(said, title) {
			said = append(said, title)
		}
	}
	return said
}

// phrase says what a rule allows, as "get, list secrets".
func phrase(rule rbacv1.PolicyRule) string {
	verbs := strings.Join(rule.Verbs, ", ")
	if len(rule.NonResourceURLs) > 0 {
		return verbs + " " + strings.Join(rule.NonResourceURLs, ", ")
	}
	var names []string
	for _, resource := range rule.Resources {
		if rule.APIGroups[0] != "" {
			resource += "." + rule.APIGroups[0]
		}
		names = append(names, resource)
	}
	said := verbs + " " + strings.Join(names, ", ")
	if len(rule.ResourceNames) > 0 {
		said += " (" + listed(rule.ResourceNames) + ")"
	}
	return said
}
