package marketsource

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

func suspended(source *v1alpha1.MarketSource) bool {
	return source.Spec.Suspend != nil && *source.Spec.Suspend
}

func (r *Reconciler) checkSuspended(_ context.Context, s *scope) error {
	if suspended(s.source) {
		return outcome.Waiting(v1alpha1.ReasonSuspended, 0, errors.New("suspended by spec.suspend"))
	}
	return nil
}

// readApps reads the AppInfos of the source from the cache.
func (r *Reconciler) readApps(ctx context.Context, s *scope) error {
	var list v1alpha1.AppInfoList
	err := r.Client.List(ctx, &list, client.InNamespace(s.source.Namespace),
		client.MatchingLabels{v1alpha1.SourceLabel: s.source.Name})
	if err != nil {
		return fmt.Errorf("list apps: %w", err)
	}
	for _, app := range list.Items {
		if metav1.IsControlledBy(&app, s.source) {
			s.apps = append(s.apps, app)
		}
	}
	return nil
}

// list asks the source, if that is due. It asks for everything where the answer
// must be applied again, and otherwise only for what is new.
func (r *Reconciler) list(ctx context.Context, s *scope) error {
	since := hydrate.Mark{Revision: s.source.Status.Revision, ETag: s.source.Status.ETag}
	switch {
	case s.source.Status.ObservedGeneration != s.source.Generation:
		since = hydrate.Mark{}
	case appsMissing(s.source, s.apps) && !r.askedWithin(s.source, settle):
		since = hydrate.Mark{}
	case !r.due(s.source):
		return nil
	}
	lister, err := r.Open(ctx, s.source)
	if err != nil {
		return status.At(v1alpha1.ConditionReached, err)
	}
	listing, err := lister.List(ctx, since)
	r.asked.Store(s.source.UID, time.Now())
	if err != nil {
		return status.At(milestone(err), err)
	}
	s.keeper.Reached(v1alpha1.ConditionReached, v1alpha1.ReasonReached, "the source answered")
	if !listing.NotModified {
		s.listing = &listing
	}
	return nil
}

// milestone tells an answer that cannot be read from one that did not come.
func milestone(err error) string {
	switch outcome.Reason(err, "") {
	case v1alpha1.ReasonInvalidIndex, v1alpha1.ReasonLimitExceeded:
		return v1alpha1.ConditionIndexed
	}
	return v1alpha1.ConditionReached
}

// due reports whether the source is to be asked for news.
func (r *Reconciler) due(source *v1alpha1.MarketSource) bool {
	if source.Annotations[v1alpha1.ReconcileRequestAnnotation] != source.Status.LastHandledReconcileAt {
		return true
	}
	at, ok := r.lastAsked(source.UID)
	return !ok || time.Since(at) >= interval(source)
}

// settle is how long the cache may take to show the AppInfos that were written.
const settle = 5 * time.Second

func (r *Reconciler) askedWithin(source *v1alpha1.MarketSource, span time.Duration) bool {
	at, ok := r.lastAsked(source.UID)
	return ok && time.Since(at) < span
}

// appsMissing reports whether AppInfos that the source made are not there: the
// cache does not show them yet, or somebody removed them.
func appsMissing(source *v1alpha1.MarketSource, apps []v1alpha1.AppInfo) bool {
	listed := source.Status.Apps
	return listed == nil || int(listed.Total-listed.Skipped) > len(apps)
}
