package appinstalltask

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
)

// checkSharedUsers returns a finding if other instances use this shared chart, unless
// spec.uninstall.dependents is Uninstall.
func checkSharedUsers(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	if s.instance == nil || !admission.IsSharedInstance(s.instance) {
		return nil
	}
	place, err := admission.GetSharedNamespace(ctx, r.Client, s.instance.Namespace)
	if err != nil || !place.IsTrusted {
		return err // No instance uses an untrusted one, and its owner must not learn who has the app.
	}
	users, err := instancesUsing(ctx, r, s.instance)
	if err != nil || len(users) == 0 {
		return err
	}
	if s.task.Spec.UninstallsDependents() {
		addUninstallSubtasks(s, p, users)
		return nil
	}
	p.Add(outcome.Stalled(v1alpha1.ReasonHasDependents, fmt.Errorf(
		"other instances use this shared chart of app %q (%s); uninstall them first, or set spec.uninstall.dependents to Uninstall", s.instance.Spec.AppRef.Name, formatInstances(users))))
	return nil
}

// instancesUsing returns the instances of an app that use one of its shared charts.
func instancesUsing(ctx context.Context, r *Reconciler, of *v1alpha1.AppInstance) ([]v1alpha1.AppInstance, error) {
	all, err := admission.ListInstallations(ctx, r.Client, catalog.InstanceKey(of), "")
	return slices.DeleteFunc(all, func(i v1alpha1.AppInstance) bool {
		return admission.IsSharedInstance(&i) || i.Namespace == of.Namespace
	}), err
}

// formatInstances lists the first 10 instances with their namespaces.
func formatInstances(all []v1alpha1.AppInstance) string {
	const most = 10
	var names []string
	for _, i := range catalog.FirstItems(all, most) {
		names = append(names, i.Namespace+"/"+i.Name)
	}
	if more := len(all) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// checkSharedRemoval checks, before anything is removed, that an uninstall may also remove the
// shared charts of its app.
func checkSharedRemoval(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	parts, err := sharedChartsToRemove(ctx, r, s)
	if err != nil {
		return err
	}
	for i := range parts {
		part := &parts[i]
		// Do not reveal the instances in other namespaces to a tenant without this
		// permission.
		known := p.Len()
		if err := checkUninstallPermission(ctx, r, s, p, newUninstallTask(s.task, part)); err != nil {
			return err
		}
		if p.Len() > known {
			continue
		}
		users, err := instancesUsing(ctx, r, part)
		if err != nil {
			return err
		}
		users = slices.DeleteFunc(users, func(i v1alpha1.AppInstance) bool {
			return i.Namespace == s.task.Namespace && i.Name == s.task.Instance()
		})
		if len(users) > 0 {
			p.Add(outcome.Stalled(v1alpha1.ReasonHasDependents, fmt.Errorf(
				"spec.uninstall.sharedCharts: other instances use shared chart %q (%s); set the field to Keep", part.Namespace+"/"+part.Name, formatInstances(users))))
		}
	}
	return nil
}

// sharedChartsToRemove returns the shared charts that are removed together with the instance.
func sharedChartsToRemove(ctx context.Context, r *Reconciler, s *scope) ([]v1alpha1.AppInstance, error) {
	if !s.task.Spec.RemovesSharedCharts() || s.instance == nil || admission.IsSharedInstance(s.instance) {
		return nil, nil
	}
	summary, err := admission.FindSummary(ctx, r.Catalog, s.instance)
	if err != nil {
		return nil, err
	}
	var found []v1alpha1.AppInstance
	for _, namespace := range slices.Sorted(maps.Values(admission.SharedChartNamespaces(summary))) {
		there, err := admission.ListInstallations(ctx, r.Client, catalog.InstanceKey(s.instance), namespace)
		if err != nil {
			return nil, err
		}
		found = append(found, there...)
	}
	return found, nil
}

// removeSharedCharts removes the shared charts of an app after its instance is removed.
func removeSharedCharts(ctx context.Context, r *Reconciler, s *scope) error {
	parts, err := sharedChartsToRemove(ctx, r, s)
	if err != nil {
		return err
	}
	for i := range parts {
		if err := ensureSubtask(ctx, r, s, newUninstallTask(s.task, &parts[i])); err != nil {
			return err
		}
	}
	return nil
}
