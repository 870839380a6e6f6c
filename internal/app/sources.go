package app

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
)

// opener opens the source that a MarketSource describes.
type sourceFactory struct {
	// secrets reads the Secrets that sources name, uncached.
	secrets client.Reader
	// options say what the sources of a namespace may do.
	options *options
	// userAgent is how requests introduce themselves.
	userAgent string
	// folders keep what was read of sources that are folders.
	folders *source.FolderCache
}

// open reads the Secrets that the source names and opens it. A Secret that is not
// there, or has not the keys it should, is stalled with SecretMissing.
func (o sourceFactory) openSource(ctx context.Context, from *v1alpha1.MarketSource) (source.Source, error) {
	cfg := source.Config{Include: from.Spec.Include, Exclude: from.Spec.Exclude, UserAgent: o.userAgent, Network: o.options.networkPolicy(from.Namespace)}
	if from.Spec.Versions != nil {
		cfg.Keep = int(from.Spec.Versions.Keep)
	}
	if from.Spec.Directory != nil {
		if err := o.options.marketNamespaces().CheckDirectory(from.Namespace); err != nil {
			return nil, outcome.Stalled(v1alpha1.ReasonNotMarket, err)
		}
		cfg.Directory = &source.DirectoryConfig{Path: from.Spec.Directory.Path, AllowedRoots: o.options.allowed.rootsFor(from.Namespace), Cache: o.folders}
	}
	if from.Spec.Helm != nil {
		helm, err := o.helmConfig(ctx, from)
		if err != nil {
			return nil, err
		}
		cfg.Helm = helm
	}
	return source.Open(cfg)
}

func (o sourceFactory) helmConfig(ctx context.Context, from *v1alpha1.MarketSource) (*source.HelmConfig, error) {
	cfg := &source.HelmConfig{URL: from.Spec.Helm.URL, Timeout: from.Spec.Timeout.Or(source.DefaultTimeout)}
	if ref := from.Spec.SecretRef; ref != nil {
		secret, err := o.getSecret(ctx, from.Namespace, ref.Name)
		if err != nil {
			return nil, err
		}
		if secret.Labels[v1alpha1.CredentialsLabel] != "true" {
			return nil, secretMissingError("secret %s has not the label %s=true, without which no source may send it; label it if it is for servers that sources of namespace %s name",
				ref.Name, v1alpha1.CredentialsLabel, from.Namespace)
		}
		cfg.Username, cfg.Password = string(secret.Data["username"]), string(secret.Data["password"])
		cfg.Token = string(secret.Data["token"])
		if cfg.Username == "" && cfg.Token == "" {
			return nil, secretMissingError("secret %s has neither the keys username and password nor the key token", ref.Name)
		}
	}
	if ref := from.Spec.CertSecretRef; ref != nil {
		secret, err := o.getSecret(ctx, from.Namespace, ref.Name)
		if err != nil {
			return nil, err
		}
		if cfg.CA = secret.Data["ca.crt"]; len(cfg.CA) == 0 {
			return nil, secretMissingError("secret %s has no key ca.crt", ref.Name)
		}
	}
	return cfg, nil
}

func (o sourceFactory) getSecret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := o.secrets.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, secretMissingError("there is no secret %s in namespace %s", name, namespace)
	case apierrors.IsForbidden(err):
		return nil, secretMissingError("the operator may not read secret %s in namespace %s; bind the role appmarket-market-secrets there", name, namespace)
	case err != nil:
		return nil, fmt.Errorf("get secret %s: %w", name, err)
	}
	return secret, nil
}

func secretMissingError(format string, args ...any) error {
	return outcome.Stalled(v1alpha1.ReasonSecretMissing, fmt.Errorf(format, args...))
}
