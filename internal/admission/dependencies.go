package admission

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// Types of the dependencies of an app.
const (
	application = "application"
	system      = "system"
)

// CheckDependencies checks that the required dependencies of the app are running in the namespace
// or, if they can be installed once in a cluster, in any namespace. The operation waits for the
// missing ones.
func CheckDependencies(ctx context.Context, o *Operation, f *Findings) error {
	if o.summary() == nil || o.Version == nil {
		return nil
	}
	instances, err := listInstances(ctx, o)
	if err != nil {
		return err
	}
	missing, err := missingDependencies(ctx, o, o.summary(), instances)
	if err != nil {
		return err
	}
	for _, d := range missing {
		if err := addMissingDependency(ctx, o, f, d); err != nil {
			return err
		}
	}
	return nil
}

// HasMissingDependencies reports whether a required dependency of the app is not running.
func HasMissingDependencies(ctx context.Context, o *Operation) (bool, error) {
	instances, err := listInstances(ctx, o)
	if err != nil {
		return false, err
	}
	missing, err := missingDependencies(ctx, o, o.summary(), instances)
	return len(missing) > 0, err
}

func listInstances(ctx context.Context, o *Operation) ([]v1alpha1.AppInstance, error) {
	var list v1alpha1.AppInstanceList
	if err := o.Objects.List(ctx, &list, client.InNamespace(o.Tenant.Namespace)); err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	return list.Items, nil
}

// addMissingDependency adds a finding that waits for a missing dependency. If the source lists the
// dependency but cannot publish it, the requirement is unmet.
func addMissingDependency(ctx context.Context, o *Operation, f *Findings, d v1alpha1.AppDependency) error {
	message := fmt.Sprintf("app %q requires app %q", o.App.Info.Spec.App, d.Name)
	if d.Version != "" {
		message += fmt.Sprintf(" with a version that matches %q", d.Version)
	}
	ref := o.toDependencyRef(d.Name)
	app, err := o.Catalog.Find(ctx, ref, o.Tenant.Namespace)
	if err == nil {
		_, err = app.FindVersion("", "")
	}
	isSingleton, failed := isClusterSingleton(ctx, o.Catalog.Objects, ref, o.Tenant.Namespace)
	if failed != nil {
		return failed
	}
	place, advice := fmt.Sprintf("in namespace %q", o.Tenant.Namespace), "install it"
	if o.InstallsDependencies {
		advice += ", or set spec.dependencies to Install"
	}
	if isSingleton {
		place, advice = "in any namespace", "ask a cluster administrator to install or upgrade it"
	}
	message += " to be running " + place
	switch {
	case !IsFinding(err):
		return err
	case app != nil && outcome.IsStalled(err):
		f.AddUnmet(v1alpha1.ReasonDependencyFailed, "%s, but it cannot be installed: %w", message, err)
		return nil
	}
	f.Add(outcome.Waiting(v1alpha1.ReasonWaitingForDependency, 0, errors.New(message+"; "+advice)))
	return nil
}

// toDependencyRef returns the reference to an app that the app requires, which is in the same source.
func (o *Operation) toDependencyRef(app string) v1alpha1.AppReference {
	ref := o.AppRef
	ref.Name = app
	return ref
}

// CheckPlatformVersion compares the version of the platform with the ranges that the app requires.
func CheckPlatformVersion(_ context.Context, o *Operation, f *Findings) error {
	if o.summary() == nil || o.Version == nil {
		return nil
	}
	for _, d := range o.summary().Dependencies {
		if d.Type != system || d.Version == "" {
			continue
		}
		have, err := o.Profiles.SystemVersion(o.App.Source)
		if err != nil {
			return f.AddOrReturn(err)
		}
		if have != "" && !isVersionInRange(have, d.Version) {
			f.AddUnmet(v1alpha1.ReasonDependencyFailed,
				"app %q requires version %[3]q of platform %[2]q, but the platform has version %[4]s; use another version of the app", o.App.Info.Spec.App, d.Name, d.Version, have)
		}
	}
	return nil
}

// missingDependencies returns the required apps that no ready instance satisfies: one of the given
// instances of the namespace or, if the app can be installed once in a cluster, of any namespace.
func missingDependencies(ctx context.Context, o *Operation, summary *v1alpha1.AppSummary, instances []v1alpha1.AppInstance) ([]v1alpha1.AppDependency, error) {
	var missing []v1alpha1.AppDependency
	for _, d := range requiredApps(summary) {
		if isDependencySatisfied(d, instances) {
			continue
		}
		singletons, err := listSingletons(ctx, o, o.toDependencyRef(d.Name))
		if err != nil {
			return nil, err
		}
		if !isDependencySatisfied(d, singletons) {
			missing = append(missing, d)
		}
	}
	return missing, nil
}

// requiredApps returns the apps that an app requires.
func requiredApps(summary *v1alpha1.AppSummary) []v1alpha1.AppDependency {
	if summary == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(summary.Dependencies), func(d v1alpha1.AppDependency) bool {
		return d.Type != application || !d.Required
	})
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
