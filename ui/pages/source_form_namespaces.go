package pages

import (
	"slices"

	"github.com/appmarket/operator/ui/kube"
)

// addNamespaces adds the namespaces in which the user can create sources.
func (v *sourceForm) addNamespaces(r *request) error {
	scope, err := r.ScopeWith(r.Context(), "create", kube.Sources)
	if err != nil {
		return err
	}
	v.TypedNamespace = scope.Cut
	v.Namespaces = scope.Namespaces
	if scope.All {
		all, err := r.ListNamespaces(r.Context())
		if err != nil {
			return err
		}
		v.Namespaces, v.TypedNamespace = all.Namespaces, all.Cut
	}
	switch {
	case v.TypedNamespace:
	case len(v.Namespaces) == 0:
		v.TypedNamespace = true
		v.NotAllowed = r.Text("sourceForm.cannotCreate")
		v.Grant = bindingCommand(r.session.User, "create", kube.Sources, "market", " -n market")
	case len(v.Namespaces) == 1:
		v.Namespace = v.Namespaces[0]
	default:
		v.Namespace = v.suggestNamespace(r)
	}
	return nil
}

// suggestNamespace returns the namespace of an existing source, "" if there is none.
func (v *sourceForm) suggestNamespace(r *request) string {
	scope, err := r.ScopeFor(r.Context(), kube.Sources)
	if err != nil {
		return ""
	}
	all, err := r.server.Cluster.ListSources(r.Context(), scope)
	for i := range all {
		if err == nil && slices.Contains(v.Namespaces, all[i].Namespace) {
			return all[i].Namespace
		}
	}
	return ""
}
