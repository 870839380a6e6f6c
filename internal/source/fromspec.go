package source

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

// Options holds the settings of a source that the operator determines, and not its
// spec.
type Options struct {
	// UserAgent is the User-Agent header of requests.
	UserAgent string
	// Network determines the addresses to which connections are made.
	Network netguard.Policy
	// AllowedRoots are the folders in which a source of type Directory may lie.
	AllowedRoots []string
	// Cache caches the charts of sources of type Directory. Optional.
	Cache *FolderCache
}

// FromSpec opens the source that a MarketSource specifies. It reads the Secrets that
// the spec refers to in the namespace of the MarketSource. A Secret or key that does
// not exist is stalled with ReferenceNotFound, and an invalid spec with InvalidSpec.
func FromSpec(ctx context.Context, secrets client.Reader, ms *v1alpha1.MarketSource, options Options) (Source, error) {
	cfg := Config{UserAgent: options.UserAgent, Network: options.Network}
	if filter := ms.Spec.Filter; filter != nil {
		cfg.Include, cfg.Exclude, cfg.MaxVersions = filter.Include, filter.Exclude, int(filter.MaxVersions)
	}
	if ms.Spec.Directory != nil {
		cfg.Directory = &DirectoryConfig{Path: ms.Spec.Directory.Path, AllowedRoots: options.AllowedRoots, Cache: options.Cache}
	}
	if ms.Spec.Helm != nil {
		helm, err := helmConfig(ctx, secrets, ms)
		if err != nil {
			return nil, err
		}
		cfg.Helm = helm
	}
	return Open(cfg)
}

func helmConfig(ctx context.Context, secrets client.Reader, ms *v1alpha1.MarketSource) (*HelmConfig, error) {
	cfg := &HelmConfig{URL: ms.Spec.Helm.URL, Timeout: ms.Spec.Timeout.Or(DefaultTimeout)}
	if ref := ms.Spec.Helm.SecretRef; ref != nil {
		secret, err := getSecret(ctx, secrets, "spec.helm.secretRef", ms.Namespace, ref.Name)
		if err != nil {
			return nil, err
		}
		if err := setCredentials(cfg, secret); err != nil {
			return nil, err
		}
	}
	if ref := ms.Spec.Helm.CertSecretRef; ref != nil {
		secret, err := getSecret(ctx, secrets, "spec.helm.certSecretRef", ms.Namespace, ref.Name)
		if err != nil {
			return nil, err
		}
		if cfg.CA = secret.Data["ca.crt"]; len(cfg.CA) == 0 {
			return nil, secretError("spec.helm.certSecretRef: Secret %q has no key %q: add it", ref.Name, "ca.crt")
		}
	}
	return cfg, nil
}

// setCredentials sets the credentials from a Secret. The label of the Secret proves
// that its owner allows sources to send it, because everybody who may create a source
// in the namespace can refer to any Secret.
func setCredentials(cfg *HelmConfig, secret *corev1.Secret) error {
	if secret.Labels[v1alpha1.CredentialsLabel] != "true" {
		return secretError("spec.helm.secretRef: Secret %q does not have the label %s=true, so no source may send it: add the label if the Secret is for servers that sources of namespace %q name",
			secret.Name, v1alpha1.CredentialsLabel, secret.Namespace)
	}
	cfg.Username, cfg.Password = string(secret.Data["username"]), string(secret.Data["password"])
	cfg.Token = string(secret.Data["token"])
	if cfg.Username == "" && cfg.Token == "" {
		return secretError("spec.helm.secretRef: Secret %q has no credentials: add the keys username and password, or the key token", secret.Name)
	}
	return nil
}

// getSecret returns the Secret that a field of a spec refers to.
func getSecret(ctx context.Context, secrets client.Reader, field, namespace, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := secrets.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, secretError("%s: Secret %q does not exist in namespace %q: create it", field, name, namespace)
	case apierrors.IsForbidden(err):
		return nil, secretError("%s: the operator is not allowed to read Secret %q in namespace %q: bind the ClusterRole appmarket-market-secrets to its service account there", field, name, namespace)
	case err != nil:
		return nil, fmt.Errorf("%s: get Secret %q: %w", field, name, err)
	}
	return secret, nil
}

func secretError(format string, args ...any) error {
	return outcome.Stalled(v1alpha1.ReasonReferenceNotFound, fmt.Errorf(format, args...))
}
