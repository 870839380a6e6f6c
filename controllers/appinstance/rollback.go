package appinstance

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/transitions"
)

// pinnedTarget returns the revision in spec.pinnedRevision as the target. It is restored from Helm and
// does not require that the source still has the version.
func pinnedTarget(instance *v1alpha1.AppInstance) (*desiredRelease, error) {
	number := instance.Spec.PinnedRevision
	entry := transitions.FindRevision(instance, number)
	if entry == nil {
		return nil, outcome.Stalled(v1alpha1.ReasonRevisionNotFound, fmt.Errorf(
			"spec.pinnedRevision: status.history has no revision %d that can be restored; set another revision, or remove the field", number))
	}
	return &desiredRelease{rollbackEntry: entry}, nil
}

// prepareRollback checks a rollback, and returns the function that runs it.
func prepareRollback(ctx context.Context, r *Reconciler, s *scope, _ v1alpha1.Operation) (func(context.Context) error, error) {
	if err := checkRecorded(ctx, r, s); err != nil {
		return nil, err
	}
	s.instance.Status.Releases = addRollbackReleases(s.instance.Status.Releases, s.target.rollbackEntry)
	return func(ctx context.Context) error { return rollbackReleases(ctx, s) }, nil
}

// checkRecorded returns an error if Helm no longer has a release of the revision, before
// anything is changed.
func checkRecorded(ctx context.Context, r *Reconciler, s *scope) error {
	reader, err := r.Tenants.ClientFor(s.tenant)
	if err != nil {
		return fmt.Errorf("impersonate service account %q: %w", s.tenant.ServiceAccount, err)
	}
	lost, err := release.FindLostRevision(ctx, reader, s.instance.Namespace, s.target.rollbackEntry)
	switch {
	case apierrors.IsForbidden(err):
		return outcome.Stalled(v1alpha1.ReasonPermissionDenied, fmt.Errorf(
			"service account %q cannot list secrets in namespace %q; grant it the permission, or set another spec.serviceAccountName", s.tenant.ServiceAccount, s.tenant.Namespace))
	case err != nil:
		return err
	case lost != nil:
		return outcome.Stalled(v1alpha1.ReasonRevisionNotFound, fmt.Errorf(
			"spec.pinnedRevision: revision %d cannot be restored because its record of Helm release %q was deleted; set a later revision, and increase spec.revisionHistoryLimit (%d) to keep more records",
			s.target.rollbackEntry.Revision, lost.Name, s.instance.Spec.RevisionHistoryLimit))
	}
	return nil
}

// isRolledBack reports whether the installed revision is the target revision or a rollback to it.
func isRolledBack(s *scope) bool {
	current := transitions.FindRevision(s.instance, s.instance.Status.Revision)
	back := s.target.rollbackEntry.Revision
	return current != nil && (current.Revision == back || current.Operation.To == back)
}

// rollbackReleases rolls back every release of the revision and removes the releases that it does
// not have.
func rollbackReleases(ctx context.Context, s *scope) error {
	entry := *s.target.rollbackEntry
	var made []v1alpha1.Release
	var objects []v1alpha1.ObjectReference
	for _, was := range entry.Releases {
		rel, err := s.helm.Rollback(ctx, release.Rollback{
			Name: was.Name, Revision: int(was.Revision), Labels: releaseLabels(s.instance),
			MaxHistory: int(s.instance.Spec.RevisionHistoryLimit), Timeout: operationTimeout(s.instance), Resumed: isResumingOperation(s.instance),
		})
		if err != nil {
			return err
		}
		made = append(made, toReleaseStatus(rel, chartUnitOf(s.instance.Status.Releases, was.Name)))
		objects = append(objects, rel.Objects...)
	}
	if err := uninstallOtherReleases(ctx, s, made); err != nil {
		return err
	}
	s.instance.Status.Releases = copyRecords(s.instance, made)
	s.instance.Status.Inventory = newInventory(objects)
	addRestoredClaims(s.instance, objects)
	return nil
}

// chartUnitOf returns the chart unit of a release.
func chartUnitOf(known []v1alpha1.Release, name string) string {
	at := slices.IndexFunc(known, func(k v1alpha1.Release) bool { return k.Name == name })
	if at < 0 {
		return ""
	}
	return known[at].Unit
}

// addRollbackReleases adds the releases of a revision to status before they are restored.
func addRollbackReleases(known []v1alpha1.Release, entry *v1alpha1.HistoryEntry) []v1alpha1.Release {
	for _, was := range entry.Releases {
		if !slices.ContainsFunc(known, func(k v1alpha1.Release) bool { return k.Name == was.Name }) {
			known = append(known, v1alpha1.Release{Name: was.Name})
		}
	}
	return known
}
