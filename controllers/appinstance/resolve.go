package appinstance

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/transitions"
)

// desiredRelease is the result of resolving the spec: a published version with values, or a
// revision to roll back to.
type desiredRelease struct {
	app     *catalog.App
	version *v1alpha1.PublishedVersion
	plan    *installplan.Plan
	// values is the digest of the values and the inputs of the tenant.
	values string
	// revisions contains the revisions that the operation creates, by the names of the
	// releases. They are set when the operation is prepared.
	revisions map[string]hydrate.ReleaseRevision
	// rollbackEntry is the revision to roll back to. If it is set, the other fields are empty.
	rollbackEntry *v1alpha1.HistoryEntry
}

// toOperation returns the operation that installs the target.
func (t *desiredRelease) toOperation(s *scope) v1alpha1.Operation {
	if t.rollbackEntry != nil {
		was := t.rollbackEntry.Operation
		return v1alpha1.Operation{
			Type: v1alpha1.OperationRollback, To: t.rollbackEntry.Revision,
			Version: was.Version, ChartDigest: was.ChartDigest, ValuesDigest: was.ValuesDigest,
		}
	}
	kind := v1alpha1.OperationUpgrade
	switch {
	case shouldAdopt(s.instance):
		kind = v1alpha1.OperationAdopt
	case s.instance.Status.Revision == 0:
		kind = v1alpha1.OperationInstall
	}
	return v1alpha1.Operation{Type: kind, Version: t.version.Version, ChartDigest: t.version.Digest, ValuesDigest: t.values}
}

// targetVersion returns the version of the target.
func (t *desiredRelease) targetVersion() string {
	if t.rollbackEntry != nil {
		return t.rollbackEntry.Operation.Version
	}
	return t.version.Version
}

func (r *Reconciler) resolveSpec(ctx context.Context, s *scope) error {
	s.instance.Status.Preflight = nil
	if s.instance.Spec.DesiredState == v1alpha1.StateUninstalled {
		return nil
	}
	t, err := resolveTarget(ctx, r, s)
	if err != nil {
		r.keepReady(ctx, s, err)
		return status.ForCondition(v1alpha1.ConditionResolved, limitExternalWait(err))
	}
	s.target = t
	return nil
}

// resolveTarget resolves the spec to a target and updates status.availableUpdate.
func resolveTarget(ctx context.Context, r *Reconciler, s *scope) (*desiredRelease, error) {
	if s.instance.Spec.PinnedRevision == 0 {
		t, err := resolveChart(ctx, r, s)
		if err != nil {
			return s.currentAsTarget(err)
		}
		s.app = t.app
		s.setAvailableUpdate(t)
		return t, nil
	}
	t, err := pinnedTarget(s.instance)
	if err != nil {
		return nil, err
	}
	// The revision is restored from Helm. The app is only needed to find a newer version.
	if app, err := r.Catalog.Find(ctx, s.instance.Spec.AppRef, s.instance.Namespace); err == nil {
		s.app = app
		s.setAvailableUpdate(t)
	}
	return t, nil
}

// setAvailableUpdate sets status.availableUpdate to the latest version that is newer than the
// target and the installed version. The two differ after a failed operation.
func (s *scope) setAvailableUpdate(t *desiredRelease) {
	if s.app == nil {
		return
	}
	than := t.targetVersion()
	if have := s.instance.Status.Version; have != "" && catalog.IsNewer(have, than) {
		than = have
	}
	st := &s.instance.Status
	before := st.AvailableUpdate
	st.AvailableUpdate = s.app.AvailableUpdate(than)
	if st.AvailableUpdate != "" && st.AvailableUpdate != before && st.Version != "" && !s.hasHistoryVersion(st.AvailableUpdate) {
		s.statusWriter.Report(corev1.EventTypeNormal, v1alpha1.EventUpdateAvailable, fmt.Sprintf(
			"version %s of app %q is available; version %s is installed", st.AvailableUpdate, s.app.Info.Spec.App, st.Version))
	}
}

// hasHistoryVersion reports whether the history contains an operation with a version.
func (s *scope) hasHistoryVersion(version string) bool {
	return slices.ContainsFunc(s.instance.Status.History, func(e v1alpha1.HistoryEntry) bool { return e.Operation.Version == version })
}

// currentAsTarget returns the installed revision as the target if the spec cannot be resolved, so
// that the instance can still be stopped, resumed and restarted. A resumed or restarted instance
// keeps this target until its spec changes, and its message contains the error.
func (s *scope) currentAsTarget(err error) (*desiredRelease, error) {
	current := transitions.FindRevision(s.instance, s.instance.Status.Revision)
	isScaled := s.instance.Spec.DesiredState == v1alpha1.StateStopped || s.instance.Status.Stopped || isScalingIncomplete(s.instance)
	if current == nil || !isScaled && !isRestartDue(s.instance) && !s.hasNewPods() {
		return nil, err
	}
	s.unresolved = err
	return &desiredRelease{rollbackEntry: current}, nil
}

// hasNewPods reports whether the last operation resumed or restarted the workloads for the current
// spec.
func (s *scope) hasNewPods() bool {
	history := s.instance.Status.History
	applied := meta.FindStatusCondition(s.instance.Status.Conditions, v1alpha1.ConditionApplied)
	if len(history) == 0 || history[0].Outcome != v1alpha1.OutcomeSucceeded || applied == nil || applied.ObservedGeneration != s.instance.Generation {
		return false
	}
	row := operationKinds[history[0].Operation.Type]
	return row.restart != nil || row.scale != nil && !row.leavesStopped
}

// keepReady keeps the Ready condition True if the spec cannot be resolved but the installed
// release is ready, for example because the source is no longer available or a newer
// version requires more inputs.
func (r *Reconciler) keepReady(ctx context.Context, s *scope, err error) {
	if s.instance.Status.Version != "" && isServing(ctx, r, s) {
		health := recordedHealth(s.instance)
		if s.observed != nil && s.observed.known && s.observed.err == nil {
			health = s.observed.health
		}
		s.statusWriter.KeepReady(s.runningMessage(health) + "; " + err.Error())
	}
}

// isServing reports whether the objects of an installed instance are ready. If their health is
// unknown, it returns the current Ready condition. An instance whose last operation failed
// does not become ready.
func isServing(ctx context.Context, r *Reconciler, s *scope) bool {
	before := meta.IsStatusConditionTrue(s.instance.Status.Conditions, v1alpha1.ConditionReady)
	if r.trackObjects(ctx, s) != nil {
		return before
	}
	seen := r.observeHealth(ctx, s)
	if seen.err != nil || !seen.known {
		return before
	}
	setInventoryHealth(s.instance, seen.health)
	return seen.health.IsHealthy() && (before || hasLastOperationSucceeded(s.instance))
}

// markResolved sets the Resolved condition to True. It is called after the chart is prepared,
// where that is required, because a condition that changes twice in each reconcile would be
// written each time.
func (s *scope) markResolved() {
	s.statusWriter.MarkTrue(v1alpha1.ConditionResolved, v1alpha1.ReasonResolved, "version "+s.target.targetVersion())
}

func resolveChart(ctx context.Context, r *Reconciler, s *scope) (*desiredRelease, error) {
	app, err := r.Catalog.Find(ctx, s.instance.Spec.AppRef, s.instance.Namespace)
	if err != nil {
		return nil, err
	}
	// An instance without a version constraint keeps its version.
	wanted := cmp.Or(s.instance.Spec.Version, s.instance.Status.Version)
	if shouldAdopt(s.instance) {
		if wanted, err = adoptableVersion(ctx, s); err != nil {
			return nil, err
		}
	}
	version, err := app.FindVersion(wanted, "spec.version")
	if err != nil {
		return nil, err
	}
	plan, err := r.Planner.Resolve(ctx, s.planRequest(app, version))
	if err != nil {
		return nil, err
	}
	digest, err := plan.ValuesDigest(s.instance.UID)
	if err != nil {
		return nil, err
	}
	return &desiredRelease{app: app, version: version, plan: plan, values: digest}, nil
}

// planRequest returns the installation that the spec specifies.
func (s *scope) planRequest(app *catalog.App, version *v1alpha1.PublishedVersion) installplan.Request {
	return installplan.Request{
		App: app, Version: version, Tenant: s.tenant, Instance: s.instance.Name,
		Sources: installplan.ValueSourcesFor(s.instance), CredentialRef: s.instance.Spec.CredentialSecretRef,
	}
}
