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
	places := d.places(facts.Missing)
	if own := d.wish.Tenant.Namespace; facts.AccountMissing && !slices.Contains(places, own) {
		places = append([]string{own}, places...)
	}
	for _, where := range places {
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

// denied is the problem of an account that lacks rights in a place.
func (d *Demand) denied(where string, facts *Facts) Problem {
	tenant := d.wish.Tenant
	remedy := d.remedy(where, facts)
	advice := "apply " + TheRemedy
	if remedy == "" {
		advice = "grant them; the role is too large for a remedy"
	}
	lacks := lacking(where, facts.Missing)
	var problem Problem
	switch {
	case where == tenant.Namespace && facts.AccountMissing:
		problem = passing(v1alpha1.ReasonServiceAccountMissing,
			"there is no service account %s in namespace %s: %s", tenant.ServiceAccount, where, advice)
	case where == tenant.Namespace && d.wish.DefaultAccount:
		problem = passing(v1alpha1.ReasonPermissionDenied,
			"spec.serviceAccountName is unset, and account %s lacks %s that %s needs: %s", tenant.ServiceAccount, lacks, d.wish.App, advice)
	case where == tenant.Namespace:
		problem = passing(v1alpha1.ReasonPermissionDenied,
			"service account %s lacks %s in namespace %s that %s needs: %s", tenant.ServiceAccount, lacks, where, d.wish.App, advice)
	case where == "":
		problem = passing(v1alpha1.ReasonAdministratorNeeded,
			"%s has objects of the whole cluster (%s), and service account %s lacks %s to them: an administrator of the cluster must %s",
			d.wish.App, quoted(listed(d.titles(where, facts))), tenant.ServiceAccount, lacks, advice)
	default:
		problem = passing(v1alpha1.ReasonAdministratorNeeded,
			"%s has objects in namespace %s (%s), and service account %s lacks %s to them: an administrator of namespace %s must %s",
			d.wish.App, where, quoted(listed(d.titles(where, facts))), tenant.ServiceAccount, lacks, where, advice)
	}
	problem.Remedy = remedy
	return problem
}

// maxPhrases bounds how many rules of rights a message names.
const maxPhrases = 2

// lacking counts the rights that are missing in a place, and names them where they are
// few.
func lacking(where string, missing []Need) string {
	rights := map[right]bool{}
	var rules []rbacv1.PolicyRule
	for _, need := range missing {
		if need.Namespace != where {
			continue
		}
		for _, rule := range need.Rules {
			rights[atomOf(rule)] = true
		}
		rules = append(rules, need.Rules...)
	}
	number := fmt.Sprintf("%d rights", len(rights))
	if len(rights) == 1 {
		number = "1 right"
	}
	if rules = compact(rules); len(rules) > maxPhrases {
		return number
	}
	var said []string
	for _, rule := range rules {
		said = append(said, phrase(rule))
	}
	return fmt.Sprintf("%s (%s)", number, quoted(strings.Join(said, "; ")))
}

// titles are the objects of a place, each once.
func (d *Demand) titles(where string, facts *Facts) []string {
	var said []string
	for _, o := range d.all() {
		if d.isOwnNamespace(o) || d.isEstablished(o, facts) {
			continue
		}
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
