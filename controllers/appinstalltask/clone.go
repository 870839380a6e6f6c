package appinstalltask

import (
	"cmp"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/transitions"
)

// checkCloneSource finds the instance to clone.
func checkCloneSource(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	name := s.task.Spec.CloneFrom().Name
	origin, err := getCloneSource(ctx, r, s)
	if err != nil {
		return p.AddOrReturn(err)
	}
	state := transitions.StateOf(origin)
	given := s.task.Spec.Parameters()
	switch {
	case origin == nil:
		p.Add(outcome.Stalled(v1alpha1.ReasonNotInstalled, fmt.Errorf(
			"instance %q not found in namespace %q; correct spec.clone.from", name, cmp.Or(s.task.Spec.CloneFrom().Namespace, s.task.Namespace))))
	case !transitions.Cloneable(state):
		p.Add(outcome.Stalled(v1alpha1.ReasonNotInstalled, fmt.Errorf("instance %q is in state %s and cannot be cloned; install it first", name, state)))
	case origin.Spec.AppRef.Name != s.task.Spec.AppRef.Name || origin.Spec.AppRef.Source != s.task.Spec.AppRef.Source:
		p.Add(outcome.Stalled(v1alpha1.ReasonInvalidSpec, fmt.Errorf(
			"instance %q belongs to app %q of source %q; set spec.appRef to that app, or spec.clone.from to another instance",
			name, origin.Spec.AppRef.Name, origin.Spec.AppRef.Source)))
	case origin.Spec.PinnedRevision != 0 && (given.Version == "" || given.Values == nil && given.ValuesFrom == nil):
		p.Add(outcome.Stalled(v1alpha1.ReasonInvalidState, fmt.Errorf(
			"instance %q is pinned to revision %d by spec.pinnedRevision, which overrides its spec.version and spec.values; "+
				"set spec.clone.version and spec.clone.values, or use action Upgrade on the instance first", name, origin.Spec.PinnedRevision)))
	default:
		s.cloneSource = origin
	}
	return nil
}

// checkClone checks that the clone does not conflict with the cloned instance, and that its titles
// are specified and unique.
func checkClone(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	if s.app == nil || s.app.Info.Status.Summary == nil {
		return nil
	}
	if err := admission.CheckCloneSafety(s.isCrossNamespace())(ctx, newOperation(r, s), &p.Findings); err != nil {
		return err
	}
	return checkCloneTitles(ctx, r, s, p)
}

// isCrossNamespace reports whether the cloned instance is in another namespace.
func (s *scope) isCrossNamespace() bool {
	from := s.task.Spec.CloneFrom().Namespace
	return from != "" && from != s.task.Namespace
}

// getCloneSource returns the instance to clone, or nil if it does not exist. It reads an instance
// in another namespace as the service account of the task, which needs permission to get
// it.
func getCloneSource(ctx context.Context, r *Reconciler, s *scope) (*v1alpha1.AppInstance, error) {
	if !s.isCrossNamespace() {
		return getInstance(ctx, r, s.task.Namespace, s.task.Spec.CloneFrom().Name)
	}
	tenant := s.tenant()
	reader, err := r.Tenants.ClientFor(tenant)
	if err != nil {
		return nil, fmt.Errorf("impersonate service account %q: %w", tenant.ServiceAccount, err)
	}
	from := types.NamespacedName{Namespace: s.task.Spec.CloneFrom().Namespace, Name: s.task.Spec.CloneFrom().Name}
	origin := &v1alpha1.AppInstance{}
	switch err := reader.Get(ctx, from, origin); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case apierrors.IsForbidden(err):
		return nil, outcome.Stalled(v1alpha1.ReasonPermissionDenied, fmt.Errorf(
			"service account %q cannot get appinstances.appmarket.io in namespace %q; grant it the permission, or set another spec.serviceAccountName", tenant.ServiceAccount, from.Namespace))
	case err != nil:
		return nil, fmt.Errorf("get instance %q: %w", from, err)
	}
	return origin, nil
}

// checkCloneTitles adds every missing or duplicate title to the required inputs.
func checkCloneTitles(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	others, err := otherInstances(ctx, r, s)
	if err != nil {
		return err
	}
	var taken []string
	for i := range others {
		taken = append(taken, others[i].Spec.Title)
		for _, e := range others[i].Status.Entrances {
			taken = append(taken, e.Title)
		}
	}
	title := s.task.Spec.ParametersPath() + ".title"
	wanted := []inputs.Entrance{{Name: title, Title: "Title of the instance"}}
	for _, e := range s.app.Info.Status.Summary.Entrances {
		if !e.Hidden {
			wanted = append(wanted, inputs.Entrance{Name: e.Name, Title: e.Title})
		}
	}
	given := map[string]string{title: s.task.Spec.Parameters().Title}
	for _, e := range s.task.Spec.Parameters().Entrances {
		given[e.Name] = e.Title
	}
	p.addInputProblems(s.task, installplan.Titles, inputs.CheckTitles(wanted, given, taken))
	return nil
}
