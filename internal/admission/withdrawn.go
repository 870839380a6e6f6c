package admission

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
)

// CheckWithdrawn checks that the source still offers the app to new users.
func CheckWithdrawn(_ context.Context, o *Operation, f *Findings) error {
	if o.App != nil && o.App.Info.Spec.Withdrawn && !o.Upgrade {
		f.AddUnmet(v1alpha1.ReasonWithdrawn,
			"app %q has been withdrawn by its source and cannot be newly installed; use another app", o.App.Info.Spec.App)
	}
	return nil
}
