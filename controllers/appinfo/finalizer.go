package appinfo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// ensureFinalizer adds the finalizer, which delays the deletion of the app until its charts are
// removed.
func (r *Reconciler) ensureFinalizer(ctx context.Context, s *scope) error {
	return s.statusWriter.AddFinalizer(ctx)
}

// finalizeApp removes the charts of the app from the repository when no instance uses them, and then
// the finalizer.
func (r *Reconciler) finalizeApp(ctx context.Context, s *scope) error {
	if err := checkUnused(ctx, r, s); err != nil {
		return err
	}
	if err := r.Repository.Remove(ownerFor(s.app), s.app.Spec.App); err != nil {
		return fmt.Errorf("remove charts of app %q: %w", s.app.Spec.App, err)
	}
	r.Turns.Cancel(client.ObjectKeyFromObject(s.app))
	r.Suspects.Cancel(client.ObjectKeyFromObject(s.app))
	r.drafts.deleteDrafts(s.app.UID)
	r.failures.deleteFailures(s.app.UID)
	r.imageRetries.deleteRetry(s.app.UID)
	return s.statusWriter.RemoveFinalizer(ctx)
}

// checkArtifacts finds the published versions whose chart is missing from the repository.
// They are hydrated again if the app and its source allow that. The app is not ready if all
// charts are missing.
func (r *Reconciler) checkArtifacts(_ context.Context, s *scope) error {
	s.missingCharts = map[string]bool{}
	for _, v := range s.app.Status.Versions {
		if !r.Repository.Has(ownerFor(s.app), s.app.Spec.App, v.Version, v.Digest) {
			s.missingCharts[v.Version] = true
		}
	}
	if len(s.missingCharts) > 0 && r.servedVersion(s) == "" {
		s.statusWriter.SetNotReady(v1alpha1.ReasonChartNotFound, missingChartsMessage(s))
	}
	return nil
}

// missingChartsMessage returns a message about the published versions whose charts are missing.
func missingChartsMessage(s *scope) string {
	if len(s.missingCharts) == 1 {
		return "the chart of version " + slices.Collect(maps.Keys(s.missingCharts))[0] + " is missing from the repository"
	}
	return fmt.Sprintf("the charts of all %d versions are missing from the repository", len(s.missingCharts))
}

// notHydratedError returns the error for an app that is not hydrated. It also mentions missing charts.
func notHydratedError(s *scope, message string) error {
	if len(s.missingCharts) > 0 {
		message = missingChartsMessage(s) + " and cannot be published again: " + message
	}
	return errors.New(message)
}

func (r *Reconciler) locateSource(ctx context.Context, s *scope) error {
	key := types.NamespacedName{Namespace: s.app.Namespace, Name: s.app.Spec.SourceRef.Name}
	source := &v1alpha1.MarketSource{}
	if err := r.Get(ctx, key, source); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("get source %q: %w", key.Name, err)
	}
	s.source = source
	return nil
}

// checkSuspended returns an error if the app cannot be hydrated: it or its source is suspended, or the source does
// not exist.
func (r *Reconciler) checkSuspended(_ context.Context, s *scope) error {
	name := s.app.Spec.SourceRef.Name
	switch {
	case isTrue(s.app.Spec.Suspend):
		return outcome.Waiting(v1alpha1.ReasonSuspended, 0, notHydratedError(s, "suspended by spec.suspend"))
	case s.source == nil:
		return outcome.Waiting(v1alpha1.ReasonWaitingForSource, 0, notHydratedError(s, fmt.Sprintf("source %q not found", name)))
	case isTrue(s.source.Spec.Suspend):
		return outcome.Waiting(v1alpha1.ReasonSuspended, 0, notHydratedError(s, fmt.Sprintf("source %q is suspended by spec.suspend", name)))
	}
	return nil
}

func isTrue(value *bool) bool { return value != nil && *value }

func ownerFor(app *v1alpha1.AppInfo) hydrate.Owner {
	return hydrate.Owner{Namespace: app.Namespace, Source: app.Spec.SourceRef.Name}
}
