package appinstance

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/appmarket/operator/internal/chart"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/transitions"
)

// target is the result of resolving the spec: a published version with values, or a
// revision to roll back to.
type target struct {
	app     *catalog.App
	version *v1alpha1.PublishedVersion
	wish    catalog.Wish
	// values is the digest of the values and the inputs of the tenant.
	values string
	// back is the revision to roll back to. If it is set, the other fields are empty.
	back *v1alpha1.HistoryEntry
}

// operation returns the operation that installs the target.
func (t *target) operation(s *scope) v1alpha1.Operation {
	if t.back != nil {
		was := t.back.Operation
		return v1alpha1.Operation{
			Type: v1alpha1.OperationRollback, To: t.back.Revision,
			Version: was.Version, ChartDigest: was.ChartDigest, ValuesDigest: was.ValuesDigest,
		}
	}
	kind := v1alpha1.OperationUpgrade
	switch {
	case s.adopts():
		kind = v1alpha1.OperationAdopt
	case s.instance.Status.Revision == 0:
		kind = v1alpha1.OperationInstall
	}
	return v1alpha1.Operation{Type: kind, Version: t.version.Version, ChartDigest: t.version.Digest, ValuesDigest: t.values}
}

// wanted returns the version of the target.
func (t *target) wanted() string {
	if t.back != nil {
		return t.back.Operation.Version
	}
	return t.version.Version
}

func (r *Reconciler) resolve(ctx context.Context, s *scope) error {
	s.instance.Status.Preflight = nil
	if s.instance.Spec.DesiredState == v1alpha1.StateAbsent {
		return nil
	}
	t, err := r.aim(ctx, s)
	if err != nil {
		r.stillRuns(ctx, s, err)
		return status.ForCondition(v1alpha1.ConditionResolved, outside(err))
	}
	s.target = t
	return nil
}

// aim resolves the spec to a target and updates status.availableUpdate.
func (r *Reconciler) aim(ctx context.Context, s *scope) (*target, error) {
	if s.instance.Spec.Revision == 0 {
		t, err := r.find(ctx, s)
		if err != nil {
			return s.asItIs(err)
		}
		s.app = t.app
		s.noteUpdate(t)
		return t, nil
	}
	t, err := s.pinned()
	if err != nil {
		return nil, err
	}
	// The revision is restored from Helm. The app is only needed to find a newer version.
	if app, err := r.Catalog.Find(ctx, s.instance.Spec.AppRef, s.instance.Namespace); err == nil {
		s.app = app
		s.noteUpdate(t)
	}
	return t, nil
}

// noteUpdate sets status.availableUpdate to the latest version that is newer than the
// target and the installed version. The two differ after a failed operation.
func (s *scope) noteUpdate(t *target) {
	if s.app == nil {
		return
	}
	than := t.wanted()
	if have := s.instance.Status.Version; have != "" && catalog.Newer(have, than) {
		than = have
	}
	st := &s.instance.Status
	before := st.AvailableUpdate
	st.AvailableUpdate = s.app.Update(than)
	if st.AvailableUpdate != "" && st.AvailableUpdate != before && st.Version != "" && !s.wasAt(st.AvailableUpdate) {
		s.keeper.Report(corev1.EventTypeNormal, v1alpha1.EventUpdateAvailable, fmt.Sprintf(
			"version %s of app %q is available, version %s is installed", st.AvailableUpdate, s.app.Info.Spec.App, st.Version))
	}
}

// wasAt reports whether the history contains an operation with a version.
func (s *scope) wasAt(version string) bool {
	return slices.ContainsFunc(s.instance.Status.History, func(e v1alpha1.HistoryEntry) bool { return e.Operation.Version == version })
}

// asItIs returns the installed revision as the target if the spec cannot be resolved, so
// that the instance can still be stopped and resumed. A resumed instance keeps this target
// until its spec changes, and its message contains the error.
func (s *scope) asItIs(err error) (*target, error) {
	current := transitions.FindRevision(s.instance, s.instance.Status.Revision)
	isScaled := s.instance.Spec.DesiredState == v1alpha1.StateStopped || s.instance.Status.Stopped || s.halfway() || s.isResumed()
	if current == nil || !isScaled {
		return nil, err
	}
	s.unresolved = err
	return &target{back: current}, nil
}

// isResumed reports whether the last operation resumed the workloads for the current spec.
func (s *scope) isResumed() bool {
	history := s.instance.Status.History
	applied := meta.FindStatusCondition(s.instance.Status.Conditions, v1alpha1.ConditionApplied)
	return len(history) > 0 && history[0].Operation.Type == v1alpha1.OperationResume && history[0].Outcome == v1alpha1.OutcomeSucceeded &&
		applied != nil && applied.ObservedGeneration == s.instance.Generation
}

// stillRuns keeps the Ready condition True if the spec cannot be resolved but the installed
// release is ready, for example because the source is no longer available or a newer
// version requires more inputs.
func (r *Reconciler) stillRuns(ctx context.Context, s *scope, err error) {
	if s.instance.Status.Version != "" && r.serves(ctx, s) {
		health := s.recorded()
		if s.seen != nil && s.seen.known && s.seen.err == nil {
			health = s.seen.health
		}
		s.keeper.KeepReady(s.running(health) + "; " + err.Error())
	}
}

// serves reports whether the objects of an installed instance are ready. If their health is
// unknown, it returns the current Ready condition. An instance whose last operation failed
// does not become ready.
func (r *Reconciler) serves(ctx context.Context, s *scope) bool {
	before := meta.IsStatusConditionTrue(s.instance.Status.Conditions, v1alpha1.ConditionReady)
	if r.track(ctx, s) != nil {
		return before
	}
	seen := r.look(ctx, s)
	if seen.err != nil || !seen.known {
		return before
	}
	s.counts(seen.health)
	return seen.health.Healthy() && (before || s.lastSucceeded())
}

// resolved sets the Resolved condition to True. It is called after the chart is prepared,
// where that is required, because a condition that changes twice in each reconcile would be
// written each time.
func (s *scope) resolved() {
	s.keeper.MarkTrue(v1alpha1.ConditionResolved, v1alpha1.ReasonResolved, "version "+s.target.wanted())
}

func (r *Reconciler) find(ctx context.Context, s *scope) (*target, error) {
	app, err := r.Catalog.Find(ctx, s.instance.Spec.AppRef, s.instance.Namespace)
	if err != nil {
		return nil, err
	}
	// An instance without a version constraint keeps its version.
	wanted := cmp.Or(s.instance.Spec.Version, s.instance.Status.Version)
	if s.adopts() {
		if wanted, err = r.adoptable(ctx, s); err != nil {
			return nil, err
		}
	}
	version, err := app.Version(wanted)
	if err != nil {
		return nil, err
	}
	wish, err := r.wish(ctx, s)
	if err != nil {
		return nil, err
	}
	digest, err := s.digest(wish)
	if err != nil {
		return nil, err
	}
	return &target{app: app, version: version, wish: wish, values: digest}, nil
}

// digest returns the digest of the values and the inputs of the tenant. It excludes the
// values of the platform, so that changing them does not restart instances. It includes the
// UID, so that a short secret cannot be found by comparing digests.
func (s *scope) digest(wish catalog.Wish) (string, error) {
	text, err := json.Marshal([]any{s.instance.UID, wish.Values, wish.Envs})
	if err != nil {
		return "", fmt.Errorf("encode values: %w", err)
	}
	return chart.Digest(text), nil
}

// valuesDigest returns the digest of the current values and inputs of the tenant, including
// the values of an adopted release.
func (r *Reconciler) valuesDigest(ctx context.Context, s *scope) (string, error) {
	wish, err := r.wish(ctx, s)
	if err != nil {
		return "", err
	}
	return s.digest(wish)
}
