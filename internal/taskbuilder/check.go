package taskbuilder

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// NewCheck returns a dry run of the operation that a task requests. The API server generates the end
// of its name. An input that refers to a key of the Secret of NewInputsSecret for which isUnwritten
// returns true is left out, because a check writes no Secret.
func NewCheck(task *v1alpha1.AppInstallTask, isUnwritten func(key string) bool) *v1alpha1.AppInstallTask {
	check := NewRetry(task, "")
	check.ObjectMeta = metav1.ObjectMeta{Namespace: task.Namespace, GenerateName: TaskName("Check", task.Instance(), "")}
	isDryRun := true
	check.Spec.DryRun = &isDryRun
	if len(task.Spec.Parameters().Inputs) == 0 {
		return check
	}
	configuration := check.Spec.EnsureConfiguration()
	configuration.Inputs = slices.DeleteFunc(configuration.Inputs, func(input v1alpha1.InputValue) bool {
		return input.ValueFrom != nil && input.ValueFrom.SecretKeyRef != nil &&
			input.ValueFrom.SecretKeyRef.Name == InputsSecretName(task.Instance()) && isUnwritten(input.ValueFrom.SecretKeyRef.Key)
	})
	return check
}
