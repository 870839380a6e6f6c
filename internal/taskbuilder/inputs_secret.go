package taskbuilder

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
)

// The label that the Secrets with confidential inputs have.
const managedByLabel, managedBy = "app.kubernetes.io/managed-by", "appmarket"

// InputsSecretName returns the name of the Secret with the confidential inputs of an instance.
func InputsSecretName(instance string) string { return instance + "-inputs" }

// NewInputsSecret returns the Secret with confidential inputs of an instance, by the name of the
// input. Its field manager is the program that writes it.
func NewInputsSecret(namespace, instance string, texts map[string]string) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: InputsSecretName(instance),
			Labels: map[string]string{v1alpha1.InstanceLabel: instance, managedByLabel: managedBy},
		},
		Type:       corev1.SecretTypeOpaque,
		StringData: texts,
	}
}

// creators are the values of the label of a Secret of NewInputsSecret. Earlier versions of the web pages and of the
// kubectl plugin used their own names.
var creators = []string{managedBy, "appmarket-ui", "kubectl-market"}

// IsInputsSecret reports whether a Secret is the Secret of NewInputsSecret of an instance.
func IsInputsSecret(secret *corev1.Secret, instance string) bool {
	return secret.Name == InputsSecretName(instance) && secret.Labels[v1alpha1.InstanceLabel] == instance &&
		slices.Contains(creators, secret.Labels[managedByLabel])
}

// NewObjects returns the objects that are created for a task, as users see them before. hasConfidential specifies
// whether confidential inputs are written: their Secret has no data, so that applying it neither writes a placeholder
// nor replaces the content of a Secret that exists. The task refers to the missing keys.
func NewObjects(task *v1alpha1.AppInstallTask, hasConfidential bool) []runtime.Object {
	if !hasConfidential {
		return []runtime.Object{task}
	}
	return []runtime.Object{NewInputsSecret(task.Namespace, task.Instance(), nil), task}
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
