package pages

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
)

// fillFrom fills the form with the parameters of an earlier task. Confidential values are not
// repeated.
func (v *installView) fillFrom(r *request, name string) error {
	task := &v1alpha1.AppInstallTask{}
	namespace := cmp.Or(r.URL.Query().Get("namespace"), v.Namespace)
	if err := r.Get(r.Context(), types.NamespacedName{Namespace: namespace, Name: name}, task); err != nil {
		return asProblem(r, err, "get", kube.Tasks, namespace)
	}
	if task.Spec.Install == nil && task.Spec.Action != v1alpha1.ActionInstall {
		return nil
	}
	p := task.Spec.Parameters()
	v.Namespace, v.Name, v.DisplayTitle, v.Account = task.Namespace, task.Instance(), p.Title, task.Spec.ServiceAccountName
	v.Dependencies = task.Spec.Dependencies == v1alpha1.DependenciesInstall
	if p.Values != nil {
		text, err := yaml.JSONToYAML(p.Values.Raw)
		if err != nil {
			return fmt.Errorf("read values of task %s: %w", name, err)
		}
		v.Values = string(text)
	}
	for _, field := range v.Inputs.all() {
		i := slices.IndexFunc(p.Inputs, func(value v1alpha1.InputValue) bool { return value.Name == field.Name })
		if i < 0 {
			continue
		}
		switch given := p.Inputs[i]; {
		case given.ValueFrom != nil && given.ValueFrom.SecretKeyRef != nil:
			field.SecretName, field.SecretKey = given.ValueFrom.SecretKeyRef.Name, given.ValueFrom.SecretKeyRef.Key
		case given.Value != nil && !field.Secret:
			field.Value = *given.Value
			v.Inputs.given[field.Name] = *given.Value
		}
	}
	return nil
}
