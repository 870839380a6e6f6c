package appinstance

import (
	"context"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/text"
)

// maxRetained is the maximum number of kept objects in status.
const maxRetained = 100

// uninstallAbsent uninstalls the releases of an instance whose desired state is Uninstalled. The instance
// remains as a record.
func uninstallAbsent(ctx context.Context, r *Reconciler, s *scope) error {
	if err := uninstallInstance(ctx, r, s); err != nil {
		return err
	}
	forgetInstance(r, s)
	message := "removed"
	if n := len(s.instance.Status.RetainedObjects); n > 0 {
		message = "removed; " + keptMessage(n)
	}
	for _, milestone := range status.AppInstance.Progress {
		s.statusWriter.MarkTrue(milestone, v1alpha1.ReasonUninstalled, message)
	}
	s.statusWriter.SetReady(v1alpha1.ReasonUninstalled, message)
	return nil
}

// uninstallInstance removes all releases and resets the status. It does nothing if the instance has
// no releases.
func uninstallInstance(ctx context.Context, r *Reconciler, s *scope) error {
	if len(s.instance.Status.Releases) == 0 {
		return nil
	}
	// The releases are known, regardless of the state of the app.
	s.statusWriter.MarkTrue(v1alpha1.ConditionResolved, v1alpha1.ReasonResolved, text.Count(len(s.instance.Status.Releases), "release", "releases")+" to remove")
	operation := v1alpha1.Operation{
		Type: v1alpha1.OperationUninstall, Version: s.instance.Status.Version, ChartDigest: s.instance.Status.ChartDigest,
	}
	if err := previousOperationError(s, operation); err != nil {
		return err
	}
	err := r.runOperation(ctx, s, operation, func(ctx context.Context) error { return uninstallReleases(ctx, s) })
	if err != nil {
		return err
	}
	st := &s.instance.Status
	st.Releases, st.Inventory, st.Entrances, st.Outputs, st.Drift, st.AdoptedValues = nil, nil, nil, nil, nil, nil
	st.Claims = nil
	st.Version, st.ChartDigest, st.ValuesDigest, st.AvailableUpdate, st.Verification = "", "", "", "", nil
	st.Revision, st.Stopped, st.RestartedAt = 0, false, nil
	return recordSuccess(ctx, s)
}

// uninstallReleases uninstalls all releases in reverse order, and then deletes the objects that they
// kept if spec.dataPolicy is Delete.
func uninstallReleases(ctx context.Context, s *scope) error {
	for _, known := range slices.Backward(s.instance.Status.Releases) {
		if err := uninstallRelease(ctx, s, known.Name); err != nil {
			return err
		}
	}
	if s.instance.Spec.DataPolicy != v1alpha1.DataDelete {
		return nil
	}
	if err := s.helm.DeleteKept(ctx, allRetained(s)); err != nil {
		return err
	}
	s.retained = slices.DeleteFunc(slices.Clone(allRetained(s)), func(kept v1alpha1.ObjectReference) bool {
		return release.IsDeletedWithData(s.instance.Namespace, kept)
	})
	s.instance.Status.RetainedObjects = catalog.FirstItems(s.retained, maxRetained)
	return nil
}

// recordRetained records kept objects in status before their release is deleted, so that an
// interruption does not lose them.
func recordRetained(ctx context.Context, s *scope, objects []v1alpha1.ObjectReference) error {
	s.retained = allRetained(s)
	for _, object := range objects {
		if !slices.Contains(s.retained, object) {
			s.retained = append(s.retained, object)
		}
	}
	s.instance.Status.RetainedObjects = catalog.FirstItems(s.retained, maxRetained)
	return s.statusWriter.Save(ctx)
}

// allRetained returns all kept objects, including those that status omits.
func allRetained(s *scope) []v1alpha1.ObjectReference {
	if len(s.retained) > 0 {
		return s.retained
	}
	return s.instance.Status.RetainedObjects
}

// keptMessage returns a message about the number of kept objects.
func keptMessage(n int) string {
	return text.Count(n, "object is", "objects are") + " kept (see status.retainedObjects of the instance)"
}

// reclaimRetained removes the objects from status.retainedObjects that belong to a release again.
func reclaimRetained(ctx context.Context, s *scope) error {
	st := &s.instance.Status
	for _, known := range st.Releases {
		if len(st.RetainedObjects) == 0 {
			return nil
		}
		own, err := s.helm.ListRetained(ctx, known.Name)
		if err != nil {
			return err
		}
		st.RetainedObjects = slices.DeleteFunc(st.RetainedObjects, func(kept v1alpha1.ObjectReference) bool { return slices.Contains(own, kept) })
	}
	return nil
}
