package appinstance

import (
	"context"
	"fmt"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/status"
)

// maxRetained bounds the volume claims that are listed in status.
const maxRetained = 100

// remove makes an instance that should be absent so. It stays as the record.
func (r *Reconciler) remove(ctx context.Context, s *scope) error {
	if err := r.uninstall(ctx, s); err != nil {
		return err
	}
	r.forget(s)
	message := "removed"
	if n := len(s.instance.Status.Retained); n > 0 {
		message = fmt.Sprintf("removed; %d volume claims are kept, see status.retained", n)
	}
	for _, milestone := range status.AppInstance.Milestones {
		s.keeper.Reached(milestone, v1alpha1.ReasonRemoved, message)
	}
	s.keeper.Says(v1alpha1.ReasonRemoved, message)
	return nil
}

// uninstall removes all releases, the last one first, and the volume claims if
// they are not to be kept. It does nothing for an instance that has none.
func (r *Reconciler) uninstall(ctx context.Context, s *scope) error {
	if len(s.instance.Status.Releases) == 0 {
		return nil
	}
	// What is to be removed is known, whatever has become of the app.
	s.keeper.Reached(v1alpha1.ConditionResolved, v1alpha1.ReasonResolved, fmt.Sprintf("%d releases to remove", len(s.instance.Status.Releases)))
	operation := v1alpha1.Operation{
		Type: v1alpha1.OperationUninstall, Version: s.instance.Status.Version, ChartDigest: s.instance.Status.ChartDigest,
	}
	if err := failedBefore(s, operation); err != nil {
		return err
	}
	err := r.operate(ctx, s, operation, func(ctx context.Context) error {
		claims, err := r.takeDown(ctx, s)
		if err == nil {
			s.instance.Status.Retained = catalog.First(claims, maxRetained)
		}
		return err
	})
	if err != nil {
		return err
	}
	st := &s.instance.Status
	st.Releases, st.Inventory, st.Entrances, st.Outputs, st.Drift, st.AdoptedValues = nil, nil, nil, nil, nil, nil
	st.Version, st.ChartDigest, st.ValuesDigest, st.AvailableUpdate = "", "", "", ""
	st.Revision, st.Stopped = 0, false
	return s.succeeded(ctx)
}

// takeDown returns the volume claims that are kept.
func (r *Reconciler) takeDown(ctx context.Context, s *scope) ([]v1alpha1.ObjectReference, error) {
	claims := s.instance.Status.Retained
	for _, known := range slices.Backward(s.instance.Status.Releases) {
		rel, err := s.helm.Get(ctx, known.Name)
		if err != nil {
			return nil, err
		}
		if rel == nil || !s.owns(rel) {
			continue
		}
		if claims, err = s.retain(ctx, known.Name, claims); err != nil {
			return nil, err
		}
		if err := s.helm.Uninstall(ctx, known.Name, false, timeout(s.instance)); err != nil {
			return nil, err
		}
	}
	if s.instance.Spec.DataPolicy != v1alpha1.DataDelete {
		return claims, nil
	}
	return nil, s.helm.DeleteKept(ctx, claims)
}

// retain adds the volume claims of a release to those that are kept. They are noted
// before they lose their release, so that an interruption does not make them
// unknown.
func (s *scope) retain(ctx context.Context, name string, claims []v1alpha1.ObjectReference) ([]v1alpha1.ObjectReference, error) {
	own, err := s.helm.Claims(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, claim := range own {
		if !slices.Contains(claims, claim) {
			claims = append(claims, claim)
		}
	}
	s.instance.Status.Retained = catalog.First(claims, maxRetained)
	return claims, s.keeper.Save(ctx)
}

// takeUp strikes off the kept volume claims that the releases have again.
func (s *scope) takeUp(ctx context.Context) error {
	st := &s.instance.Status
	for _, known := range st.Releases {
		if len(st.Retained) == 0 {
			return nil
		}
		own, err := s.helm.Claims(ctx, known.Name)
		if err != nil {
			return err
		}
		st.Retained = slices.DeleteFunc(st.Retained, func(claim v1alpha1.ObjectReference) bool { return slices.Contains(own, claim) })
	}
	return nil
}
