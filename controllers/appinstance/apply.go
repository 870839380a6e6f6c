package appinstance

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/transitions"
)

// applyTarget runs Helm if the installed release differs from the target.
func (r *Reconciler) applyTarget(ctx context.Context, s *scope) error {
	if s.target == nil {
		return uninstallAbsent(ctx, r, s)
	}
	if shouldBeStopped(s.instance) || isUpToDate(s) && !hasMissingObjects(ctx, r, s) {
		setEntranceTitles(s.instance, s.instance.Status.Entrances)
		setClaimRemoval(s.instance)
		s.markResolved()
		if isScaled(s.instance) && !isRestartDue(s.instance) {
			markApplied(s)
		}
		return nil
	}
	if s.instance.Status.Stopped || isScalingIncomplete(s.instance) {
		// Helm would start the workloads, but would not remove the annotations of
		// stopped workloads.
		s.markResolved()
		if err := runScaling(ctx, r, s, v1alpha1.OperationResume); err != nil {
			return err
		}
	}
	operation := s.target.toOperation(s)
	if err := previousOperationError(s, operation); err != nil {
		s.markResolved()
		return err
	}
	// The checks and the rendering also need a slot, because they can take long.
	key := client.ObjectKeyFromObject(s.instance)
	if err := acquireSlot(r, key, operation); err != nil {
		return err
	}
	defer limiterFor(r, operation).Release(key)
	return applyOperation(ctx, r, s, operation)
}

// applyOperation runs an operation and records its result.
func applyOperation(ctx context.Context, r *Reconciler, s *scope, operation v1alpha1.Operation) error {
	do, err := operationKinds[operation.Type].prepare(ctx, r, s, operation)
	if err != nil {
		r.keepReady(ctx, s, err)
		return status.ForCondition(v1alpha1.ConditionResolved, err)
	}
	if !isSingletonInstallation(r, s, operation) { // startOperation checks such an installation first.
		s.markResolved()
	}
	err = r.runOperation(ctx, s, operation, func(ctx context.Context) error {
		if err := do(ctx); err != nil {
			return err
		}
		return reclaimRetained(ctx, s)
	})
	if err != nil {
		return err
	}
	st := &s.instance.Status
	s.recordVerification(operation.ChartDigest)
	st.Version, st.ChartDigest, st.ValuesDigest = operation.Version, operation.ChartDigest, operation.ValuesDigest
	if complete := operationKinds[operation.Type].complete; complete != nil {
		if err := complete(ctx, r, s); err != nil {
			return status.ForCondition(v1alpha1.ConditionResolved, err)
		}
	}
	st.Stopped = false
	if st.Revision == 0 {
		st.RestartedAt = s.instance.Spec.RestartRequestedAt.DeepCopy() // the Pods are new
	}
	st.Outputs = toOutputs(s.instance)
	s.setAvailableUpdate(s.target)
	s.statusWriter.MarkTrue(v1alpha1.ConditionApplied, v1alpha1.ReasonApplied, doneMessage(operation))
	return recordSuccessBefore(ctx, r, s, notObservedError())
}

// prepareInstallation checks an installation or an upgrade, and returns the function that runs
// it.
func prepareInstallation(ctx context.Context, r *Reconciler, s *scope, operation v1alpha1.Operation) (func(context.Context) error, error) {
	s.target.revisions = s.nextReleaseRevisions()
	draft, err := admitOperation(ctx, r, s, operation)
	if err != nil {
		return nil, err
	}
	plans := planReleases(s.instance, draft)
	unreadable := checkReadable(ctx, r, s, plans)
	if unreadable == nil {
		s.planned = plans
	}
	return func(ctx context.Context) error {
		if unreadable != nil {
			return unreadable
		}
		if err := installReleases(ctx, s, plans); err != nil {
			return err
		}
		s.setDeclaredEntrances(draft)
		return setClaims(s.instance, draft)
	}, nil
}

// checkReadable returns an error if a new release of the instance cannot be read. Such a
// release is not recorded in status, because the instance could then not be removed. The
// names of releases that do not exist are recorded in the scope.
func checkReadable(ctx context.Context, r *Reconciler, s *scope, plans []plannedRelease) error {
	for _, p := range plans {
		isKnown := slices.ContainsFunc(s.instance.Status.Releases, func(known v1alpha1.Release) bool { return known.Name == p.name })
		if isKnown {
			continue
		}
		if r.Unrecorded != nil && r.Unrecorded(s.tenant, p.name) {
			s.unrecorded = append(s.unrecorded, p.name)
			continue
		}
		have, err := s.helm.Get(ctx, p.name)
		if err != nil {
			return err
		}
		if have == nil {
			s.unrecorded = append(s.unrecorded, p.name)
		}
	}
	return nil
}

// isUpToDate reports whether the target is installed. A chart that was published again under
// the same version, for example with other parameters, is installed only when a reconcile
// is requested.
func isUpToDate(s *scope) bool {
	st := s.instance.Status
	if !hasLastOperationSucceeded(s.instance) {
		return false
	}
	if s.target.rollbackEntry != nil {
		return isRolledBack(s)
	}
	same := st.Version == s.target.version.Version && st.ValuesDigest == s.target.values
	// A resume and a restart leave the release as it is.
	asked := isReconcileRequested(s.instance) && !st.Stopped && !isScalingIncomplete(s.instance) && !isRestartRequest(s.instance)
	return same && (!asked || st.ChartDigest == s.target.version.Digest)
}

// hasLastOperationSucceeded reports whether the last operation succeeded and the instance has releases.
// After a failed operation, the state of the releases is unknown.
func hasLastOperationSucceeded(instance *v1alpha1.AppInstance) bool {
	last := transitions.LastChange(instance)
	return last != nil && last.Outcome == v1alpha1.OutcomeSucceeded && len(instance.Status.Releases) > 0
}

// markApplied sets the Applied condition to True. It keeps the message of the operation that
// was applied.
func markApplied(s *scope) {
	message := "version " + s.instance.Status.Version + " is installed"
	if c := meta.FindStatusCondition(s.instance.Status.Conditions, v1alpha1.ConditionApplied); c != nil && c.Reason == v1alpha1.ReasonApplied {
		message = c.Message
	}
	s.statusWriter.MarkTrue(v1alpha1.ConditionApplied, v1alpha1.ReasonApplied, message)
}

// isReconcileRequested reports whether a requested reconcile has not been handled yet.
func isReconcileRequested(instance *v1alpha1.AppInstance) bool {
	return status.ReconcileRequest(instance) != instance.Status.LastHandledReconcileAt
}

// previousOperationError returns the error of the previous operation if it failed and is the same as
// the next one, and an error if the operation was interrupted too often. A failed operation
// is retried if the spec changes, the instance is deleted or a reconcile is requested.
func previousOperationError(s *scope, next v1alpha1.Operation) error {
	st := s.instance.Status
	if countInterruptions(s.instance, next) >= status.MaxInterruptions {
		return status.ForCondition(v1alpha1.ConditionApplied, status.InterruptedError(inProgressMessage(next), v1alpha1.AppInstanceKind, s.instance.Name))
	}
	again := isReconcileRequested(s.instance) || st.ObservedGeneration != s.instance.Generation || !s.instance.DeletionTimestamp.IsZero()
	if again || len(st.History) == 0 {
		return nil
	}
	last := st.History[0]
	if last.Outcome != v1alpha1.OutcomeFailed || !isSameOperation(last.Operation, next) {
		return nil
	}
	return status.ForCondition(v1alpha1.ConditionApplied, outcome.Stalled(last.Reason, errors.New(last.Message)))
}

// countInterruptions returns how often an operation was interrupted for the current reconcile
// request.
func countInterruptions(instance *v1alpha1.AppInstance, next v1alpha1.Operation) int32 {
	history := instance.Status.History
	if len(history) == 0 || history[0].Outcome != v1alpha1.OutcomeInterrupted ||
		!isSameOperation(history[0].Operation, next) || history[0].Operation.Request != status.ReconcileRequest(instance) {
		return 0
	}
	return history[0].Operation.Interruptions
}

// isResumingOperation reports whether the current operation continues an interrupted one.
func isResumingOperation(instance *v1alpha1.AppInstance) bool {
	return instance.Status.CurrentOperation != nil && hasBeenInterrupted(instance, *instance.Status.CurrentOperation)
}

// hasBeenInterrupted reports whether the last operation was the same one and was interrupted.
func hasBeenInterrupted(instance *v1alpha1.AppInstance, operation v1alpha1.Operation) bool {
	history := instance.Status.History
	return len(history) > 0 && history[0].Outcome == v1alpha1.OutcomeInterrupted && isSameOperation(history[0].Operation, operation)
}

// isSameOperation reports whether two operations have the same type and the same target.
func isSameOperation(a, b v1alpha1.Operation) bool {
	return a.Type == b.Type && a.ChartDigest == b.ChartDigest && a.ValuesDigest == b.ValuesDigest && a.To == b.To
}

// plannedRelease is one release to install or upgrade.
type plannedRelease struct {
	name string
	unit hydrate.Unit
}

// planReleases returns the plans for an app, one for each chart unit.
func planReleases(instance *v1alpha1.AppInstance, draft *hydrate.Draft) []plannedRelease {
	var plans []plannedRelease
	for _, unit := range draft.Units {
		plans = append(plans, plannedRelease{name: hydrate.ReleaseName(instance.Name, draft.Chart.Name, unit.Name), unit: unit})
	}
	return plans
}

// addPlannedReleases adds the releases to status before they are installed, so that they are found
// after an interruption. It keeps releases that the app no longer has, because they are
// still to be removed.
func addPlannedReleases(known []v1alpha1.Release, plans []plannedRelease) []v1alpha1.Release {
	for _, p := range plans {
		if !slices.ContainsFunc(known, func(k v1alpha1.Release) bool { return k.Name == p.name }) {
			known = append(known, v1alpha1.Release{Name: p.name, Unit: p.unit.Dir})
		}
	}
	return known
}

// installReleases installs or upgrades every release in order, and then removes the releases that the
// app no longer has.
func installReleases(ctx context.Context, s *scope, plans []plannedRelease) error {
	var made []v1alpha1.Release
	var objects []v1alpha1.ObjectReference
	for i, p := range plans {
		rel, err := installRelease(ctx, s, release.Spec{
			Name: p.name, Labels: releaseLabels(s.instance), Render: s.rendererFor(p, i > 0), Values: p.unit.Values,
			MaxHistory: int(s.instance.Spec.RevisionHistoryLimit), Timeout: operationTimeout(s.instance), Resumed: isResumingOperation(s.instance),
		})
		if err != nil {
			return err
		}
		made = append(made, toReleaseStatus(rel, p.unit.Dir))
		objects = append(objects, rel.Objects...)
	}
	if err := uninstallOtherReleases(ctx, s, made); err != nil {
		return err
	}
	s.instance.Status.Releases = copyRecords(s.instance, made)
	s.instance.Status.Inventory = newInventory(objects)
	return nil
}

// uninstallOtherReleases uninstalls the known releases that are not in the given list.
func uninstallOtherReleases(ctx context.Context, s *scope, made []v1alpha1.Release) error {
	for _, known := range s.instance.Status.Releases {
		if slices.ContainsFunc(made, func(m v1alpha1.Release) bool { return m.Name == known.Name }) {
			continue
		}
		if err := uninstallRelease(ctx, s, known.Name); err != nil {
			return fmt.Errorf("uninstall release %q: %w", known.Name, err)
		}
	}
	return nil
}

// releaseLabels returns the labels of the releases of the instance.
func releaseLabels(instance *v1alpha1.AppInstance) map[string]string {
	return map[string]string{v1alpha1.InstanceLabel: instance.Name}
}

// isOwnRelease reports whether a release belongs to the instance.
func isOwnRelease(instance *v1alpha1.AppInstance, rel *release.Release) bool {
	return rel.Labels[v1alpha1.InstanceLabel] == instance.Name
}

// uninstallRelease removes a release if it belongs to the instance. Its PersistentVolumeClaims are
// kept.
func uninstallRelease(ctx context.Context, s *scope, name string) error {
	have, err := s.helm.Get(ctx, name)
	if err != nil || have == nil || !isOwnRelease(s.instance, have) {
		return err
	}
	return s.helm.Uninstall(ctx, release.Removal{
		Name: name, Timeout: operationTimeout(s.instance),
		SkipHooks: s.instance.Annotations[v1alpha1.SkipDeleteHooksAnnotation] == "true",
	})
}

// installRelease installs a release, or upgrades it if it exists.
func installRelease(ctx context.Context, s *scope, spec release.Spec) (*release.Release, error) {
	if slices.Contains(s.unrecorded, spec.Name) {
		spec.Unrecorded = true
		return s.helm.Install(ctx, spec)
	}
	have, err := s.helm.Get(ctx, spec.Name)
	switch {
	case err != nil:
		return nil, err
	case have == nil:
		return s.helm.Install(ctx, spec)
	case !isOwnRelease(s.instance, have):
		return nil, outcome.Stalled(v1alpha1.ReasonInstallFailed, fmt.Errorf(
			"Helm release %q already exists in namespace %q; set spec.adoptionPolicy to Adopt, remove the release with helm uninstall, or use another name for the instance",
			spec.Name, s.instance.Namespace))
	case have.Pending:
		if err := s.helm.Unlock(ctx, spec.Name); err != nil {
			return nil, err
		}
	}
	return s.helm.Upgrade(ctx, spec)
}

func toReleaseStatus(rel *release.Release, unit string) v1alpha1.Release {
	return v1alpha1.Release{
		Name: rel.Name, Unit: unit, Revision: int32(rel.Revision), Status: rel.Status, Chart: text.Limit(rel.ChartName+"-"+rel.ChartVersion, 512),
	}
}

// maxInventory is the maximum number of objects that status lists.
const maxInventory = 200

func newInventory(objects []v1alpha1.ObjectReference) *v1alpha1.Inventory {
	return &v1alpha1.Inventory{Total: int32(len(objects)), Objects: objects[:min(len(objects), maxInventory)]}
}
