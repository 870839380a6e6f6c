package taskbuilder

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// ManagedByLabel is the label with the name of the program that wrote a Secret.
const ManagedByLabel = "app.kubernetes.io/managed-by"

// InputsSecretName returns the name of the Secret with the confidential inputs of an instance.
func InputsSecretName(instance string) string { return instance + "-inputs" }

// NewInputsSecret returns the Secret with confidential inputs of an instance, by the name of the
// input. writer is the name of the program that writes it. Without texts, the Secret has no data: it
// is the form that is shown to users.
func NewInputsSecret(namespace, instance, writer string, texts map[string]string) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: InputsSecretName(instance),
			Labels: map[string]string{v1alpha1.InstanceLabel: instance, ManagedByLabel: writer},
		},
		Type:       corev1.SecretTypeOpaque,
		StringData: texts,
	}
}

// writers are the programs that write the Secret of NewInputsSecret: the web pages and the kubectl plugin.
var writers = []string{"appmarket-ui", "kubectl-market"}

// IsInputsSecret reports whether a Secret is the Secret of NewInputsSecret of an instance.
func IsInputsSecret(secret *corev1.Secret, instance string) bool {
	return secret.Name == InputsSecretName(instance) && secret.Labels[v1alpha1.InstanceLabel] == instance &&
		slices.Contains(writers, secret.Labels[ManagedByLabel])
}

// SecretInput returns an input that is read from a key of a Secret.
func SecretInput(name, secret, key string) v1alpha1.InputValue {
	return v1alpha1.InputValue{Name: name, ValueFrom: &v1alpha1.InputValueSource{
		SecretKeyRef: &v1alpha1.KeyReference{Name: secret, Key: key},
	}}
}

// SecretInputs returns inputs that are read from the Secret of NewInputsSecret, sorted by name.
func SecretInputs(instance string, texts map[string]string) []v1alpha1.InputValue {
	var inputs []v1alpha1.InputValue
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		inputs = append(inputs, SecretInput(name, InputsSecretName(instance), name))
	}
	return inputs
}
