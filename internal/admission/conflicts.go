package admission

import (
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// CheckConflicts checks that the app does not conflict with another app in the namespace, in
// either direction.
func CheckConflicts(ctx context.Context, o *Operation, f *Findings) error {
	mine := o.summary()
	if mine == nil {
		return nil
	}
	others, err := precedingInstances(ctx, o)
	if err != nil {
		return err
	}
	for i := range others {
		other := &others[i]
		theirs, err := FindSummary(ctx, o.Catalog, other)
		if err != nil {
			return err
		}
		app := other.Spec.AppRef.Name
		if hasAppInRange(mine.Conflicts, app, other.Status.Version) || theirs != nil && hasAppInRange(theirs.Conflicts, o.AppRef.Name, o.versionText()) {
			f.AddUnmet(v1alpha1.ReasonConflictingApp,
				"app %q conflicts with app %q of instance %q; uninstall that instance first", o.AppRef.Name, app, other.Name)
		}
	}
	return nil
}

// CheckSingleInstance checks that an app that allows only one instance per namespace has no other
// instance.
func CheckSingleInstance(ctx context.Context, o *Operation, f *Findings) error {
	if summary := o.summary(); summary == nil || !summary.IsSingleInstance() {
		return nil
	}
	others, err := precedingInstances(ctx, o)
	if err != nil {
		return err
	}
	for i := range others {
		if ref := others[i].Spec.AppRef; ref.Name == o.AppRef.Name && ref.Source == o.AppRef.Source {
			f.AddUnmet(v1alpha1.ReasonSingleInstance,
				"app %q allows only one instance per namespace, but instance %q already exists; use that instance, or install the app in another namespace", o.AppRef.Name, others[i].Name)
		}
	}
	return nil
}

// precedingInstances returns the other instances in the namespace that the operation must not
// conflict with. Of two instances that both wait for their installation, the older one precedes,
// so that they do not wait for each other.
func precedingInstances(ctx context.Context, o *Operation) ([]v1alpha1.AppInstance, error) {
	others, err := ListOtherInstances(ctx, o.Objects, o.Tenant.Namespace, o.Name)
	return slices.DeleteFunc(others, func(other v1alpha1.AppInstance) bool { return o.hasPrecedence(&other) }), err
}

// hasPrecedence reports whether the instance of the operation waits for its installation, like another
// one, and is the older of the two.
func (o *Operation) hasPrecedence(other *v1alpha1.AppInstance) bool {
	return o.Instance != nil && !hasStarted(other) && isOlder(o.Instance, other)
}

// hasStarted reports whether an instance is installed or is being installed.
func hasStarted(instance *v1alpha1.AppInstance) bool {
	return len(instance.Status.Releases) > 0 || instance.Status.Revision > 0 || instance.Status.CurrentOperation != nil
}

func isOlder(a, b *v1alpha1.AppInstance) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return client.ObjectKeyFromObject(a).String() < client.ObjectKeyFromObject(b).String()
}

// hasAppInRange reports whether a list of version ranges by app contains an app in a version.
func hasAppInRange(list []v1alpha1.AppDependency, app, version string) bool {
	return slices.ContainsFunc(list, func(d v1alpha1.AppDependency) bool {
		return d.Name == app && (version == "" || isVersionInRange(version, d.Version))
	})
}
