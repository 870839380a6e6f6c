package collector

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
)

// maxQuotas bounds the quotas and limit ranges that are read in a namespace.
const maxQuotas = 100

// addTenant adds the state of the tenant's namespace, except permissions.
func (c *Collector) addTenant(ctx context.Context, tenant release.Tenant, facts *preflight.Facts) error {
	as, err := corev1client.NewForConfig(impersonation.Config(c.config, tenant))
	if err != nil {
		return fmt.Errorf("create client: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(outcome.Guarded(func() error {
		namespace, err := c.operator.CoreV1().Namespaces().Get(ctx, tenant.Namespace, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("get namespace %s: %w", tenant.Namespace, err)
		}
		facts.NamespaceLabels = namespace.Labels
		return nil
	}))
	group.Go(outcome.Guarded(func() error {
		quotas, err := as.ResourceQuotas(tenant.Namespace).List(ctx, metav1.ListOptions{Limit: maxQuotas})
		if apierrors.IsForbidden(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list resource quotas: %w", err)
		}
		facts.Quotas = toQuotas(quotas.Items)
		return nil
	}))
	group.Go(outcome.Guarded(func() error {
		limits, err := as.LimitRanges(tenant.Namespace).List(ctx, metav1.ListOptions{Limit: maxQuotas})
		if apierrors.IsForbidden(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list limit ranges: %w", err)
		}
		for _, one := range limits.Items {
			facts.Limits = append(facts.Limits, one.Spec.Limits...)
		}
		return nil
	}))
	return group.Wait()
}

// toQuotas converts quotas. A quota that the quota controller has not processed has no usage.
func toQuotas(items []corev1.ResourceQuota) []preflight.Quota {
	var quotas []preflight.Quota
	for _, one := range items {
		quotas = append(quotas, preflight.Quota{
			Name: one.Name, Scopes: one.Spec.Scopes, Scoped: one.Spec.ScopeSelector != nil, Hard: one.Spec.Hard, Used: one.Status.Used,
		})
	}
	return quotas
}
