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

// maxRemedies is the maximum number of namespaces for which remedies are created. The others
// are reported after these are solved.
const maxRemedies = 10

// checkPermissions reports the missing permissions of the tenant's service account, with
// one problem for its namespace and one for each other namespace and the cluster, which
// require an administrator.
func (d *Requirements) checkPermissions(facts *Facts) []Problem {
	var problems []Problem
	namespaces := d.namespacesOf(facts.Missing)
	if own := d.request.Tenant.Namespace; facts.AccountMissing && !slices.Contains(namespaces, own) {
		namespaces = append([]string{own}, namespaces...)
	}
	for _, namespace := range namespaces {
		problems = append(problems, d.permissionProblem(namespace, facts))
	}
	return problems
}

// namespacesOf returns the namespaces of needs without duplicates: the tenant's namespace, the
// cluster, other namespaces.
func (d *Requirements) namespacesOf(all []Need) []string {
	found := map[string]bool{}
	for _, need := range all {
		found[need.Namespace] = true
	}
	own := d.request.Tenant.Namespace
	ordered := slices.SortedFunc(maps.Keys(found), func(a, b string) int {
		if a == own || b == own {
			return cmp.Compare(boolToInt(a != own), boolToInt(b != own))
		}
		return strings.Compare(a, b)
	})
	return ordered[:min(len(ordered), maxRemedies)]
}

func boolToInt(is bool) int {
	if is {
		return 1
	}
	return 0
}

// permissionProblem returns the problem of missing permissions in a namespace or the cluster.
func (d *Requirements) permissionProblem(where string, facts *Facts) Problem {
	tenant := d.request.Tenant
	remedy := d.remedyManifest(where, facts)
	advice := "apply " + RemedyPlaceholder
	if remedy == "" {
		advice = "grant the permissions (the role is too large for a remedy)"
	}
	lacks := missingRightsText(where, facts.Missing)
	var problem Problem
	switch {
	case where == tenant.Namespace && facts.AccountMissing:
		problem = newTransientProblem(v1alpha1.ReasonServiceAccountNotFound,
			"service account %q not found in namespace %q; %s", tenant.ServiceAccount, where, advice)
	case where == tenant.Namespace && d.request.DefaultAccount:
		problem = newTransientProblem(v1alpha1.ReasonPermissionDenied,
			"spec.serviceAccountName is not set, and service account %q lacks %s that app %q requires; %s", tenant.ServiceAccount, lacks, d.request.App, advice)
	case where == tenant.Namespace:
		problem = newTransientProblem(v1alpha1.ReasonPermissionDenied,
			"service account %q lacks %s in namespace %q that app %q requires; %s", tenant.ServiceAccount, lacks, where, d.request.App, advice)
	case where == "":
		problem = newTransientProblem(v1alpha1.ReasonClusterPermissionRequired,
			"app %q has cluster-scoped objects (%s), for which service account %q lacks %s; a cluster administrator must %s",
			d.request.App, truncateText(joinNames(d.objectTitles(where, facts))), tenant.ServiceAccount, lacks, advice)
	default:
		problem = newTransientProblem(v1alpha1.ReasonClusterPermissionRequired,
			"app %q has objects in namespace %q (%s), for which service account %q lacks %s; an administrator of namespace %q must %s",
			d.request.App, where, truncateText(joinNames(d.objectTitles(where, facts))), tenant.ServiceAccount, lacks, where, advice)
	}
	problem.Remedy = remedy
	return problem
}

const (
	// maxPhrases is the maximum number of rules or errors that a message contains.
	maxPhrases = 2
	// maxRights is the maximum number of permissions that a message names if they have more than maxPhrases rules.
	maxRights = 3
)

// missingRightsText returns the number of missing permissions in a namespace, with the rules if there are
// at most maxPhrases, and otherwise with the first maxRights permissions.
func missingRightsText(where string, missing []Need) string {
	rights := map[permission]bool{}
	var rules []rbacv1.PolicyRule
	for _, need := range missing {
		if need.Namespace != where {
			continue
		}
		for _, rule := range need.Rules {
			rights[rightOf(rule)] = true
		}
		rules = append(rules, need.Rules...)
	}
	number := fmt.Sprintf("%d permissions", len(rights))
	if len(rights) == 1 {
		number = "1 permission"
	}
	var parts []string
	merged := mergeRules(rules)
	if len(merged) > maxPhrases {
		parts = firstRights(rules)
		return fmt.Sprintf("%s (%s and %d more)", number, truncateText(strings.Join(parts, ", ")), len(rights)-len(parts))
	}
	for _, rule := range merged {
		parts = append(parts, formatRule(rule))
	}
	return fmt.Sprintf("%s (%s)", number, truncateText(strings.Join(parts, "; ")))
}

// firstRights describes the first maxRights permissions of rules with one resource and one verb each. The permissions
// to create are the first ones, because they say the most about the app.
func firstRights(rules []rbacv1.PolicyRule) []string {
	sorted := slices.Clone(rules)
	slices.SortStableFunc(sorted, func(a, b rbacv1.PolicyRule) int {
		one, other := rightOf(a), rightOf(b)
		return cmp.Or(strings.Compare(one.verb, other.verb), strings.Compare(one.group, other.group),
			strings.Compare(one.resource, other.resource), strings.Compare(one.name, other.name))
	})
	var first []string
	for _, rule := range sorted {
		if described := formatRule(rule); !slices.Contains(first, described) {
			first = append(first, described)
		}
		if len(first) == maxRights {
			break
		}
	}
	return first
}

// objectTitles returns the titles of the objects in a namespace, without duplicates.
func (d *Requirements) objectTitles(where string, facts *Facts) []string {
	var titles []string
	for _, o := range d.allObjects() {
		if d.isOwnNamespace(o) || d.isEstablished(o, facts) {
			continue
		}
		if title := o.kindAndName(); d.objectNamespace(o, facts) == where && !slices.Contains(titles, title) {
			titles = append(titles, title)
		}
	}
	return titles
}

// formatRule describes a rule, such as "get, list secrets".
func formatRule(rule rbacv1.PolicyRule) string {
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
	phrase := verbs + " " + strings.Join(names, ", ")
	if len(rule.ResourceNames) > 0 {
		phrase += " (" + joinNames(rule.ResourceNames) + ")"
	}
	return phrase
}
