package preflight

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// remedyManifest returns, as YAML, a role with all permissions that the app needs in a namespace and
// its binding to the tenant's service account, and the account if it is missing. The role
// contains the permissions that the account already has, because the remedy may replace the
// role that grants them. It returns "" if the text exceeds MaxRemedy.
func (d *Requirements) remedyManifest(where string, facts *Facts) string {
	var rules []rbacv1.PolicyRule
	for _, need := range d.Needs(facts) {
		if need.Namespace == where && !containsNeed(facts.Replaced, need) {
			rules = append(rules, need.Rules...)
		}
	}
	tenant := d.request.Tenant
	role := roleManifest{kind: "Role", name: d.roleName(where), namespace: where}
	if where == "" {
		role.kind = "ClusterRole"
	} else {
		// A Role cannot contain non-resource URLs. The ClusterRole does.
		rules = slices.DeleteFunc(rules, func(r rbacv1.PolicyRule) bool { return len(r.NonResourceURLs) > 0 })
	}
	subject := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: tenant.ServiceAccount, Namespace: tenant.Namespace}
	text, err := role.toYAML(mergeRules(rules), subject)
	if facts.AccountMissing && where == tenant.Namespace {
		text = fmt.Sprintf("apiVersion: v1\nkind: ServiceAccount\nmetadata: {\"name\":%q,\"namespace\":%q}\n---\n", tenant.ServiceAccount, tenant.Namespace) + text
	}
	if err != nil || len(text) > MaxRemedy {
		return ""
	}
	return text
}

// roleName returns the name of the role for a namespace, an instance and a service account. The
// name of a role may contain colons and its parts may not, so that the names are unique.
func (d *Requirements) roleName(where string) string {
	parts := []string{"appmarket", d.request.Instance, d.request.Tenant.ServiceAccount}
	if where != d.request.Tenant.Namespace {
		parts = []string{"appmarket", d.request.Tenant.Namespace, d.request.Instance, d.request.Tenant.ServiceAccount}
	}
	return strings.Join(parts, ":")
}

// containsNeed reports whether a need is in a list.
func containsNeed(list []Need, need Need) bool {
	return slices.ContainsFunc(list, func(n Need) bool {
		return n.Namespace == need.Namespace && slices.EqualFunc(n.Rules, need.Rules, func(a, b rbacv1.PolicyRule) bool {
			return rightOf(a) == rightOf(b)
		})
	})
}

type roleManifest struct{ kind, name, namespace string }

// toYAML encodes the role and its binding, with one rule per line as JSON.
func (r roleManifest) toYAML(rules []rbacv1.PolicyRule, subject rbacv1.Subject) (string, error) {
	meta := map[string]string{"name": r.name}
	if r.namespace != "" {
		meta["namespace"] = r.namespace
	}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: r.kind, Name: r.name}
	values := []any{meta, meta, ref, subject}
	for _, rule := range rules {
		values = append(values, rule)
	}
	var lines []string
	for _, value := range values {
		line, err := json.Marshal(value)
		if err != nil {
			return "", fmt.Errorf("write %s %s: %w", r.kind, r.name, err)
		}
		lines = append(lines, string(line))
	}
	api := rbacv1.SchemeGroupVersion.String()
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: %s\nrules:\n- %s\n---\n", api, r.kind, lines[0], strings.Join(lines[4:], "\n- ")) +
		fmt.Sprintf("apiVersion: %s\nkind: %sBinding\nmetadata: %s\nroleRef: %s\nsubjects:\n- %s\n", api, r.kind, lines[1], lines[2], lines[3]), nil
}

// rightOf returns the right of a rule with one resource and one verb.
func rightOf(rule rbacv1.PolicyRule) permission {
	first := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return list[0]
	}
	if len(rule.NonResourceURLs) > 0 {
		return permission{resource: first(rule.NonResourceURLs), verb: first(rule.Verbs), group: nonResourceGroup}
	}
	return permission{group: first(rule.APIGroups), resource: first(rule.Resources), name: first(rule.ResourceNames), verb: first(rule.Verbs)}
}

// nonResourceGroup is the group of non-resource URLs. No API group has this name.
const nonResourceGroup = "\x00"

// separator joins names. Unlike a comma, it cannot occur in the name of a role.
const separator = "\n"

// mergeRules merges rules of one resource and one verb each: resources of a group with the
// same verbs share a rule.
func mergeRules(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	verbs := map[permission][]string{}
	for _, rule := range rules {
		atom := rightOf(rule)
		verb := atom.verb
		atom.verb = ""
		verbs[atom] = append(verbs[atom], verb)
	}
	names := map[permission][]string{}
	for atom, list := range verbs {
		slices.Sort(list)
		atom.verb = strings.Join(slices.Compact(list), separator)
		name := atom.name
		atom.name = ""
		// A right without a name must not be merged with rights for certain names.
		if name == "" {
			atom.namespace = "every name"
		}
		names[atom] = append(names[atom], name)
	}
	resources := map[permission][]string{}
	for atom, list := range names {
		slices.Sort(list)
		resource := atom.resource
		atom.resource, atom.name = "", strings.Join(list, separator)
		resources[atom] = append(resources[atom], resource)
	}
	var all []rbacv1.PolicyRule
	for atom, list := range resources {
		slices.Sort(list)
		all = append(all, mergedRule(atom, list))
	}
	slices.SortFunc(all, func(a, b rbacv1.PolicyRule) int {
		return cmp.Or(strings.Compare(joinGroups(a.APIGroups), joinGroups(b.APIGroups)), slices.Compare(a.Resources, b.Resources),
			slices.Compare(a.ResourceNames, b.ResourceNames), slices.Compare(a.Verbs, b.Verbs),
			slices.Compare(a.NonResourceURLs, b.NonResourceURLs))
	})
	return all
}

func joinGroups(groups []string) string { return strings.Join(groups, ",") }

func mergedRule(atom permission, resources []string) rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{Verbs: strings.Split(atom.verb, separator)}
	if atom.group == nonResourceGroup {
		rule.NonResourceURLs = resources
		return rule
	}
	rule.APIGroups, rule.Resources = []string{atom.group}, resources
	if atom.name != "" {
		rule.ResourceNames = strings.Split(atom.name, separator)
	}
	return rule
}
