package marketsource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/text"
)

func isSuspended(source *v1alpha1.MarketSource) bool {
	return source.Spec.Suspend != nil && *source.Spec.Suspend
}

func (r *Reconciler) checkSuspended(_ context.Context, s *scope) error {
	if isSuspended(s.source) {
		return outcome.Waiting(v1alpha1.ReasonSuspended, 0, errors.New("suspended by spec.suspend"))
	}
	return nil
}

// readApps reads the AppInfos of the source from the cache. Do not change them: they belong
// to the cache.
func (r *Reconciler) readApps(ctx context.Context, s *scope) error {
	var list v1alpha1.AppInfoList
	err := r.Client.List(ctx, &list, client.InNamespace(s.source.Namespace),
		client.MatchingLabels{v1alpha1.SourceLabel: s.source.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("list apps: %w", err)
	}
	for _, app := range list.Items {
		switch {
		case !metav1.IsControlledBy(&app, s.source):
		case isRetained(&app) && len(app.Spec.Offers) == 0:
			s.retained = append(s.retained, app)
		default:
			s.apps = append(s.apps, app)
		}
	}
	return nil
}

// fetchListing requests the listing of the source if it is due. It requests the complete listing if
// that must be applied again, otherwise only changes.
func (r *Reconciler) fetchListing(ctx context.Context, s *scope) error {
	last := r.lastPoll(s.source.UID)
	changed := r.takeChange(client.ObjectKeyFromObject(s.source))
	if !changed && last.isBackoffActive(s.source) {
		return last.cachedError()
	}
	since := hydrate.Cursor{Complete: changed || last.isCompleteDue || isReconcileRequested(s.source)}
	if !s.needsListing(last) {
		if !changed && !last.isDue(s.source) {
			return nil
		}
		since.Revision, since.ETag = s.source.Status.Revision, cmp.Or(last.etag, s.source.Status.ETag)
	}
	if err := s.reportProgress(ctx); err != nil {
		return err
	}
	reading := hydrate.WithReading(ctx, func(ctx context.Context, etag string) error { return r.recordAttempt(ctx, s, last, etag) })
	begin := time.Now()
	listing, err := requestListing(reading, r, s.source, since)
	next := last.afterRequest(s.source, err)
	next.isCompleteDue = err != nil && since.Complete
	next.policyErr = r.updatePolicyDigest(ctx, s.source)
	next.took = time.Since(begin)
	if listing.NotModified {
		next.etag = listing.ETag
	}
	if hasMissingApps(s.source, s.apps) {
		next.repairs = last.repairs + 1
	}
	r.pollStates.Store(s.source.UID, next)
	s.markReachable(err)
	if err != nil {
		return err
	}
	if listing.NotModified {
		s.source.Status.Attempt = nil // There is nothing to read.
		s.keepIndexed()
		return nil
	}
	s.listing = &listing
	return s.finishReading(ctx, len(listing.Apps))
}

// markReachable sets Reachable if the source responded, also if its response could not be read.
func (s *scope) markReachable(err error) {
	if err == nil || status.ConditionOf(err) == v1alpha1.ConditionIndexed {
		s.statusWriter.MarkTrue(v1alpha1.ConditionReachable, v1alpha1.ReasonReachable, "the source responded")
	}
}

// reportProgress sets Reconciling for a new generation before the request, because the response
// may take long.
func (s *scope) reportProgress(ctx context.Context) error {
	condition := meta.FindStatusCondition(s.source.Status.Conditions, v1alpha1.ConditionReconciling)
	if s.source.Status.ObservedGeneration == s.source.Generation || condition != nil && condition.ObservedGeneration == s.source.Generation {
		return nil
	}
	s.statusWriter.MarkReconciling("requesting the apps of the source")
	return s.statusWriter.Save(ctx)
}

// needsListing reports whether the complete listing must be requested, even if the source
// has not changed.
func (s *scope) needsListing(last pollState) bool {
	source := s.source
	switch {
	case source.Status.ObservedGeneration != source.Generation && last.applied != source.Generation:
		return true
	case isReconcileRequested(source) && slices.ContainsFunc(s.apps, isEdited):
		return true
	case hasMissingApps(source, s.apps) && last.canRepair():
		return true
	}
	// Only a listing contains the reason why there is no app.
	return last.err != nil && source.Status.Apps != nil && source.Status.Apps.Total == 0
}

// keepIndexed restores the Indexed condition after a failure has removed it.
func (s *scope) keepIndexed() {
	st := s.source.Status
	if st.Apps != nil && !meta.IsStatusConditionTrue(st.Conditions, v1alpha1.ConditionIndexed) {
		s.markIndexed(0)
	}
}

// markIndexed sets the Indexed condition with the number of apps that the source offers. If
// there is none, the message states whether the spec excludes all of them.
func (s *scope) markIndexed(unwanted int) {
	offered := s.source.Status.Apps.Offered
	message := text.Count(offered, "app", "apps") + " offered"
	if offered == 0 && s.source.Status.Apps.Skipped == 0 && unwanted > 0 {
		message = noMatchMessage(s.source.Spec, unwanted)
	}
	s.statusWriter.MarkTrue(v1alpha1.ConditionIndexed, v1alpha1.ReasonIndexed, message)
}

func noMatchMessage(spec v1alpha1.MarketSourceSpec, unwanted int) string {
	offered, filter := text.Count(unwanted, "app", "apps")+" offered", ptr.Deref(spec.Filter, v1alpha1.AppFilter{})
	switch {
	case filter.Versions != "" || filter.Prereleases != nil:
		return "spec.filter selects no version of an app of the source (" + offered + "); correct the range of versions and the patterns"
	case len(filter.Include) == 0:
		return "spec.filter.exclude matches all apps of the source (" + offered + "); correct the patterns"
	case len(filter.Exclude) == 0:
		return "spec.filter.include matches no app of the source (" + offered + "); correct the patterns"
	}
	return "spec.filter.include and spec.filter.exclude select no app of the source (" + offered + "); correct the patterns"
}

func requestListing(ctx context.Context, r *Reconciler, source *v1alpha1.MarketSource, since hydrate.Cursor) (hydrate.Listing, error) {
	lister, err := r.Open(ctx, source)
	if err != nil {
		return hydrate.Listing{}, status.ForCondition(v1alpha1.ConditionReachable, err)
	}
	var listing hydrate.Listing
	err = r.Turns.Await(ctx, client.ObjectKeyFromObject(source), func(ctx context.Context) (err error) {
		listing, err = lister.List(ctx, since)
		return err
	})
	if errors.Is(err, fairlimiter.ErrTooSlow) {
		err = outcome.Failed(v1alpha1.ReasonFetchFailed, err)
	}
	return listing, status.ForCondition(failedCondition(err), err)
}

// failedCondition returns Indexed if the response could not be read, and Reachable if there was no
// response.
func failedCondition(err error) string {
	switch outcome.Reason(err, "") {
	case v1alpha1.ReasonInvalidIndex, v1alpha1.ReasonLimitExceeded, v1alpha1.ReasonInterrupted:
		return v1alpha1.ConditionIndexed
	}
	return v1alpha1.ConditionReachable
}

// cacheSettleDelay is the time within which the cache receives written AppInfos.
const cacheSettleDelay = 5 * time.Second

// hasMissingApps reports whether AppInfos of the source are missing, because the cache does
// not contain them yet or because another client deleted them.
func hasMissingApps(source *v1alpha1.MarketSource, apps []v1alpha1.AppInfo) bool {
	listed := source.Status.Apps
	return listed == nil || int(listed.Offered) > len(apps)
}
