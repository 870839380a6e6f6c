package appinstance

import (
	"context"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/internal/text"
)

// maxRetained bounds the objects that are listed in status as kept.
const maxRetained = 100

// remove makes an instance that should be absent so. It stays as the record.
func (r *Reconciler) remove(ctx context.Context, s *scope) error {
	if err := r.uninstall(ctx, s); err != nil {
		return err
	}
	r.forget(s)
	message := "removed"
	if n := len(s.instance.Status.Retained); n > 0 {
		message = "removed; " + keptMessage(n)
	}
	for _, milestone := range status.AppInstance.Progress {
		s.keeper.MarkTrue(milestone, v1alpha1.ReasonRemoved, message)
	}
	s.keeper.SetReady(v1alpha1.ReasonRemoved, message)
	return nil
}

// uninstall removes all releases, the last one first, and what they would leave behind
// if that should not be kept. It does nothing for an instance that has none.
func (r *Reconciler) uninstall(ctx context.Context, s *scope) error {
	if len(s.instance.Status.Releases) == 0 {
		return nil
	}
	// What is to be removed is known, whatever has become of the app.
	s.keeper.MarkTrue(v1alpha1.ConditionResolved, v1alpha1.ReasonResolved, text.Count(len(s.instance.Status.Releases), "release", "releases")+" to remove")
	operation := v1alpha1.Operation{
		Type: v1alpha1.OperationUninstall, Version: s.instance.Status.Version, ChartDigest: s.instance.Status.ChartDigest,
	}
	if err := failedBefore(s, operation); err != nil {
		return err
	}
	err := r.operate(ctx, s, operation, func(ctx context.Context) error { return r.takeDown(ctx, s) })
	if err != nil {
		return err
	}
	st := &s.instance.Status
	st.Releases, st.Inventory, st.Entrances, st.Outputs, st.Drift, st.AdoptedValues = nil, nil, nil, nil, nil, nil
	st.Version, st.ChartDigest, st.ValuesDigest, st.AvailableUpdate = "", "", "", ""
	st.Revision, st.Stopped = 0, false
	return s.succeeded(ctx)
}

// takeDown removes all releases, the last one first, and what they have left behind if
// that should not be kept.
func (r *Reconciler) takeDown(ctx context.Context, s *scope) error {
	for _, known := range slices.Backward(s.instance.Status.Releases) {
		if err := s.uninstall(ctx, known.Name); err != nil {
			return err
		}
	}
	if s.instance.Spec.DataPolicy != v1alpha1.DataDelete {
		return nil
	}
	if err := s.helm.DeleteKept(ctx, s.allRetained()); err != nil {
		return err
	}
	s.retained = slices.DeleteFunc(slices.Clone(s.allRetained()), s.isDeletable)
	s.instance.Status.Retained = catalog.First(s.retained, maxRetained)
	return nil
}

// isDeletable reports whether a kept object is deleted with the data of the instance.
func (s *scope) isDeletable(kept v1alpha1.ObjectReference) bool {
	return kept.Kind == "PersistentVolumeClaim" || kept.Kind == "Namespace" && kept.Name != s.instance.Namespace
}

// retain notes objects that are kept before they lose their release, so that an
// interruption does not make them unknown.
func (s *scope) retain(ctx context.Context, objects []v1alpha1.ObjectReference) error {
	s.retained = s.allRetained()
	for _, object := range objects {
		if !slices.Contains(s.retained, object) {
			s.retained = append(s.retained, object)
		}
	}
	s.instance.Status.Retained = catalog.First(s.retained, maxRetained)
	return s.keeper.Save(ctx)
}

// allRetained are the objects that are kept, also those that do not fit into status.
func (s *scope) allRetained() []v1alpha1.ObjectReference {
	if len(s.retained) > 0 {
		return s.retained
	}
	return s.instance.Status.Retained
}

// keptMessage says how many objects were kept.
func keptMessage(n int) string {
	return text.Count(n, "object is", "objects are") + " kept, see status.retained of the instance"
}

// takeUp strikes off the kept objects that the releases have again.
func (s *scope) takeUp(ctx context.Context) error {
	st := &s.instance.Status
	for _, known := range st.Releases {
		if len(st.Retained) == 0 {
			return nil
		}
		own, err := s.helm.Retained(ctx, known.Name)
		if err != nil {
			return err
		}
		st.Retained = slices.DeleteFunc(st.Retained, func(kept v1alpha1.ObjectReference) bool { return slices.Contains(own, kept) })
	}
	return nil
}
