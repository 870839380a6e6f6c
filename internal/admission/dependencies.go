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

// CheckDependencies checks that the required dependencies of the app are running in the
// namespace. The operation waits for the missing ones.
func CheckDependencies(ctx context.Context, o *Operation, f *Findings) error {
	if o.summary() == nil || o.Version == nil {
		return nil
	}
	instances, err := listInstances(ctx, o)
	if err != nil {
		return err
	}
	for _, d := range missingDependencies(o.summary(), instances) {
		if err := addMissingDependency(ctx, o, f, d); err != nil {
			return err
		}
	}
	return nil
}

// HasMissingDependencies reports whether a required dependency of the app is not running in the
// namespace.
func HasMissingDependencies(ctx context.Context, o *Operation) (bool, error) {
	instances, err := listInstances(ctx, o)
	return len(missingDependencies(o.summary(), instances)) > 0, err
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
	message += fmt.Sprintf(" to be running in namespace %q", o.Tenant.Namespace)
	ref := o.AppRef
	ref.Name = d.Name
	app, err := o.Catalog.Find(ctx, ref, o.Tenant.Namespace)
	if err == nil {
		_, err = app.FindVersion("", "")
	}
	switch {
	case !IsFinding(err):
		return err
	case app != nil && outcome.IsStalled(err):
		f.AddUnmet(v1alpha1.ReasonDependencyFailed, "%s, but it cannot be installed: %w", message, err)
		return nil
	}
	message += "; install it"
	if o.InstallsDependencies {
		message += ", or set spec.dependencies to Install"
	}
	f.Add(outcome.Waiting(v1alpha1.ReasonWaitingForDependency, 0, errors.New(message)))
	return nil
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

// missingDependencies returns the required app dependencies that no ready instance satisfies.
func missingDependencies(summary *v1alpha1.AppSummary, instances []v1alpha1.AppInstance) []v1alpha1.AppDependency {
	if summary == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(summary.Dependencies), func(d v1alpha1.AppDependency) bool {
		return d.Type != application || !d.Required || isDependencySatisfied(d, instances)
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
