package admission

import (
	"context"
	"errors"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// CheckCloneSafety checks that the app allows a clone, and that the clone does not collide with its
// origin. crossNamespace reports whether the origin is in another namespace.
func CheckCloneSafety(crossNamespace bool) Check {
	return func(_ context.Context, o *Operation, f *Findings) error {
		summary := o.summary()
		if summary == nil {
			return nil
		}
		app := o.App.Info.Spec.App
		if IsSingleInstance(summary) {
			f.Add(outcome.Stalledf(v1alpha1.ReasonSingleInstance, "app %s may be installed once only: its manifest does not allow a second instance", app))
		}
		clone := summary.Clone
		if clone == nil || clone.Verdict == v1alpha1.CloneSafe || clone.Verdict == v1alpha1.CloneNamespacedOnly && crossNamespace {
			return nil
		}
		where := "in one namespace (set spec.clone.from.namespace, and make the clone in another)"
		if clone.Verdict == v1alpha1.CloneUnsafe {
			where = "in this cluster"
		}
		f.Add(outcome.Stalled(v1alpha1.ReasonCloneUnsafe, errors.New(
			"two instances of app "+app+" "+where+" would both claim: "+strings.Join(clone.Collisions, "; "))))
		return nil
	}
}
