package collector

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/component-helpers/auth/rbac/validation"

	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
)

// maxQuestions bounds the single rights that are asked about for one app. What is
// beyond is taken for granted, and left to the installation to find out.
const maxQuestions = 2000

// maxNamespaces bounds the namespaces in which all rules are asked for at once.
const maxNamespaces = 100

// Rights compares needs with what the tenant's service account may do; both lists are
// in the order of the needs. The API server is asked for all rules of the account in a namespace
// first, and then about each right that this does not settle: authorizers other than
// RBAC name no rules, and rules of the whole cluster are not told. A cluster that lets
// nobody ask is taken to allow everything.
func (c *Cluster) Rights(ctx context.Context, of release.Tenant, needs []preflight.Need) (found preflight.Rights, err error) {
	as, err := authorizationclient.NewForConfig(impersonation.Config(c.config, of))
	if err != nil {
		return found, fmt.Errorf("make client: %w", err)
	}
	a := &asker{as: as, rules: map[string]rules{}, answers: map[question]bool{}}
	if err := a.askRules(ctx, needs); err != nil {
		return found, fmt.Errorf("ask for rules of service account %s: %w", of.ServiceAccount, err)
	}
	if err := a.ask(ctx, needs, func(n preflight.Need) []rbacv1.PolicyRule { return n.Rules }); err != nil {
		return found, fmt.Errorf("ask for rights of service account %s: %w", of.ServiceAccount, err)
	}
	var lacking []preflight.Need
	for _, need := range needs {
		if !a.holds(need.Namespace, need.Rules) {
			lacking = append(lacking, need)
		}
	}
	if err := a.ask(ctx, lacking, func(n preflight.Need) []rbacv1.PolicyRule { return n.Instead }); err != nil {
		return found, fmt.Errorf("ask for rights of service account %s: %w", of.ServiceAccount, err)
	}
	for _, need := range lacking {
		if a.holds(need.Namespace, need.Instead) {
			found.Replaced = append(found.Replaced, need)
		} else {
			found.Missing = append(found.Missing, need)
		}
	}
	return found, nil
}

// rules are those of an account in a namespace.
type rules struct {
	known []rbacv1.PolicyRule
	// complete says that there are no others.
	complete bool
}

// question is about one right; address is set for one that is no resource's.
type question struct{ namespace, group, resource, name, verb, address string }

// asker asks about the rights of one account, each once.
type asker struct {
	as    authorizationclient.AuthorizationV1Interface
	rules map[string]rules

	mu      sync.Mutex
	answers map[question]bool
}

// askRules asks for the rules of each namespace concerned.
func (a *asker) askRules(ctx context.Context, needs []preflight.Need) error {
	places := map[string]bool{}
	for _, need := range needs {
		if need.Namespace != "" {
			places[need.Namespace] = true
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for _, namespace := range first(slices.Sorted(maps.Keys(places)), maxNamespaces) {
		group.Go(outcome.Guarded(func() error {
			review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
			answer, err := a.as.SelfSubjectRulesReviews().Create(ctx, review, metav1.CreateOptions{})
			if apierrors.IsForbidden(err) {
				return nil
			}
			if err != nil {
				return err
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			a.rules[namespace] = rulesOf(&answer.Status)
			return nil
		}))
	}
	return group.Wait()
}

func rulesOf(status *authorizationv1.SubjectRulesReviewStatus) rules {
	r := rules{complete: !status.Incomplete && status.EvaluationError == ""}
	for _, rule := range status.ResourceRules {
		r.known = append(r.known, rbacv1.PolicyRule{
			Verbs: rule.Verbs, APIGroups: rule.APIGroups, Resources: rule.Resources, ResourceNames: rule.ResourceNames,
		})
	}
	for _, rule := range status.NonResourceRules {
		r.known = append(r.known, rbacv1.PolicyRule{Verbs: rule.Verbs, NonResourceURLs: rule.NonResourceURLs})
	}
	return r
}

// ask asks about every right of needs that the rules do not settle.
func (a *asker) ask(ctx context.Context, needs []preflight.Need, rights func(preflight.Need) []rbacv1.PolicyRule) error {
	var questions []question
	for _, need := range needs {
		for _, rule := range rights(need) {
			q := questionOf(need.Namespace, rule)
			if _, asked := a.answers[q]; asked {
				continue
			}
			settled, held := a.settled(need.Namespace, rule)
			a.answers[q] = held || !settled
			if !settled && len(questions) < maxQuestions {
				questions = append(questions, q)
			}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for _, q := range questions {
		group.Go(outcome.Guarded(func() error {
			held, err := a.allowed(ctx, q)
			if err != nil {
				return err
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			a.answers[q] = held
			return nil
		}))
	}
	return group.Wait()
}

// settled says whether the rules of a namespace decide on a right, and how.
func (a *asker) settled(namespace string, rule rbacv1.PolicyRule) (settled, held bool) {
	known, ok := a.rules[namespace]
	if !ok {
		return false, false
	}
	held, _ = validation.Covers(known.known, []rbacv1.PolicyRule{rule})
	return held || known.complete, held
}

func (a *asker) allowed(ctx context.Context, q question) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{}
	if q.address != "" {
		review.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: q.address, Verb: q.verb}
	} else {
		resource, sub, _ := strings.Cut(q.resource, "/")
		review.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
			Namespace: q.namespace, Verb: q.verb, Group: q.group, Resource: resource, Subresource: sub, Name: q.name,
		}
	}
	answer, err := a.as.SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if apierrors.IsForbidden(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return answer.Status.Allowed, nil
}

// holds reports whether all of the rules are allowed in a namespace. It is false for
// none.
func (a *asker) holds(namespace string, rules []rbacv1.PolicyRule) bool {
	return len(rules) > 0 && !slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
		return !a.answers[questionOf(namespace, rule)]
	})
}

// questionOf is the question about a rule of one resource and one verb.
func questionOf(namespace string, rule rbacv1.PolicyRule) question {
	q := question{namespace: namespace, verb: only(rule.Verbs), address: only(rule.NonResourceURLs)}
	if q.address != "" {
		q.namespace = ""
		return q
	}
	q.group, q.resource, q.name = only(rule.APIGroups), only(rule.Resources), only(rule.ResourceNames)
	return q
}

func first[T any](list []T, most int) []T { return list[:min(len(list), most)] }

func only(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
