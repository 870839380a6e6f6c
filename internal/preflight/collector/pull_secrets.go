package collector

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
)

// readPullSecrets reads image pull Secrets as the service account of the tenant. The result is nil for a Secret that
// does not exist, and contains no Secret that the account may not read.
func (c *Collector) readPullSecrets(ctx context.Context, tenant release.Tenant, names []string) (map[string]*preflight.PullSecret, error) {
	found := map[string]*preflight.PullSecret{}
	if len(names) == 0 {
		return found, nil
	}
	as, err := corev1client.NewForConfig(impersonation.Config(c.config, tenant))
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	for _, name := range names {
		secret, err := as.Secrets(tenant.Namespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsForbidden(err):
		case apierrors.IsNotFound(err):
			found[name] = nil
		case err != nil:
			return nil, fmt.Errorf("get image pull secret %s/%s: %w", tenant.Namespace, name, err)
		default:
			read := preflight.ToPullSecret(secret)
			found[name] = &read
		}
	}
	return found, nil
}
