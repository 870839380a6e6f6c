package pages

import (
	"cmp"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/ui/kube"
)

// listInstances returns the instances in a namespace, none if the user cannot list them. They are shared: callers
// must not change them.
func listInstances(r *request, namespace string) ([]v1alpha1.AppInstance, error) {
	if !namespaceForm.MatchString(namespace) {
		return nil, nil
	}
	allowed, err := r.Allows(r.Context(), "list", kube.Instances, namespace, "")
	if err != nil || !allowed {
		return nil, err
	}
	return r.server.Cluster.ListInstances(r.Context(), kube.Scope{Namespaces: []string{namespace}})
}

// unusedInstanceName returns the first of BASE, BASE-2, BASE-3 and so on that no instance has. It begins with
// the name with a number.
func unusedInstanceName(base string, instances []v1alpha1.AppInstance, number int) string {
	used := map[string]bool{}
	for i := range instances {
		used[instances[i].Name] = true
	}
	for ; ; number++ {
		suffix := ""
		if number > 1 {
			suffix = "-" + strconv.Itoa(number)
		}
		name := base + suffix
		if len(name) > maxInstanceName {
			name = strings.TrimRight(base[:maxInstanceName-len(suffix)], "-.") + suffix
		}
		if !used[name] {
			return name
		}
	}
}

// nameProblem returns why a new instance cannot have its name, empty if it can, or if the user cannot read the
// instance with this name. A form that is submitted again has no problem with the instance that its task creates.
func nameProblem(r *request, action v1alpha1.Action, app v1alpha1.AppReference, namespace, name, key string) (string, error) {
	if !namespaceForm.MatchString(namespace) || !instanceNamePattern.MatchString(name) {
		return "", nil
	}
	existing := &v1alpha1.AppInstance{}
	err := r.Get(r.Context(), types.NamespacedName{Namespace: namespace, Name: name}, existing)
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return "", nil
	}
	if err != nil {
		return "", asProblem(r, err, "get", kube.Instances, namespace)
	}
	if transitions.Admit(action, name, existing) == nil && isSameApp(existing.Spec.AppRef, app, namespace) {
		return "", nil
	}
	task := &v1alpha1.AppInstallTask{}
	err = r.Get(r.Context(), types.NamespacedName{Namespace: namespace, Name: taskbuilder.TaskName(action, name, key)}, task)
	if err == nil {
		return "", nil
	}
	return r.Text("instanceName.taken", "Name", name, "Namespace", namespace), nil
}

// isSameApp reports whether two references of objects in a namespace refer to the same app.
func isSameApp(a, b v1alpha1.AppReference, namespace string) bool {
	a.Namespace, b.Namespace = cmp.Or(a.Namespace, namespace), cmp.Or(b.Namespace, namespace)
	return a == b
}
