package admission

import (
	"context"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// CheckCloneSafety checks that the app allows a clone, and that the clone does not conflict with the
// cloned instance. crossNamespace reports whether the cloned instance is in another namespace.
func CheckCloneSafety(crossNamespace bool) Check {
	return func(_ context.Context, o *Operation, f *Findings) error {
		summary := o.summary()
		if summary == nil {
			return nil
		}
		app := o.App.Info.Spec.App
		if summary.IsSingleInstance() {
			f.Add(outcome.Stalledf(v1alpha1.ReasonSingleInstance, "app %q allows only one instance and cannot be cloned; use the existing instance", app))
		}
		clone := summary.Clone
		if clone == nil || clone.Verdict == v1alpha1.CloneSafe || clone.Verdict == v1alpha1.CloneNamespacedOnly && crossNamespace {
			return nil
		}
		format := "two instances of app %q in the same namespace conflict (%s); create the clone in another namespace, and set spec.clone.from.namespace"
		if clone.Verdict == v1alpha1.CloneUnsafe {
			format = "two instances of app %q in the same cluster conflict (%s); use the existing instance"
		}
		f.Add(outcome.Stalledf(v1alpha1.ReasonCloneUnsafe, format, app, strings.Join(clone.Collisions, "; ")))
		return nil
	}
}
