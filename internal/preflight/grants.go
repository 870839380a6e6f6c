package preflight

import (
	"cmp"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Grant is a role or a binding of the app.
type Grant struct {
	Kind string `json:"kind"`
	// Namespace is empty for a cluster-scoped object.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Rules are the rules of a role. IsAggregated reports whether it has the rules of other roles, too.
	Rules        []rbacv1.PolicyRule `json:"rules,omitempty"`
	IsAggregated bool                `json:"isAggregated,omitempty"`
	// RoleRef and Subjects are the role and the subjects of a binding.
	RoleRef  *rbacv1.RoleRef  `json:"roleRef,omitempty"`
	Subjects []rbacv1.Subject `json:"subjects,omitempty"`
}

// Grants returns the roles and the bindings of the app, sorted by kind, namespace and name.
func (d *Requirements) Grants(facts *Facts) (roles, bindings []Grant) {
	roles, bindings = []Grant{}, []Grant{}
	for _, g := range d.roles {
		grant := Grant{
			Kind: g.object.gvk.Kind, Namespace: d.objectNamespace(g.object, facts), Name: g.object.name,
			Rules: g.rules, IsAggregated: g.aggregated, RoleRef: g.ref, Subjects: g.subjects,
		}
		if g.ref == nil {
			roles = append(roles, grant)
		} else {
			bindings = append(bindings, grant)
		}
	}
	compare := func(a, b Grant) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	}
	slices.SortStableFunc(roles, compare)
	slices.SortStableFunc(bindings, compare)
	return roles, bindings
}

// RulesByNamespace returns the rules of Needs by namespace. The key of cluster-scoped rules is "". Resources of an API
// group with the same verbs share a rule.
func (d *Requirements) RulesByNamespace(facts *Facts) map[string][]rbacv1.PolicyRule {
	rules := map[string][]rbacv1.PolicyRule{}
	for _, need := range d.Needs(facts) {
		rules[need.Namespace] = append(rules[need.Namespace], need.Rules...)
	}
	for namespace, list := range rules {
		rules[namespace] = mergeRules(list)
	}
	return rules
}

// InvalidObjects returns the problems of objects that cannot be decoded. Their requirements are unknown.
func (d *Requirements) InvalidObjects() []Problem { return slices.Clone(d.invalidObjects) }

// OwnKinds returns the kinds of the CustomResourceDefinitions of the app.
func (d *Requirements) OwnKinds() []schema.GroupKind {
	var kinds []schema.GroupKind
	for i := range d.crds {
		kinds = append(kinds, d.crds[i].groupKind())
	}
	return kinds
}
