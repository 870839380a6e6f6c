package registry

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/dockerconfig"
)

// ReadCredentials returns the docker config in the Secret to which spec.registrySecretRef of a
// source refers. The label of the Secret proves that its owner allows sources to send it, because
// every user who can create a source in the namespace can refer to any Secret. Errors contain no
// credentials.
func ReadCredentials(ctx context.Context, secrets client.Reader, at types.NamespacedName) ([]byte, error) {
	const field = "spec.registrySecretRef"
	secret := &corev1.Secret{}
	err := secrets.Get(ctx, at, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("%s: Secret %q does not exist in namespace %q: create it", field, at.Name, at.Namespace)
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("%s: the operator is not allowed to read Secret %q in namespace %q: bind the ClusterRole appmarket-market-secrets to its service account there", field, at.Name, at.Namespace)
	case err != nil:
		return nil, fmt.Errorf("%s: get Secret %q: %w", field, at.Name, err)
	case secret.Labels[v1alpha1.CredentialsLabel] != "true":
		return nil, fmt.Errorf("%s: Secret %q does not have the label %s=true, so no source may send it: add the label if the Secret is for registries that sources of namespace %q name",
			field, at.Name, v1alpha1.CredentialsLabel, at.Namespace)
	}
	config, ok := secret.Data[corev1.DockerConfigJsonKey]
	if !ok {
		return nil, fmt.Errorf("%s: Secret %q has no key %q: use a Secret of type %s", field, at.Name, corev1.DockerConfigJsonKey, corev1.SecretTypeDockerConfigJson)
	}
	if _, err := dockerconfig.Parse(config); err != nil {
		return nil, fmt.Errorf("%s: key %q of Secret %q: %w", field, corev1.DockerConfigJsonKey, at.Name, err)
	}
	return config, nil
}
