package collector

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
)

// addPullSecrets reads the image pull Secrets of service accounts, and then the Secrets of these and of Pods, as the
// service account of the tenant.
func (c *Collector) addPullSecrets(ctx context.Context, tenant release.Tenant, requirements *preflight.Requirements, facts *preflight.Facts) error {
	as, err := corev1client.NewForConfig(impersonation.Config(c.config, tenant))
	if err != nil {
		return fmt.Errorf("create client: %w", err)
	}
	if facts.AccountPullSecrets, err = readAccounts(ctx, as.ServiceAccounts(tenant.Namespace), requirements.PullAccounts(facts)); err != nil {
		return fmt.Errorf("namespace %s: %w", tenant.Namespace, err)
	}
	if facts.PullSecrets, err = readPullSecrets(ctx, as.Secrets(tenant.Namespace), requirements.PullSecrets(facts)); err != nil {
		return fmt.Errorf("namespace %s: %w", tenant.Namespace, err)
	}
	return nil
}

// readAccounts returns the image pull Secrets of the service accounts that exist and that may be read.
func readAccounts(ctx context.Context, accounts corev1client.ServiceAccountInterface, names []string) (map[string][]corev1.LocalObjectReference, error) {
	found := map[string][]corev1.LocalObjectReference{}
	for _, name := range names {
		account, err := accounts.Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsForbidden(err), apierrors.IsNotFound(err):
		case err != nil:
			return nil, fmt.Errorf("get service account %s: %w", name, err)
		default:
			found[name] = account.ImagePullSecrets
		}
	}
	return found, nil
}

// readPullSecrets returns image pull Secrets. The result is nil for a Secret that does not exist, and contains no Secret
// that may not be read.
func readPullSecrets(ctx context.Context, secrets corev1client.SecretInterface, names []string) (map[string]*preflight.PullSecret, error) {
	found := map[string]*preflight.PullSecret{}
	for _, name := range names {
		secret, err := secrets.Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsForbidden(err):
		case apierrors.IsNotFound(err):
			found[name] = nil
		case err != nil:
			return nil, fmt.Errorf("get image pull secret %s: %w", name, err)
		default:
			read := preflight.ToPullSecret(secret)
			found[name] = &read
		}
	}
	return found, nil
}
