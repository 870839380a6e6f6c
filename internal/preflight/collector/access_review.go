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

// maxQueries bounds the access reviews for one app. Further permissions are assumed to exist.
const maxQueries = 2000

// maxNamespaces bounds the namespaces whose rules are reviewed.
const maxNamespaces = 100

// Rights compares required permissions with the permissions of the service account of a tenant.
// Both result lists have the order of needs. It reviews the rules of the account in each
// namespace first, and then each permission that the rules do not decide, because authorizers
// other than RBAC and cluster-wide rules are not part of the rules. If the API server forbids
// access reviews, all permissions are assumed to exist.
func (c *Collector) Rights(ctx context.Context, tenant release.Tenant, needs []preflight.Need) (found preflight.Rights, err error) {
	as, err := authorizationclient.NewForConfig(impersonation.Config(c.config, tenant))
	if err != nil {
		return found, fmt.Errorf("create client: %w", err)
	}
	a := &accessReviewer{as: as, rules: map[string]accountRules{}, answers: map[accessQuery]bool{}}
	if err := a.reviewRules(ctx, needs); err != nil {
		return found, fmt.Errorf("review the rules of service account %q: %w", tenant.ServiceAccount, err)
	}
	if err := a.reviewPermissions(ctx, needs, func(n preflight.Need) []rbacv1.PolicyRule { return n.Rules }); err != nil {
		return found, fmt.Errorf("review the permissions of service account %q: %w", tenant.ServiceAccount, err)
	}
	var lacking []preflight.Need
	for _, need := range needs {
		if !a.hasPermissions(need.Namespace, need.Rules) {
			lacking = append(lacking, need)
		}
	}
	if err := a.reviewPermissions(ctx, lacking, func(n preflight.Need) []rbacv1.PolicyRule { return n.Instead }); err != nil {
		return found, fmt.Errorf("review the permissions of service account %q: %w", tenant.ServiceAccount, err)
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

// accountRules are the rules of an account in a namespace.
type accountRules struct {
	known []rbacv1.PolicyRule
	// complete reports that there are no other rules.
	complete bool
}

// accessQuery identifies one permission on a resource or on a non-resource URL.
type accessQuery struct{ namespace, group, resource, name, verb, nonResourceURL string }

// accessReviewer reviews the permissions of one account, each permission once.
type accessReviewer struct {
	as    authorizationclient.AuthorizationV1Interface
	rules map[string]accountRules

	mu      sync.Mutex
	answers map[accessQuery]bool
}

// reviewRules reviews the rules of each namespace of needs.
func (a *accessReviewer) reviewRules(ctx context.Context, needs []preflight.Need) error {
	namespaces := map[string]bool{}
	for _, need := range needs {
		if need.Namespace != "" {
			namespaces[need.Namespace] = true
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentRequests)
	for _, namespace := range limitSlice(slices.Sorted(maps.Keys(namespaces)), maxNamespaces) {
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

// toAccountRules converts the result of a rules review.
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

// reviewPermissions reviews each permission of needs that the rules do not decide.
func (a *accessReviewer) reviewPermissions(ctx context.Context, needs []preflight.Need, rights func(preflight.Need) []rbacv1.PolicyRule) error {
	var questions []accessQuery
	for _, need := range needs {
		for _, rule := range rights(need) {
			q := queryFor(need.Namespace, rule)
			if _, isKnown := a.answers[q]; isKnown {
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

// decidedByRules reports whether the rules of a namespace decide on a permission, and whether
// it is granted.
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

// hasPermissions reports whether all rules are granted in a namespace. It returns false for an
// empty list.
func (a *accessReviewer) hasPermissions(namespace string, rules []rbacv1.PolicyRule) bool {
	return len(rules) > 0 && !slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
		return !a.answers[queryFor(namespace, rule)]
	})
}

// queryFor returns the query for a rule with one resource and one verb.
func queryFor(namespace string, rule rbacv1.PolicyRule) accessQuery {
	q := accessQuery{namespace: namespace, verb: firstOrEmpty(rule.Verbs), nonResourceURL: firstOrEmpty(rule.NonResourceURLs)}
	if q.nonResourceURL != "" {
		q.namespace = ""
		return q
	}
	q.group, q.resource, q.name = firstOrEmpty(rule.APIGroups), firstOrEmpty(rule.Resources), firstOrEmpty(rule.ResourceNames)
	return q
}

// limitSlice returns at most the first elements of a list.
func limitSlice[T any](list []T, most int) []T { return list[:min(len(list), most)] }

// firstOrEmpty returns the first element, empty if there is none.
func firstOrEmpty(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
