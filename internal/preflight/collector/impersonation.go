package collector

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/internal/release"
)

// mayImpersonate reports whether the operator may impersonate the service account of the tenant.
// Every account may review its own access. If the API server forbids the review, the permission
// is assumed to exist.
func (c *Collector) mayImpersonate(ctx context.Context, tenant release.Tenant) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "impersonate", Resource: "serviceaccounts", Namespace: tenant.Namespace, Name: tenant.ServiceAccount,
		},
	}}
	answer, err := c.operator.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if apierrors.IsForbidden(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("review whether the operator may impersonate service account %s/%s: %w", tenant.Namespace, tenant.ServiceAccount, err)
	}
	return answer.Status.Allowed, nil
}
