package appinstalltask

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/transitions"
)

// neighbours are the other instances of the namespace that are not removed.
func (r *Reconciler) neighbours(ctx context.Context, s *scope) ([]v1alpha1.AppInstance, error) {
	var list v1alpha1.AppInstanceList
	if err := r.List(ctx, &list, client.InNamespace(s.task.Namespace)); err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	return slices.DeleteFunc(list.Items, func(i v1alpha1.AppInstance) bool {
		return i.Name == s.task.Instance() || transitions.StateOf(&i) == transitions.Removed
	}), nil
}

// summary is what is known of the app of an instance, nil where nothing is.
func (r *Reconciler) summary(ctx context.Context, of *v1alpha1.AppInstance) (*v1alpha1.AppSummary, error) {
	app, err := r.Catalog.Find(ctx, of.Spec.AppRef, of.Namespace)
	if !admission.IsFinding(err) {
		return nil, err
	}
	if err != nil {
		return nil, nil
	}
	return app.Info.Status.Summary, nil
}

// checkNeighbours looks for apps beside which this one cannot run, whichever of the
// two says so, and for a second instance of an app that may be installed once.
func (r *Reconciler) checkNeighbours(ctx context.Context, s *scope, p *findings) error {
	if s.app == nil || s.app.Info.Status.Summary == nil {
		return nil
	}
	others, err := r.neighbours(ctx, s)
	if err != nil {
		return err
	}
	name, mine := s.task.Spec.App.Name, s.app.Info.Status.Summary
	for i := range others {
		other := &others[i]
		theirs, err := r.summary(ctx, other)
		if err != nil {
			return err
		}
		app := other.Spec.AppRef.Name
		if names(mine.Conflicts, app, other.Status.Version) || theirs != nil && names(theirs.Conflicts, name, s.chosen()) {
			p.Add(outcome.Stalled(v1alpha1.ReasonConflictingApp, fmt.Errorf(
				"app %s cannot run beside app %s, which instance %s is of; uninstall that first", name, app, other.Name)))
		}
		if app == name && other.Spec.AppRef.Source == s.task.Spec.App.Source && single(mine) {
			p.Add(outcome.Stalled(v1alpha1.ReasonSingleInstance, fmt.Errorf(
				"app %s may be installed once in a namespace, and instance %s is there", name, other.Name)))
		}
	}
	return nil
}

// single reports whether an app with a manifest may be installed once only. A plain
// chart says nothing of it.
func single(summary *v1alpha1.AppSummary) bool {
	return (summary.Type == "app" || summary.Type == "middleware") && !summary.Cloneable
}

// chosen is the version that the task has chosen, empty while there is none.
func (s *scope) chosen() string {
	if s.version == nil {
		return ""
	}
	return s.version.Version
}

// names reports whether a list of apps with ranges names an app in a version.
func names(list []v1alpha1.AppDependency, app, version string) bool {
	return slices.ContainsFunc(list, func(d v1alpha1.AppDependency) bool {
		return d.Name == app && (version == "" || within(version, d.Version))
	})
}

// checkDependents refuses to remove what others need, unless they are to go first.
func (r *Reconciler) checkDependents(ctx context.Context, s *scope, p *findings) error {
	if s.instance == nil {
		return nil
	}
	dependents, err := r.dependents(ctx, s)
	if err != nil {
		return err
	}
	if s.all() {
		s.removeFirst(p, dependents)
		return nil
	}
	if len(dependents) == 0 {
		return nil
	}
	var said []string
	for _, d := range dependents {
		said = append(said, d.Name)
	}
	p.Add(outcome.Stalled(v1alpha1.ReasonDependedUpon, fmt.Errorf(
		"these instances need app %s: %s; uninstall them first, or set spec.all", s.instance.Spec.AppRef.Name, strings.Join(said, ", "))))
	return nil
}

// all reports whether an uninstall is to remove more than its instance.
func (s *scope) all() bool { return s.task.Spec.All != nil && *s.task.Spec.All }

// dependents are the instances that need the app of this one, those that others of
// them need last. There are none while another instance of the app remains.
func (r *Reconciler) dependents(ctx context.Context, s *scope) ([]v1alpha1.AppInstance, error) {
	others, err := r.neighbours(ctx, s)
	if err != nil {
		return nil, err
	}
	needs := map[string][]string{} // by the name of an instance, the apps that it needs
	for i := range others {
		other := &others[i]
		if other.Spec.AppRef.Name == s.instance.Spec.AppRef.Name {
			return nil, nil
		}
		summary, err := r.summary(ctx, other)
		if err != nil {
			return nil, err
		}
		if summary == nil {
			continue
		}
		for _, d := range summary.Dependencies {
			if d.Type == application && d.Mandatory {
				needs[other.Name] = append(needs[other.Name], d.Name)
			}
		}
	}
	return behind(s.instance.Spec.AppRef.Name, others, needs), nil
}

// behind are the instances that need an app, directly or through others: whoever
// nobody else needs comes first.
func behind(app string, all []v1alpha1.AppInstance, needs map[string][]string) []v1alpha1.AppInstance {
	var order []v1alpha1.AppInstance
	seen := map[string]bool{}
	var visit func(app string)
	visit = func(app string) {
		for i := range all {
			if seen[all[i].Name] || !slices.Contains(needs[all[i].Name], app) {
				continue
			}
			seen[all[i].Name] = true
			visit(all[i].Spec.AppRef.Name)
			order = append(order, all[i])
		}
	}
	visit(app)
	return order
}
