package marketsource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/text"
)

// Limits of status.failures of a source.
const (
	maxFailures       = 20
	maxFailureMessage = 512
)

// countApps aggregates the status of the apps. The source is ready after all of its apps have
// been processed, unless none of them is ready and some have failed. With readiness Synced
// it does not wait for the apps.
func (r *Reconciler) countApps(_ context.Context, s *scope) error {
	if s.source.Status.Apps == nil {
		// The cache does not yet contain the status that was just written.
		return outcome.Waiting(v1alpha1.ReasonWaitingForApp, cacheSettleDelay, errors.New("waiting for the source listing to be stored"))
	}
	if hasMissingApps(s.source, s.apps) {
		return outcome.Waiting(v1alpha1.ReasonWaitingForApp, cacheSettleDelay, errors.New(
			"waiting for the AppInfo of "+text.Count(int(s.source.Status.Apps.Offered)-len(s.apps), "app", "apps")))
	}
	t := sumApps(s.apps)
	// The total comes from the listing rather than from the existing AppInfos.
	listed := s.source.Status.Apps
	t.counts.Total, t.counts.Offered, t.counts.Skipped = listed.Total, listed.Offered, listed.Skipped
	t.counts.Failed = min(t.counts.Failed+listed.Total-listed.Offered, listed.Total)
	unlisted := slices.DeleteFunc(slices.Clone(s.source.Status.Failures), func(f v1alpha1.AppFailure) bool {
		return f.Condition != v1alpha1.ConditionIndexed
	})
	s.source.Status.Apps = &t.counts
	s.source.Status.Failures = mergeFailures(unlisted, t.failures)
	return r.reportCounts(s, t)
}

// reportCounts sets the Ready condition from the counts of the apps.
func (r *Reconciler) reportCounts(s *scope, t appTotals) error {
	c := t.counts
	message := countsMessage(c)
	if indexed := meta.FindStatusCondition(s.source.Status.Conditions, v1alpha1.ConditionIndexed); c.Total == 0 && indexed != nil {
		message = indexed.Message // It contains the reason why there is no app.
	}
	hydrated := s.source.Spec.ReadyWhen != v1alpha1.ReadyWhenSynced
	switch {
	case hydrated && t.pending > 0:
		return outcome.Waiting(v1alpha1.ReasonWaitingForApp, 0, fmt.Errorf("hydrating: %s", message))
	case hydrated && c.Ready == 0 && c.Failed > 0:
		return outcome.Stalled(v1alpha1.ReasonAppsNotReady, errors.New(message))
	}
	s.statusWriter.SetReady(v1alpha1.ReasonReady, message)
	return nil
}

// countsMessage returns a message about the counts of the apps.
func countsMessage(c v1alpha1.AppCounts) string {
	message := fmt.Sprintf("%d of %s served", c.Ready, text.Count(c.Total, "app", "apps"))
	if c.Failed > 0 {
		message += fmt.Sprintf(", %d failed", c.Failed)
	}
	if c.Skipped > 0 {
		message += fmt.Sprintf(", %s skipped", text.Count(c.Skipped, "entry", "entries"))
	}
	if c.Failed > 0 || c.Skipped > 0 {
		message += "; see status.failures"
	}
	return message
}

// appTotals contains the counts and the failures of the apps of a source.
type appTotals struct {
	counts   v1alpha1.AppCounts
	pending  int
	failures []v1alpha1.AppFailure
}

func sumApps(apps []v1alpha1.AppInfo) appTotals {
	var t appTotals
	for i := range apps {
		app := &apps[i]
		if !app.DeletionTimestamp.IsZero() {
			continue
		}
		conditions := app.Status.Conditions
		ready := meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady)
		failure := appFailure(app)
		paused := app.Spec.Suspend != nil && *app.Spec.Suspend
		if ready {
			t.counts.Ready++
		}
		if app.Spec.Withdrawn {
			t.counts.Withdrawn++
		}
		switch {
		case failure != nil:
			t.counts.Failed++
			t.failures = append(t.failures, *failure)
		case paused:
			t.counts.Suspended++
		case !ready || app.Status.ObservedGeneration != app.Generation:
			t.pending++
		}
	}
	return t
}

// appFailure returns the failure of the newest version of an app, or nil if there is none.
func appFailure(app *v1alpha1.AppInfo) *v1alpha1.AppFailure {
	conditions := app.Status.Conditions
	stalled := meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled)
	retrying := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling)
	if !stalled && (retrying == nil || retrying.Reason != v1alpha1.ReasonProgressingWithRetry) {
		return nil
	}
	failure := &v1alpha1.AppFailure{App: app.Spec.App, Condition: v1alpha1.ConditionReady}
	if root := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); root != nil {
		failure.Reason, failure.Message = root.Reason, root.Message
	}
	for _, milestone := range status.AppInfo.Progress {
		if c := meta.FindStatusCondition(conditions, milestone); c != nil && c.Status == metav1.ConditionFalse {
			failure.Condition, failure.Reason, failure.Message = milestone, c.Reason, c.Message
			break
		}
	}
	return failure
}

// toEntryFailures returns the failures of the invalid index entries.
func toEntryFailures(entries []hydrate.InvalidEntry) []v1alpha1.AppFailure {
	var failures []v1alpha1.AppFailure
	for _, e := range entries {
		failures = append(failures, v1alpha1.AppFailure{
			App: e.Name, Condition: v1alpha1.ConditionIndexed,
			Reason: outcome.Reason(e.Err, v1alpha1.ReasonInvalidChart), Message: e.Err.Error(),
		})
	}
	return limitFailures(failures, maxFailures/2)
}

// mergeFailures returns the failures of invalid entries followed by the failures of apps.
func mergeFailures(unlisted, failures []v1alpha1.AppFailure) []v1alpha1.AppFailure {
	known := map[string]bool{}
	for _, f := range unlisted {
		known[f.App] = true
	}
	failures = slices.DeleteFunc(failures, func(f v1alpha1.AppFailure) bool { return known[f.App] })
	return append(unlisted, limitFailures(failures, maxFailures-len(unlisted))...)
}

// limitFailures sorts failures by app, keeps the first failure of each app, and limits their
// number and length.
func limitFailures(failures []v1alpha1.AppFailure, limit int) []v1alpha1.AppFailure {
	slices.SortStableFunc(failures, func(a, b v1alpha1.AppFailure) int { return cmp.Compare(a.App, b.App) })
	failures = slices.CompactFunc(failures, func(a, b v1alpha1.AppFailure) bool { return a.App == b.App })
	failures = failures[:min(len(failures), limit)]
	for i := range failures {
		failures[i].App = fmt.Sprintf("%.250s", failures[i].App)
		failures[i].Message = fmt.Sprintf("%.*s", maxFailureMessage, failures[i].Message)
	}
	return failures
}
