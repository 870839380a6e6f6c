package appinfo

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// hold keeps the app from going away before its charts have gone.
func (r *Reconciler) hold(ctx context.Context, s *scope) error { return s.keeper.Hold(ctx) }

// finalize takes the app out of the repository, and lets it go.
func (r *Reconciler) finalize(ctx context.Context, s *scope) error {
	if err := r.Repository.Remove(owner(s.app), s.app.Spec.App); err != nil {
		return fmt.Errorf("remove charts of app %s: %w", s.app.Spec.App, err)
	}
	r.drafts.drop(s.app.UID)
	return s.keeper.Release(ctx)
}

func (r *Reconciler) checkSuspended(_ context.Context, s *scope) error {
	if s.app.Spec.Suspend != nil && *s.app.Spec.Suspend {
		return outcome.Waiting(v1alpha1.ReasonSuspended, 0, errors.New("suspended by spec.suspend"))
	}
	return nil
}

func (r *Reconciler) locateSource(ctx context.Context, s *scope) error {
	s.source = &v1alpha1.MarketSource{}
	key := types.NamespacedName{Namespace: s.app.Namespace, Name: s.app.Spec.SourceRef.Name}
	err := r.Get(ctx, key, s.source)
	switch {
	case apierrors.IsNotFound(err):
		return outcome.Waiting(v1alpha1.ReasonWaitingForSource, 0, fmt.Errorf("source %s is gone", key.Name))
	case err != nil:
		return fmt.Errorf("get source %s: %w", key.Name, err)
	case s.source.Spec.Suspend != nil && *s.source.Spec.Suspend:
		return outcome.Waiting(v1alpha1.ReasonSuspended, 0, fmt.Errorf("source %s is suspended", key.Name))
	}
	return nil
}

func owner(app *v1alpha1.AppInfo) hydrate.Owner {
	return hydrate.Owner{Namespace: app.Namespace, Source: app.Spec.SourceRef.Name}
}
