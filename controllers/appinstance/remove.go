package appinstance

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

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
	r.Monitor.Untrack(client.ObjectKeyFromObject(s.instance))
	r.Turns.Forget(client.ObjectKeyFromObject(s.instance))
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
		own, err := s.helm.Claims(ctx, known.Name)
		if err != nil {
			return nil, err
		}
		for _, claim := range own {
			if !slices.Contains(claims, claim) {
				claims = append(claims, claim)
			}
		}
		// Noted before they lose their release, so that an interruption does not
		// make them unknown.
		s.instance.Status.Retained = claims[:min(len(claims), maxRetained)]
		if err := s.keeper.Save(ctx); err != nil {
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
