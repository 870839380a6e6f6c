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
const maxQueries = 2000

// maxNamespaces bounds the namespaces in which all rules are asked for at once.
const maxNamespaces = 100

// Rights compares needs with what the tenant's service account may do; both lists are
// in the order of the needs. The API server is asked for all rules of the account in a namespace
// first, and then about each right that this does not settle: authorizers other than
// RBAC name no rules, and rules of the whole cluster are not told. A cluster that lets
// nobody ask is taken to allow everything.
func (c *Collector) Rights(ctx context.Context, of release.Tenant, needs []preflight.Need) (found preflight.Rights, err error) {
	as, err := authorizationclient.NewForConfig(impersonation.Config(c.config, of))
	if err != nil {
		return found, fmt.Errorf("make client: %w", err)
	}
	a := &accessReviewer{as: as, rules: map[string]accountRules{}, answers: map[accessQuery]bool{}}
	if err := a.reviewRules(ctx, needs); err != nil {
		return found, fmt.Errorf("ask for rules of service account %s: %w", of.ServiceAccount, err)
	}
	if err := a.reviewPermissions(ctx, needs, func(n preflight.Need) []rbacv1.PolicyRule { return n.Rules }); err != nil {
		return found, fmt.Errorf("ask for rights of service account %s: %w", of.ServiceAccount, err)
	}
	var lacking []preflight.Need
	for _, need := range needs {
		if !a.hasPermissions(need.Namespace, need.Rules) {
			lacking = append(lacking, need)
		}
	}
	if err := a.reviewPermissions(ctx, lacking, func(n preflight.Need) []rbacv1.PolicyRule { return n.Instead }); err != nil {
		return found, fmt.Errorf("ask for rights of service account %s: %w", of.ServiceAccount, err)
	}
	for _, need := range lacking {
		if a.hasPermissions(need.Namespace, need.Instead) {
			found.Replaced = append(found.Replaced, need)
		} else {
			found.Missing = append(found.Missing, need)
		}
	}
	return found, nil
}

// rules are those of an account in a namespace.
type accountRules struct {
	known []rbacv1.PolicyRule
	// complete says that there are no others.
	complete bool
}

// question is about one right; address is set for one that is no resource's.
type accessQuery struct{ namespace, group, resource, name, verb, nonResourceURL string }

// asker asks about the rights of one account, each once.
type accessReviewer struct {
	as    authorizationclient.AuthorizationV1Interface
	rules map[string]accountRules

	mu      sync.Mutex
	answers map[accessQuery]bool
}

// askRules asks for the rules of each namespace concerned.
func (a *accessReviewer) reviewRules(ctx context.Context, needs []preflight.Need) error {
	places := map[string]bool{}
	for _, need := range needs {
		if need.Namespace != "" {
			places[need.Namespace] = true
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentRequests)
	for _, namespace := range limitSlice(slices.Sorted(maps.Keys(places)), maxNamespaces) {
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
			a.rules[namespace] = toAccountRules(&answer.Status)
			return nil
		}))
	}
	return group.Wait()
}

func toAccountRules(status *authorizationv1.SubjectRulesReviewStatus) accountRules {
	r := accountRules{complete: !status.Incomplete && status.EvaluationError == ""}
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
func (a *accessReviewer) reviewPermissions(ctx context.Context, needs []preflight.Need, rights func(preflight.Need) []rbacv1.PolicyRule) error {
	var questions []accessQuery
	for _, need := range needs {
		for _, rule := range rights(need) {
			q := queryFor(need.Namespace, rule)
			if _, asked := a.answers[q]; asked {
				continue
			}
			settled, held := a.decidedByRules(need.Namespace, rule)
			a.answers[q] = held || !settled
			if !settled && len(questions) < maxQueries {
				questions = append(questions, q)
			}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentRequests)
	for _, q := range questions {
		group.Go(outcome.Guarded(func() error {
			held, err := a.reviewPermission(ctx, q)
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
func (a *accessReviewer) decidedByRules(namespace string, rule rbacv1.PolicyRule) (settled, held bool) {
	known, ok := a.rules[namespace]
	if !ok {
		return false, false
	}
	held, _ = validation.Covers(known.known, []rbacv1.PolicyRule{rule})
	return held || known.complete, held
}

func (a *accessReviewer) reviewPermission(ctx context.Context, q accessQuery) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{}
	if q.nonResourceURL != "" {
		review.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: q.nonResourceURL, Verb: q.verb}
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
func (a *accessReviewer) hasPermissions(namespace string, rules []rbacv1.PolicyRule) bool {
	return len(rules) > 0 && !slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
		return !a.answers[queryFor(namespace, rule)]
	})
}

// questionOf is the question about a rule of one resource and one verb.
func queryFor(namespace string, rule rbacv1.PolicyRule) accessQuery {
	q := accessQuery{namespace: namespace, verb: firstOrEmpty(rule.Verbs), nonResourceURL: firstOrEmpty(rule.NonResourceURLs)}
	if q.nonResourceURL != "" {
		q.namespace = ""
		return q
	}
	q.group, q.resource, q.name = firstOrEmpty(rule.APIGroups), firstOrEmpty(rule.Resources), firstOrEmpty(rule.ResourceNames)
	return q
}

func limitSlice[T any](list []T, most int) []T { return list[:min(len(list), most)] }

func firstOrEmpty(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
