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

// maxRules bounds the rules of one resource and one verb each that the roles of an app
// come to, and again those that its bindings come to: the lists of a rule multiply.
const maxRules = 10_000

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
	if !d.granted.take(g.rules) {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded,
			fmt.Errorf("the roles of the app come to more than %d rules of one resource and one verb each", maxRules))
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
	var bound ruleCount
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
		// Beyond the bound nothing is asked: making the role takes the same rights.
		case ours && len(own) > 0 && bound.take(own):
			all = append(all, Need{Namespace: where, Rules: broken(own), Instead: []rbacv1.PolicyRule{bind}})
		case !ours && (!known || len(others) > 0):
			need := Need{Namespace: where, Rules: []rbacv1.PolicyRule{bind}}
			if bound.take(others) {
				need.Instead = broken(others)
			}
			all = append(all, need)
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

// ruleCount counts rules of one resource and one verb each.
type ruleCount int

// take adds what rules come to when they are broken, unless that is too many in all.
func (c *ruleCount) take(rules []rbacv1.PolicyRule) bool {
	sum := int(*c)
	for _, rule := range rules {
		sum += product(len(rule.APIGroups), len(rule.Resources), len(rule.Verbs), max(1, len(rule.ResourceNames)))
		sum += product(len(rule.NonResourceURLs), len(rule.Verbs))
		if sum > maxRules {
			return false
		}
	}
	*c = ruleCount(sum)
	return true
}

// product is that of numbers, or more than maxRules where it would be far too large.
func product(numbers ...int) int {
	all := 1
	for _, number := range numbers {
		all = min(all*min(number, maxRules+1), maxRules+1)
	}
	return all
}
