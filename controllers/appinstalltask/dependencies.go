package appinstalltask

import (
	"context"
	"fmt"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// application is the type of a dependency on another app.
const application = "application"

// checkDependencies waits for the apps that this one cannot do without. They must
// run in the same namespace.
func (r *Reconciler) checkDependencies(ctx context.Context, s *scope, p *preflight) error {
	summary := s.app.Info.Status.Summary
	if summary == nil || len(summary.Dependencies) == 0 {
		return nil
	}
	var list v1alpha1.AppInstanceList
	if err := r.List(ctx, &list, client.InNamespace(s.task.Namespace)); err != nil {
		return fmt.Errorf("list instances: %w", err)
	}
	for _, d := range summary.Dependencies {
		if d.Type == application && d.Mandatory && !satisfied(d, list.Items) {
			p.add(outcome.Waiting(v1alpha1.ReasonWaitingForDependency, 0, fmt.Errorf(
				"app %s needs app %s in a version %q to run in this namespace; install it", s.app.Info.Spec.App, d.Name, d.Version)))
		}
	}
	return nil
}

// satisfied reports whether an instance that runs is what a dependency asks for.
func satisfied(d v1alpha1.AppDependency, instances []v1alpha1.AppInstance) bool {
	for _, i := range instances {
		ready := meta.IsStatusConditionTrue(i.Status.Conditions, v1alpha1.ConditionReady)
		if i.Spec.AppRef.Name == d.Name && ready && within(i.Status.Version, d.Version) {
			return true
		}
	}
	return false
}

// within reports whether a version is in a range. A range that cannot be read is
// met by every version: it is the app's mistake, not the tenant's.
func within(version, allowed string) bool {
	v, err := semver.NewVersion(version)
	if err != nil {
		return false
	}
	constraint, err := semver.NewConstraint(allowed)
	return allowed == "" || err != nil || constraint.Check(v)
}
