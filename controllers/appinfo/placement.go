package appinfo

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Placement determines whether an app runs on this cluster.
type Placement interface {
	// Assess returns the placement of an app, nil if its requirements are unknown. It returns false
	// while the state of the cluster is unknown.
	Assess(app *v1alpha1.AppInfo) (*v1alpha1.AppPlacement, bool)
}

// assessPlacement updates the placement in status. It does so for suspended and failed apps, too, because the
// placement describes the served version.
func (r *Reconciler) assessPlacement(_ context.Context, s *scope) error {
	r.updatePlacement(s.app)
	return nil
}

// updatePlacement updates the placement in status. It keeps the last one while the state of the cluster is
// unknown.
func (r *Reconciler) updatePlacement(app *v1alpha1.AppInfo) {
	if r.Placement == nil {
		return
	}
	placement, isKnown := r.Placement.Assess(app)
	if isKnown && !equality.Semantic.DeepEqual(placement, app.Status.Placement) {
		app.Status.Placement = placement
	}
}
