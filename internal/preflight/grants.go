package preflight

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/component-helpers/auth/rbac/validation"
)

// grant is a role or a binding that the app brings. The API server lets nobody grant
// rights that they do not have.
type grant struct {
	object *object
	// rules are those of a role, aggregated says that it takes in rules of others.
	rules      []rbacv1.PolicyRule
	aggregated bool
	// ref is what a binding binds to.
	ref *rbacv1.RoleRef
}

func (d *Demand) takeGrant(o *object) error {
	g := grant{object: o}
	switch o.gvk.Kind {
	case "Role":
		one, err := decode[rbacv1.Role](o)
		if err != nil {
			return err
		}
		g.rules = one.Rules
	case "ClusterRole":
		one, err := decode[rbacv1.ClusterRole](o)
		if err != nil {
			return err
		}
		g.rules, g.aggregated = one.Rules, one.AggregationRule != nil
	case "RoleBinding", "ClusterRoleBinding":
		// The two are alike, but for where they are.
		one, err := decode[rbacv1.RoleBinding](o)
		if err != nil {
			return err
		}
		if one.RoleRef.Name == "" {
			return errors.New("roleRef has no name")
		}
		g.ref = &one.RoleRef
	default:
		return nil
	}
	d.roles = append(d.roles, g)
	return nil
}

// Roles are those that the app binds to and does not bring, sorted, each once. Their
// rules decide on whether the tenant may do so.
func (d *Demand) Roles(facts *Facts) []RoleRef {
	var all []RoleRef
	for _, g := range d.roles {
		if g.ref == nil {
			continue
		}
		ref := d.refOf(g, facts)
		if _, own := d.ownRules(ref, facts); !own {
			all = append(all, ref)
		}
	}
	slices.SortFunc(all, func(a, b RoleRef) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return slices.Compact(all)
}

func (d *Demand) refOf(g grant, facts *Facts) RoleRef {
	if g.ref.Kind == "Role" {
		return RoleRef{Namespace: d.place(g.object, facts), Name: g.ref.Name}
	}
	return RoleRef{Name: g.ref.Name}
}

// ownRules are those of a role that the app brings.
func (d *Demand) ownRules(ref RoleRef, facts *Facts) ([]rbacv1.PolicyRule, bool) {
	for _, g := range d.roles {
		if g.ref == nil && g.object.name == ref.Name && d.place(g.object, facts) == ref.Namespace {
			return g.rules, true
		}
	}
	return nil, false
}

// everything is what one must be allowed to make a role that takes in others.
var everything = []rbacv1.PolicyRule{
	{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}},
	{NonResourceURLs: []string{"*"}, Verbs: []string{"*"}},
}

// grantNeeds are what it takes to make the app's roles and bindings.
func (d *Demand) grantNeeds(facts *Facts) []Need {
	var all []Need
	for _, g := range d.roles {
		where := d.place(g.object, facts)
		if g.ref == nil {
			rules := g.rules
			if g.aggregated {
				rules = everything
			}
			if len(rules) > 0 {
				all = append(all, Need{Namespace: where, Rules: broken(rules), Instead: []rbacv1.PolicyRule{grantRight(where, "escalate", "")}})
			}
			continue
		}
		ref := d.refOf(g, facts)
		bind := grantRight(ref.Namespace, "bind", ref.Name)
		own, ours := d.ownRules(ref, facts)
		others, known := facts.Roles[ref]
		switch {
		case ours && len(own) > 0:
			all = append(all, Need{Namespace: where, Rules: broken(own), Instead: []rbacv1.PolicyRule{bind}})
		case !ours && (!known || len(others) > 0):
			all = append(all, Need{Namespace: where, Rules: []rbacv1.PolicyRule{bind}, Instead: broken(others)})
		}
	}
	return all
}

// grantRight is the right to make, or to bind to, roles whose rights one does not have.
// A role that does not exist yet has no name that a rule could speak of.
func grantRight(namespace, verb, name string) rbacv1.PolicyRule {
	resource := "clusterroles"
	if namespace != "" {
		resource = "roles"
	}
	return right{group: rbacv1.GroupName, resource: resource, name: name, verb: verb}.rule()
}

// broken are rules of one resource and one verb each.
func broken(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	var all []rbacv1.PolicyRule
	for _, rule := range rules {
		all = append(all, validation.BreakdownRule(rule)...)
	}
	return all
}
