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

// otherInstances returns the other instances in the namespace that are not removed.
func (r *Reconciler) otherInstances(ctx context.Context, s *scope) ([]v1alpha1.AppInstance, error) {
	var list v1alpha1.AppInstanceList
	if err := r.List(ctx, &list, client.InNamespace(s.task.Namespace)); err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	return slices.DeleteFunc(list.Items, func(i v1alpha1.AppInstance) bool {
		return i.Name == s.task.Instance() || transitions.StateOf(&i) == transitions.Removed
	}), nil
}

// getAppSummary returns the summary of the app of an instance, or nil if the app or its summary
// does not exist.
func (r *Reconciler) getAppSummary(ctx context.Context, of *v1alpha1.AppInstance) (*v1alpha1.AppSummary, error) {
	app, err := r.Catalog.Find(ctx, of.Spec.AppRef, of.Namespace)
	if !admission.IsFinding(err) {
		return nil, err
	}
	if err != nil {
		return nil, nil
	}
	return app.Info.Status.Summary, nil
}

// checkConflicts checks that the app does not conflict with an installed app, in either
// direction, and that an app that allows only one instance per namespace has none.
func (r *Reconciler) checkConflicts(ctx context.Context, s *scope, p *taskFindings) error {
	if s.app == nil || s.app.Info.Status.Summary == nil {
		return nil
	}
	others, err := r.otherInstances(ctx, s)
	if err != nil {
		return err
	}
	name, mine := s.task.Spec.AppRef.Name, s.app.Info.Status.Summary
	for i := range others {
		other := &others[i]
		theirs, err := r.getAppSummary(ctx, other)
		if err != nil {
			return err
		}
		app := other.Spec.AppRef.Name
		if hasAppInRange(mine.Conflicts, app, other.Status.Version) || theirs != nil && hasAppInRange(theirs.Conflicts, name, s.resolvedVersion()) {
			p.Add(outcome.Stalled(v1alpha1.ReasonConflictingApp, fmt.Errorf(
				"app %s cannot run beside app %s, which instance %s is of; uninstall that first", name, app, other.Name)))
		}
		if app == name && other.Spec.AppRef.Source == s.task.Spec.AppRef.Source && isSingleInstance(mine) {
			p.Add(outcome.Stalled(v1alpha1.ReasonSingleInstance, fmt.Errorf(
				"app %s may be installed once in a namespace, and instance %s is there", name, other.Name)))
		}
	}
	return nil
}

// isSingleInstance reports whether an app allows only one instance. A chart without an Olares
// manifest has no such restriction.
func isSingleInstance(summary *v1alpha1.AppSummary) bool {
	return (summary.Type == "app" || summary.Type == "middleware") && !summary.Cloneable
}

// resolvedVersion returns the resolved version of the task, or "" if it is not resolved.
func (s *scope) resolvedVersion() string {
	if s.version == nil {
		return ""
	}
	return s.version.Version
}

// hasAppInRange reports whether a list of version ranges by app contains an app in a version.
func hasAppInRange(list []v1alpha1.AppDependency, app, version string) bool {
	return slices.ContainsFunc(list, func(d v1alpha1.AppDependency) bool {
		return d.Name == app && (version == "" || isVersionInRange(version, d.Version))
	})
}

// checkDependents returns a finding if other instances depend on this one, unless
// spec.uninstall.dependents is Uninstall.
func (r *Reconciler) checkDependents(ctx context.Context, s *scope, p *taskFindings) error {
	if s.instance == nil {
		return nil
	}
	dependents, err := r.dependentInstances(ctx, s)
	if err != nil {
		return err
	}
	if s.task.Spec.UninstallsDependents() {
		s.addUninstallSubtasks(p, dependents)
		return nil
	}
	if len(dependents) == 0 {
		return nil
	}
	var said []string
	for _, d := range dependents {
		said = append(said, d.Name)
	}
	p.Add(outcome.Stalled(v1alpha1.ReasonHasDependents, fmt.Errorf(
		"these instances need app %s: %s; uninstall them first, or set spec.uninstall.dependents to Uninstall", s.instance.Spec.AppRef.Name, strings.Join(said, ", "))))
	return nil
}

// dependentInstances returns the instances that depend on the app of this one, sorted for removal.
// It returns none if another instance of the app remains in the namespace.
func (r *Reconciler) dependentInstances(ctx context.Context, s *scope) ([]v1alpha1.AppInstance, error) {
	others, err := r.otherInstances(ctx, s)
	if err != nil {
		return nil, err
	}
	needs := map[string][]string{} // the apps that an instance needs, by its name
	for i := range others {
		other := &others[i]
		if other.Spec.AppRef.Name == s.instance.Spec.AppRef.Name {
			return nil, nil
		}
		summary, err := r.getAppSummary(ctx, other)
		if err != nil {
			return nil, err
		}
		if summary == nil {
			continue
		}
		for _, d := range summary.Dependencies {
			if d.Type == application && d.Required {
				needs[other.Name] = append(needs[other.Name], d.Name)
			}
		}
	}
	return dependentsInOrder(s.instance.Spec.AppRef.Name, others, needs), nil
}

// dependentsInOrder returns the instances that need an app, directly or transitively, sorted so that
// an instance precedes the instances that it needs.
func dependentsInOrder(app string, all []v1alpha1.AppInstance, needs map[string][]string) []v1alpha1.AppInstance {
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
