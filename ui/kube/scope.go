package kube

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// maxReviewedNamespaces is the number of namespaces that are reviewed for one user. A
	// user with rights in one of more namespaces must name it.
	maxReviewedNamespaces = 500
	// concurrentReviews is the number of reviews of one request at the same time.
	concurrentReviews = 10
	// namespacesAge is the time for which the list of namespaces is kept.
	namespacesAge = 60 * time.Second
	// reviewAge is the time for which the refusals in a scope are kept, for each namespace that was reviewed. With
	// maxReviewedNamespaces it is 50 seconds.
	reviewAge = 100 * time.Millisecond
	// maxScopes is the number of users and resources whose refusals are kept.
	maxScopes = 1000
)

// Scope is the set of namespaces in which a user may list a resource.
type Scope struct {
	// All means all namespaces of the cluster, also future ones. Namespaces is empty then.
	All        bool
	Namespaces []string
	// Cut reports that the cluster has too many namespaces to review each.
	Cut bool
}

// IsEmpty reports whether the user may list the resource nowhere.
func (s Scope) IsEmpty() bool { return !s.All && len(s.Namespaces) == 0 }

// Contains reports whether the scope includes a namespace.
func (s Scope) Contains(namespace string) bool {
	return s.All || slices.Contains(s.Namespaces, namespace)
}

// listed returns the namespaces to list, an empty one for all.
func (s Scope) listed() []string {
	if s.All {
		return []string{""}
	}
	return s.Namespaces
}

// Allows reports whether the user has a right on a resource of AppMarket. An invalid credential
// is an error for which apierrors.IsUnauthorized is true.
func (p *User) Allows(ctx context.Context, verb, resource, namespace, name string) (bool, error) {
	decision, err := p.cluster.reviews.Review(ctx, p.credential, access.Right{Verb: verb, Group: Group, Resource: resource, Namespace: namespace, Name: name})
	if err != nil {
		return false, err
	}
	if decision == access.Unauthenticated {
		return false, apierrors.NewUnauthorized("the credential is not accepted")
	}
	return decision == access.Allowed, nil
}

// RequireList returns an error for which apierrors.IsForbidden is true if the user may not list
// a resource in a namespace.
func (p *User) RequireList(ctx context.Context, resource, namespace string) error {
	allowed, err := p.Allows(ctx, "list", resource, namespace, "")
	if err == nil && !allowed {
		err = apierrors.NewForbidden(schema.GroupResource{Group: Group, Resource: resource}, "", nil)
	}
	return err
}

// ScopeFor returns where the user may list a resource.
func (p *User) ScopeFor(ctx context.Context, resource string) (Scope, error) {
	return p.ScopeWith(ctx, "list", resource)
}

// ScopeWith returns where the user has the right for a verb on a resource.
func (p *User) ScopeWith(ctx context.Context, verb, resource string) (Scope, error) {
	everywhere, err := p.Allows(ctx, verb, resource, "", "")
	if err != nil || everywhere {
		return Scope{All: everywhere}, err
	}
	candidates := p.cluster.apps.namespaces()
	if resource != Apps {
		if candidates, err = p.cluster.namespaces.fetchNames(ctx); err != nil {
			return Scope{}, err
		}
	}
	if len(candidates) > maxReviewedNamespaces {
		return Scope{Cut: true}, nil
	}
	refused, err := p.refusedNamespaces(ctx, verb, resource, candidates)
	if err != nil {
		return Scope{}, err
	}
	return p.reviewEach(ctx, verb, resource, slices.DeleteFunc(slices.Clone(candidates), refused.Has))
}

// refusedNamespaces returns the namespaces in which the user did not have a right at the last review of all. Each page
// needs a scope, so they are kept longer than single refusals: for refusedAge, and reviewAge for each namespace. Rights
// that the user has, and new namespaces, are reviewed as others.
func (p *User) refusedNamespaces(ctx context.Context, verb, resource string, candidates []string) (sets.Set[string], error) {
	key := string(p.credential.Key[:]) + verb + " " + resource
	return p.cluster.refused.findOrFetch(ctx, key, func(ctx context.Context) (sets.Set[string], time.Duration, error) {
		scope, err := p.reviewEach(ctx, verb, resource, candidates)
		return sets.New(candidates...).Delete(scope.Namespaces...), refusedAge + time.Duration(len(candidates))*reviewAge, err
	})
}

func (p *User) reviewEach(ctx context.Context, verb, resource string, candidates []string) (Scope, error) {
	allowed := make([]bool, len(candidates))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrentReviews)
	for i, namespace := range candidates {
		group.Go(outcome.Guarded(func() (err error) {
			allowed[i], err = p.Allows(ctx, verb, resource, namespace, "")
			return err
		}))
	}
	if err := group.Wait(); err != nil {
		return Scope{}, err
	}
	var scope Scope
	for i, namespace := range candidates {
		if allowed[i] {
			scope.Namespaces = append(scope.Namespaces, namespace)
		}
	}
	return scope, nil
}

// ListNamespaces returns the namespaces in which the user may list instances.
func (p *User) ListNamespaces(ctx context.Context) (Scope, error) {
	scope, err := p.ScopeFor(ctx, Instances)
	if err != nil || !scope.All {
		return scope, err
	}
	scope.Namespaces, err = p.cluster.namespaces.fetchNames(ctx)
	scope.Cut = len(scope.Namespaces) > maxReviewedNamespaces
	return scope, err
}

// namespaceList is the list of namespaces of the cluster, read with the account of the process.
type namespaceList struct {
	reader client.Reader
	known  *fetchCache[[]string]
}

// fetchNames returns the names of the namespaces, sorted. The slice is shared.
func (l *namespaceList) fetchNames(ctx context.Context) ([]string, error) {
	return l.known.findOrFetch(ctx, "", func(ctx context.Context) ([]string, time.Duration, error) {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		var found corev1.NamespaceList
		if err := l.reader.List(ctx, &found); err != nil {
			return nil, 0, fmt.Errorf("list namespaces: %w", err)
		}
		names := make([]string, 0, len(found.Items))
		for i := range found.Items {
			names = append(names, found.Items[i].Name)
		}
		slices.Sort(names)
		return names, namespacesAge, nil
	})
}
