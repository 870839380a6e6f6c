package appinstalltask

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
	"gonum.org/v1/gonum/graph/topo"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/outcome"
)

// Types of the dependencies of an app.
const (
	application = "application"
	system      = "system"
)

// checkDependencies checks that the mandatory dependencies of the app are running in the
// namespace of the task. Depending on spec.dependencies, the task waits for the missing
// ones or creates subtasks that install them, in dependency order.
func (r *Reconciler) checkDependencies(ctx context.Context, s *scope, p *taskFindings) error {
	summary := s.app.Info.Status.Summary
	if summary == nil {
		return nil
	}
	for _, d := range summary.Dependencies {
		p.Add(r.checkSystemRequirements(s, d))
	}
	var list v1alpha1.AppInstanceList
	if err := r.List(ctx, &list, client.InNamespace(s.task.Namespace)); err != nil {
		return fmt.Errorf("list instances: %w", err)
	}
	missing := missingDependencies(summary, list.Items)
	if len(missing) == 0 {
		return nil
	}
	if s.task.Spec.Dependencies == v1alpha1.DependenciesInstall {
		return r.addInstallSubtasks(ctx, s, p, list.Items)
	}
	for _, d := range missing {
		err := r.missingDependencyError(ctx, s, d)
		if !admission.IsFinding(err) {
			return err
		}
		p.Add(err)
	}
	return nil
}

// missingDependencyError returns an error that waits for a missing dependency. The error is
// terminal if the source lists the dependency but cannot publish it.
func (r *Reconciler) missingDependencyError(ctx context.Context, s *scope, d v1alpha1.AppDependency) error {
	said := fmt.Sprintf("app %q needs app %q", s.app.Info.Spec.App, d.Name)
	if d.Version != "" {
		said += fmt.Sprintf(" in a version %q", d.Version)
	}
	said += " to run in this namespace"
	ref := s.task.Spec.App
	ref.Name = d.Name
	app, err := r.Catalog.Find(ctx, ref, s.task.Namespace)
	if err == nil {
		_, err = app.FindVersion("")
	}
	switch {
	case !admission.IsFinding(err):
		return err
	case app != nil && outcome.IsStalled(err):
		return outcome.Stalled(v1alpha1.ReasonDependencyFailed, fmt.Errorf("%s: %w", said, err))
	}
	return outcome.Waiting(v1alpha1.ReasonWaitingForDependency, 0, fmt.Errorf(
		"%s: install it, or set spec.dependencies to Install", said))
}

// checkSystemRequirements compares the version of the platform with the range that the app requires.
func (r *Reconciler) checkSystemRequirements(s *scope, d v1alpha1.AppDependency) error {
	if d.Type != system || d.Version == "" {
		return nil
	}
	have, err := r.Planner.Profiles.SystemVersion(s.app.Source)
	if err != nil || have == "" || isVersionInRange(have, d.Version) {
		return err
	}
	return outcome.Stalled(v1alpha1.ReasonDependencyFailed, fmt.Errorf(
		"app %s needs %s in a version %q, and this platform is %s; choose another version of the app", s.app.Info.Spec.App, d.Name, d.Version, have))
}

// missingDependencies returns the mandatory app dependencies that no ready instance satisfies.
func missingDependencies(summary *v1alpha1.AppSummary, instances []v1alpha1.AppInstance) []v1alpha1.AppDependency {
	if summary == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(summary.Dependencies), func(d v1alpha1.AppDependency) bool {
		return d.Type != application || !d.Mandatory || isDependencySatisfied(d, instances)
	})
}

// missingApp is an app to install first and its version range.
type missingApp struct {
	app     string
	version string
}

// maxDependencies is the maximum number of apps that one task installs.
const maxDependencies = 40

// resolveDependencies returns the missing direct and transitive dependencies of an app, sorted so that
// each app follows its own dependencies. It returns an error that lists the apps of a
// dependency cycle.
func (r *Reconciler) resolveDependencies(ctx context.Context, s *scope, instances []v1alpha1.AppInstance) ([]missingApp, error) {
	g := simple.NewDirectedGraph()
	ids, names := map[string]int64{}, map[int64]string{}
	ranges := map[string]string{}
	node := func(app string) graph.Node {
		if _, known := ids[app]; !known {
			ids[app] = int64(len(ids))
			names[ids[app]] = app
			g.AddNode(simple.Node(ids[app]))
		}
		return simple.Node(ids[app])
	}
	root := s.task.Spec.App.Name
	node(root)
	for open := []string{root}; len(open) > 0; open = open[1:] {
		summary, err := r.getInstallableSummary(ctx, s, open[0])
		if err != nil {
			return nil, err
		}
		for _, d := range missingDependencies(summary, instances) {
			if d.Name == open[0] {
				return nil, dependencyCycleError([]string{d.Name})
			}
			if _, known := ids[d.Name]; !known {
				ranges[d.Name] = d.Version
				open = append(open, d.Name)
			}
			g.SetEdge(simple.Edge{F: node(d.Name), T: node(open[0])})
		}
		if len(ids) > maxDependencies {
			return nil, outcome.Stalled(v1alpha1.ReasonDependencyFailed, fmt.Errorf("app %s needs more than %d apps", root, maxDependencies))
		}
	}
	sorted, err := topo.SortStabilized(g, nil)
	if loops, ok := errors.AsType[topo.Unorderable](err); ok {
		var apps []string
		for _, n := range loops[0] {
			apps = append(apps, names[n.ID()])
		}
		return nil, dependencyCycleError(apps)
	}
	var needs []missingApp
	for _, n := range sorted {
		if app := names[n.ID()]; app != root {
			needs = append(needs, missingApp{app: app, version: ranges[app]})
		}
	}
	return needs, nil
}

func dependencyCycleError(apps []string) error {
	slices.Sort(apps)
	return outcome.Stalled(v1alpha1.ReasonDependencyCycle, fmt.Errorf(
		"these apps need each other and cannot be installed in any order: %s; install one of them by hand", strings.Join(apps, ", ")))
}

// getInstallableSummary returns the summary of an app of the same source. It returns a terminal error
// if the app cannot be installed.
func (r *Reconciler) getInstallableSummary(ctx context.Context, s *scope, name string) (*v1alpha1.AppSummary, error) {
	ref := s.task.Spec.App
	ref.Name = name
	app, err := r.Catalog.Find(ctx, ref, s.task.Namespace)
	if outcome.IsStalled(err) {
		return nil, outcome.Stalled(v1alpha1.ReasonDependencyFailed, fmt.Errorf("app %q is needed: %w", name, err))
	}
	if err != nil {
		return nil, err
	}
	return app.Info.Status.Summary, nil
}

// isDependencySatisfied reports whether a ready instance satisfies a dependency.
func isDependencySatisfied(d v1alpha1.AppDependency, instances []v1alpha1.AppInstance) bool {
	for _, i := range instances {
		ready := meta.IsStatusConditionTrue(i.Status.Conditions, v1alpha1.ConditionReady)
		if i.Spec.AppRef.Name == d.Name && ready && isVersionInRange(i.Status.Version, d.Version) {
			return true
		}
	}
	return false
}

// isVersionInRange reports whether a version is in a range. Every valid version satisfies an invalid
// range, because the tenant cannot correct the manifest of the app.
func isVersionInRange(version, allowed string) bool {
	v, err := semver.NewVersion(version)
	if err != nil {
		return false
	}
	constraint, err := semver.NewConstraint(allowed)
	return allowed == "" || err != nil || constraint.Check(v)
}
