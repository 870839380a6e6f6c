package appinfo

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
)

// copySharing copies the sharing of the source to status, for users that cannot get the source. It also does
// so for a suspended app, and keeps the last known sharing while the source does not exist.
func (r *Reconciler) copySharing(ctx context.Context, s *scope) error {
	source := &v1alpha1.MarketSource{}
	key := types.NamespacedName{Namespace: s.app.Namespace, Name: s.app.Spec.SourceRef.Name}
	err := r.Get(ctx, key, source)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get source %q: %w", key.Name, err)
	}
	s.app.Status.Sharing = r.Markets.AllowedBy(source)
	return nil
}
