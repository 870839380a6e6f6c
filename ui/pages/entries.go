package pages

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
)

// fillForm has a form begin with the entries of an earlier task, if the query of the form names one. It
// returns the task, nil if the query names none, or a task that another form has created. Confidential
// values are not part of a task, and are not repeated.
func fillForm(r *request, isCreator func(*v1alpha1.AppInstallTask) bool) (*v1alpha1.AppInstallTask, error) {
	name := r.URL.Query().Get("from")
	if name == "" {
		return nil, nil
	}
	task := &v1alpha1.AppInstallTask{}
	namespace := cmp.Or(namespaceOf(r), r.PathValue("namespace"))
	if err := r.Get(r.Context(), types.NamespacedName{Namespace: namespace, Name: name}, task); err != nil {
		return nil, asProblem(r, err, "get", kube.Tasks, namespace)
	}
	if !isCreator(task) {
		return nil, nil
	}
	entries, err := entriesOf(task)
	if err != nil {
		return nil, err
	}
	r.PostForm, r.Form = entries, maps.Clone(entries)
	for field, values := range r.URL.Query() {
		r.Form[field] = append(r.Form[field], values...)
	}
	return task, nil
}

// hasEntries reports whether a form has entries: from a user, or of an earlier task.
func hasEntries(r *request) bool { return r.Method != http.MethodGet || len(r.PostForm) > 0 }

// entriesOf returns the entries of the form that creates a task with the spec of a task.
func entriesOf(task *v1alpha1.AppInstallTask) (url.Values, error) {
	spec, entries := &task.Spec, url.Values{}
	set := func(field, value string) {
		if value != "" {
			entries.Set(field, value)
		}
	}
	parameters := spec.Parameters()
	set("to", task.Namespace)
	set("name", task.Instance())
	set("account", spec.ServiceAccountName)
	set("title", parameters.Title)
	set("version", parameters.Version)
	set("choice", parameters.Version)
	if revision := spec.RollbackRevision(); revision != 0 {
		set("choice", strconv.Itoa(int(revision)))
	}
	addAfterEntries(set, spec)
	if spec.UninstallsDependents() {
		set("dependents", "yes")
	}
	if spec.RequestedDataPolicy() == v1alpha1.DataDelete {
		set("data", "delete")
	}
	for _, entrance := range parameters.Entrances {
		set("entrance."+entrance.Name, entrance.Title)
	}
	addInputEntries(entries, parameters.Inputs)
	if parameters.Values == nil {
		return entries, nil
	}
	entries.Set("values", "")
	if !isEmptyJSON(parameters.Values.Raw) {
		text, err := yaml.JSONToYAML(parameters.Values.Raw)
		if err != nil {
			return nil, fmt.Errorf("read values of task %s: %w", task.Name, err)
		}
		entries.Set("values", string(text))
	}
	return entries, nil
}

// addInputEntries adds the entries for inputs.
func addInputEntries(entries url.Values, list []v1alpha1.InputValue) {
	for _, input := range list {
		if input.Value != nil {
			entries.Set("input."+input.Name, *input.Value)
		}
		if reference := referenceOf(input.ValueFrom); reference.IsEntered() {
			entries.Set("from."+input.Name, reference.Kind)
			entries.Set("secret."+input.Name, reference.Name)
			entries.Set("key."+input.Name, reference.Key)
		}
	}
}
