package preflight

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// isOwnNamespace reports whether an object is the tenant's namespace.
func (d *Requirements) isOwnNamespace(o *object) bool {
	return o.isKind(corev1.SchemeGroupVersion, "Namespace") && o.name == d.request.Tenant.Namespace
}

// checkNamespace reports charts that contain the namespace that they are installed in. The
// namespace already exists and contains the Helm release. Uninstalling the chart would
// delete it with all other objects in it.
func (d *Requirements) checkNamespace(*Facts) []Problem {
	for i := range d.objects {
		if o := &d.objects[i]; d.isOwnNamespace(o) {
			return []Problem{newFinalProblem(v1alpha1.ReasonInvalidChart,
				"%s: chart %q contains the namespace that it is installed in, which would be deleted with the app; set values that omit the namespace",
				o.kindAndName(), d.request.Units[o.unit].Name)}
		}
	}
	return nil
}
