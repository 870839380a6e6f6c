package preflight

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/component-helpers/auth/rbac/validation"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// maxRules is the maximum number of rules with one resource and one verb each, for the
// roles of an app and again for its bindings. A rule stands for the product of its lists.
const maxRules = 10_000

// roleGrant is a role or a binding of the app. The API server rejects roles and bindings that
// grant permissions that the requesting account does not have.
type roleGrant struct {
	object *object
	// rules contains the rules of a role. aggregated reports whether the role aggregates
	// the rules of other roles.
	rules      []rbacv1.PolicyRule
	aggregated bool
	// ref is the role of a binding, nil for a role, and subjects are the subjects of a binding.
	ref      *rbacv1.RoleRef
	subjects []rbacv1.Subject
}

func (d *Requirements) addGrant(o *object) error {
	g := roleGrant{object: o}
	switch o.gvk.Kind {
	case "Role":
		one, err := decodeObject[rbacv1.Role](o)
		if err != nil {
			return err
		}
		g.rules = one.Rules
	case "ClusterRole":
		one, err := decodeObject[rbacv1.ClusterRole](o)
		if err != nil {
			return err
		}
		g.rules, g.aggregated = one.Rules, one.AggregationRule != nil
	case "RoleBinding", "ClusterRoleBinding":
		// The types differ only in their scope.
		one, err := decodeObject[rbacv1.RoleBinding](o)
		if err != nil {
			return err
		}
		if one.RoleRef.Name == "" {
			return errors.New("roleRef.name: Required value")
		}
		g.ref, g.subjects = &one.RoleRef, one.Subjects
	default:
		return nil
	}
	if !d.granted.addRules(g.rules) {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded,
			fmt.Errorf("the roles of the app expand to more than %d rules with one resource and one verb", maxRules))
	}
	d.roles = append(d.roles, g)
	return nil
}

// Roles returns the roles that bindings of the app refer to and that the app does not
// contain, sorted and without duplicates. Their rules determine whether the tenant may
// create the binding.
func (d *Requirements) Roles(facts *Facts) []RoleRef {
	var all []RoleRef
	for _, g := range d.roles {
		if g.ref == nil {
			continue
		}
		ref := d.roleRefOf(g, facts)
		if _, own := d.ownRules(ref, facts); !own {
			all = append(all, ref)
		}
	}
	slices.SortFunc(all, func(a, b RoleRef) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return slices.Compact(all)
}

func (d *Requirements) roleRefOf(g roleGrant, facts *Facts) RoleRef {
	if g.ref.Kind == "Role" {
		return RoleRef{Namespace: d.objectNamespace(g.object, facts), Name: g.ref.Name}
	}
	return RoleRef{Name: g.ref.Name}
}

// ownRules returns the rules of a role of the app.
func (d *Requirements) ownRules(ref RoleRef, facts *Facts) ([]rbacv1.PolicyRule, bool) {
	for _, g := range d.roles {
		if g.ref == nil && g.object.name == ref.Name && d.objectNamespace(g.object, facts) == ref.Namespace {
			return g.rules, true
		}
	}
	return nil, false
}

// allRules contains the rules that are required to create an aggregated role.
var allRules = []rbacv1.PolicyRule{
	{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}},
	{NonResourceURLs: []string{"*"}, Verbs: []string{"*"}},
}

// grantNeeds returns the permissions that are required to create the roles and bindings of
// the app.
func (d *Requirements) grantNeeds(facts *Facts) []Need {
	var all []Need
	var bound ruleCount
	for _, g := range d.roles {
		namespace := d.objectNamespace(g.object, facts)
		if g.ref == nil {
			rules := g.rules
			if g.aggregated {
				rules = allRules
			}
			if len(rules) > 0 {
				all = append(all, Need{Namespace: namespace, Rules: splitRules(rules), Instead: []rbacv1.PolicyRule{newGrantRule(namespace, "escalate", "")}})
			}
			continue
		}
		ref := d.roleRefOf(g, facts)
		bind := newGrantRule(ref.Namespace, "bind", ref.Name)
		own, ours := d.ownRules(ref, facts)
		others, known := facts.Roles[ref]
		switch {
		// Beyond the limit no need is added: creating the role requires the same
		// permissions.
		case ours && len(own) > 0 && bound.addRules(own):
			all = append(all, Need{Namespace: namespace, Rules: splitRules(own), Instead: []rbacv1.PolicyRule{bind}})
		case !ours && (!known || len(others) > 0):
			need := Need{Namespace: namespace, Rules: []rbacv1.PolicyRule{bind}}
			if bound.addRules(others) {
				need.Instead = splitRules(others)
			}
			all = append(all, need)
		}
	}
	return all
}

// newGrantRule returns the permission to create roles with, or bindings to, permissions that
// the account does not have. A role that does not exist yet cannot be restricted by name.
func newGrantRule(namespace, verb, name string) rbacv1.PolicyRule {
	resource := "clusterroles"
	if namespace != "" {
		resource = "roles"
	}
	return permission{group: rbacv1.GroupName, resource: resource, name: name, verb: verb}.toRule()
}

// splitRules splits rules into rules of one resource and one verb each.
func splitRules(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	var all []rbacv1.PolicyRule
	for _, rule := range rules {
		all = append(all, validation.BreakdownRule(rule)...)
	}
	return all
}

// ruleCount counts rules of one resource and one verb each.
type ruleCount int

// addRules adds the number of split rules, and reports whether the total is within maxRules.
func (c *ruleCount) addRules(rules []rbacv1.PolicyRule) bool {
	sum := int(*c)
	for _, rule := range rules {
		sum += boundedProduct(len(rule.APIGroups), len(rule.Resources), len(rule.Verbs), max(1, len(rule.ResourceNames)))
		sum += boundedProduct(len(rule.NonResourceURLs), len(rule.Verbs))
		if sum > maxRules {
			return false
		}
	}
	*c = ruleCount(sum)
	return true
}

// boundedProduct returns the product of numbers, at most maxRules+1.
func boundedProduct(numbers ...int) int {
	all := 1
	for _, number := range numbers {
		all = min(all*min(number, maxRules+1), maxRules+1)
	}
	return all
}
