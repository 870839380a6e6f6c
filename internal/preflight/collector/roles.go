package collector

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
)

// readRoles returns the rules of roles. Missing roles are omitted.
func (c *Collector) readRoles(ctx context.Context, refs []preflight.RoleRef) (map[preflight.RoleRef][]rbacv1.PolicyRule, error) {
	refs = limitSlice(refs, maxRoles)
	rules := make([][]rbacv1.PolicyRule, len(refs))
	exists := make([]bool, len(refs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentRequests)
	for i, ref := range refs {
		group.Go(outcome.Guarded(func() error {
			found, err := c.readRole(ctx, ref)
			if apierrors.IsNotFound(err) {
				return nil
			}
			rules[i], exists[i] = found, err == nil
			return err
		}))
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read roles: %w", err)
	}
	known := map[preflight.RoleRef][]rbacv1.PolicyRule{}
	for i, ref := range refs {
		if exists[i] {
			known[ref] = rules[i]
		}
	}
	return known, nil
}

func (c *Collector) readRole(ctx context.Context, ref preflight.RoleRef) ([]rbacv1.PolicyRule, error) {
	if ref.Namespace == "" {
		role, err := c.operator.RbacV1().ClusterRoles().Get(ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return role.Rules, nil
	}
	role, err := c.operator.RbacV1().Roles(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return role.Rules, nil
}
