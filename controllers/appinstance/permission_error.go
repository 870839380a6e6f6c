package appinstance

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// describePermissionError adds the remedy to a permission error. If the service account does not
// exist, the error states that instead, because the account then lacks every permission.
func describePermissionError(ctx context.Context, r *Reconciler, s *scope, err error) error {
	name := types.NamespacedName{Namespace: s.tenant.Namespace, Name: s.tenant.ServiceAccount}
	if apierrors.IsNotFound(r.Live.Get(ctx, name, &corev1.ServiceAccount{})) {
		return outcome.Failed(v1alpha1.ReasonServiceAccountNotFound, fmt.Errorf(
			"service account %q not found in namespace %q; create it with the permissions that the app requires, or set another spec.serviceAccountName",
			name.Name, name.Namespace))
	}
	const remedy = "; grant the permission to the service account, or set another spec.serviceAccountName"
	text := err.Error() + remedy
	if s.instance.Spec.ServiceAccountName == "" {
		text = fmt.Sprintf("spec.serviceAccountName is not set, and %s%s", err, remedy)
	}
	return outcome.Failed(outcome.Reason(err, ""), errors.New(text))
}
