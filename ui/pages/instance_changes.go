package pages

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/ui/kube"
)

// driftPolicies are the policies in the order of the form.
var driftPolicies = []v1alpha1.DriftPolicy{v1alpha1.DriftIgnore, v1alpha1.DriftWarn, v1alpha1.DriftCorrect}

// canRetry reports whether the failed operation of an instance is repeated after a request.
func canRetry(instance *v1alpha1.AppInstance) bool {
	switch transitions.StateOf(instance) {
	case transitions.InstallFailed, transitions.ChangeFailed, transitions.UninstallFailed:
		return true
	}
	return false
}

// newInstanceChange returns the form of a change of an instance that is not an operation: retry repeats a failed
// operation, and drift sets the policy for changes of its objects.
func newInstanceChange(r *request) (*changeForm, error) {
	kind := r.PathValue("change")
	if kind != "retry" && kind != "drift" {
		return nil, notFound(r, "problem.noPage", "/instances", "problem.showInstalled")
	}
	instance, err := getInstance(r)
	if err != nil {
		return nil, err
	}
	before := instance.DeepCopy()
	v := &changeForm{
		lang: r.lang, section: "instances", object: instance, Title: cmp.Or(instance.Spec.Title, instance.Name),
		URL: instanceURL(instance.Namespace, instance.Name), ManagedBy: gitOpsToolOf(instance), formURL: instanceChangeURL(instance.Namespace, instance.Name, kind),
	}
	if err := v.setRight(r, kube.Instances); err != nil {
		return nil, err
	}
	if kind == "retry" {
		v.Verb, v.Text = r.Text("changeForm.retry"), r.Text("changeForm.retryText")
		if v.ManagedBy = ""; !canRetry(instance) {
			v.NotAllowed = cmp.Or(v.NotAllowed, r.Text("changeForm.nothingFailed"))
			v.Problem = v.NotAllowed
		}
		requestReconcile(instance)
		return v, v.setMergePatch("appinstance", before)
	}
	v.Verb, v.Text, v.URL = r.Text("changeForm.drift"), r.Text("changeForm.driftText"), instanceTabURL(instance.Namespace, instance.Name, "drift")
	v.addGeneration(r)
	chosen := v1alpha1.DriftPolicy(cmp.Or(r.FormValue("policy"), string(instance.Spec.DriftPolicy)))
	if !slices.Contains(driftPolicies, chosen) {
		chosen, v.Problem = instance.Spec.DriftPolicy, r.Text("changeForm.selectPolicy")
	}
	for _, policy := range driftPolicies {
		v.Policies = append(v.Policies, option{string(policy), r.Text("changeForm.policy" + string(policy)), policy == chosen})
	}
	instance.Spec.DriftPolicy = chosen
	return v, v.setMergePatch("appinstance", before)
}

func showInstanceChange(r *request) (*view, error) {
	v, err := newInstanceChange(r)
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet {
		v.Problem = ""
	}
	return v.view(), nil
}

func submitInstanceChange(r *request) (next string, again *view, err error) {
	v, err := newInstanceChange(r)
	if err != nil {
		return "", nil, err
	}
	return v.submit(r, kube.Instances)
}

// addRetry adds the button that repeats a failed operation, for a user who can patch the instance. Other users repeat
// the operation with a task.
func (v *instanceView) addRetry(r *request) error {
	if !canRetry(v.Instance) {
		return nil
	}
	allowed, err := r.Allows(r.Context(), "patch", kube.Instances, v.Instance.Namespace, v.Instance.Name)
	if err == nil && allowed {
		v.Actions = append(v.Actions, actionButton{Text: r.Text("changeForm.retry"), URL: instanceChangeURL(v.Instance.Namespace, v.Instance.Name, "retry")})
	}
	return err
}
