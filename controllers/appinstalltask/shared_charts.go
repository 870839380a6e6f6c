package appinstalltask

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/transitions"
)

// sharedChartNamespaces returns the namespaces of the shared charts of an app, which are installed
// once per cluster, by the name of their chart.
func sharedChartNamespaces(summary *v1alpha1.AppSummary) map[string]string {
	parts := map[string]string{}
	if summary == nil {
		return parts
	}
	for _, c := range summary.SubCharts {
		if c.Shared {
			parts[c.Name] = hydrate.SharedNamespace(c.Name)
		}
	}
	return parts
}

// isSharedInstance reports whether an instance is a shared chart of its app. Such an instance has a
// release of that chart in the namespace of the chart.
func isSharedInstance(instance *v1alpha1.AppInstance) bool {
	return slices.ContainsFunc(instance.Status.Releases, func(r v1alpha1.Release) bool {
		return r.Unit != "" && hydrate.SharedNamespace(r.Unit) == instance.Namespace
	})
}

// appKeyFor returns the AppInfo of an instance in the form that AppKey returns.
func appKeyFor(instance *v1alpha1.AppInstance) string {
	return cmp.Or(instance.Spec.AppRef.Namespace, instance.Namespace) + "/" + instance.Spec.AppRef.AppInfoName()
}

// listInstallations returns the instances of an app that are not removed, in one namespace or,
// if none is given, in all namespaces. Do not change the instances: they belong to the
// cache.
func (r *Reconciler) listInstallations(ctx context.Context, app, namespace string) ([]v1alpha1.AppInstance, error) {
	var list v1alpha1.AppInstanceList
	if err := r.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	var found []v1alpha1.AppInstance
	for i := range list.Items {
		if one := &list.Items[i]; appKeyFor(one) == app && transitions.StateOf(one) != transitions.Removed {
			found = append(found, *one)
		}
	}
	return found, nil
}

// checkSharedRunning checks that the shared charts of an app are running. The task waits for the
// missing ones, because only an administrator can install them.
func (r *Reconciler) checkSharedRunning(ctx context.Context, s *scope, p *taskFindings) error {
	if s.app == nil {
		return nil
	}
	parts := sharedChartNamespaces(s.app.Info.Status.Summary)
	for _, unit := range slices.Sorted(maps.Keys(parts)) {
		if parts[unit] == s.task.Namespace {
			return nil
		}
	}
	for _, unit := range slices.Sorted(maps.Keys(parts)) {
		place, err := r.getSharedNamespace(ctx, parts[unit])
		if err != nil {
			return err
		}
		all, err := r.listInstallations(ctx, AppKey(s.task), parts[unit])
		if err != nil {
			return err
		}
		if place.isTrusted && slices.ContainsFunc(all, func(i v1alpha1.AppInstance) bool { return transitions.StateOf(&i) == transitions.Running }) {
			continue
		}
		remedy, err := s.installTaskYAML(parts[unit])
		if err != nil {
			return err
		}
		advice, after := "", time.Duration(0)
		if place.exists && !place.isTrusted {
			// Labeling a namespace does not trigger a reconcile of the task.
			advice, after = fmt.Sprintf(", which has not the label %s=true: check who has rights there, and then", v1alpha1.SharedPartsLabel), recheckInterval
		}
		p.AddWithRemedy(outcome.Waiting(v1alpha1.ReasonWaitingForDependency, after, fmt.Errorf(
			"app %s needs its part %s, which serves the whole cluster, to run in namespace %s%s: an administrator must apply %s",
			s.app.Info.Spec.App, unit, parts[unit], advice, preflight.RemedyPlaceholder)), remedy)
	}
	return nil
}

// sharedNamespace is the state of the namespace of a shared chart.
type sharedNamespace struct {
	exists bool
	// isTrusted reports whether a cluster administrator has labeled the namespace. An
	// unlabeled namespace of this name could belong to any tenant, who would then receive
	// the data and the logins of all users.
	isTrusted bool
}

func (r *Reconciler) getSharedNamespace(ctx context.Context, name string) (sharedNamespace, error) {
	namespace := &corev1.Namespace{}
	err := r.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if apierrors.IsNotFound(err) {
		return sharedNamespace{}, nil
	}
	if err != nil {
		return sharedNamespace{}, fmt.Errorf("get namespace %s: %w", name, err)
	}
	return sharedNamespace{exists: true, isTrusted: namespace.Labels[v1alpha1.SharedPartsLabel] == "true"}, nil
}

// installTaskYAML returns, as YAML, a task that installs the app into another namespace,
// together with the namespace and a service account that has the role admin in it. It
// quotes the name of the namespace, because the author of the chart chooses it and an
// administrator applies the text.
func (s *scope) installTaskYAML(namespace string) (string, error) {
	const account = "appmarket-tenant"
	app := s.task.Spec.AppRef
	app.Namespace = cmp.Or(app.Namespace, s.task.Namespace)
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "AppInstallTask",
		"metadata": map[string]any{"name": app.Name, "namespace": namespace},
		"spec":     map[string]any{"action": v1alpha1.ActionInstall, "app": app, "serviceAccountName": account},
	})
	if err != nil {
		return "", fmt.Errorf("write task: %w", err)
	}
	return fmt.Sprintf(`apiVersion: v1
kind: Namespace
metadata:
  name: %[1]q
  labels:
    %[4]s: "true"
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: %[2]q
  namespace: %[1]q
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: %[2]q
  namespace: %[1]q
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: admin
subjects:
- kind: ServiceAccount
  name: %[2]q
  namespace: %[1]q
---
%[3]s`, namespace, account, text, v1alpha1.SharedPartsLabel), nil
}

// checkSharedUsers returns a finding if other instances use this shared chart, unless
// spec.uninstall.dependents is Uninstall.
func (r *Reconciler) checkSharedUsers(ctx context.Context, s *scope, p *taskFindings) error {
	if s.instance == nil || !isSharedInstance(s.instance) {
		return nil
	}
	place, err := r.getSharedNamespace(ctx, s.instance.Namespace)
	if err != nil || !place.isTrusted {
		return err // No instance uses an untrusted one, and its owner must not learn who has the app.
	}
	users, err := r.instancesUsing(ctx, s.instance)
	if err != nil || len(users) == 0 {
		return err
	}
	if s.task.Spec.UninstallsDependents() {
		s.addUninstallSubtasks(p, users)
		return nil
	}
	p.Add(outcome.Stalled(v1alpha1.ReasonHasDependents, fmt.Errorf(
		"these instances need this part of app %s: %s; uninstall them first, or set spec.uninstall.dependents to Uninstall", s.instance.Spec.AppRef.Name, formatInstances(users))))
	return nil
}

// instancesUsing returns the instances of an app that use one of its shared charts.
func (r *Reconciler) instancesUsing(ctx context.Context, of *v1alpha1.AppInstance) ([]v1alpha1.AppInstance, error) {
	all, err := r.listInstallations(ctx, appKeyFor(of), "")
	return slices.DeleteFunc(all, func(i v1alpha1.AppInstance) bool { return isSharedInstance(&i) || i.Namespace == of.Namespace }), err
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
func (r *Reconciler) checkSharedRemoval(ctx context.Context, s *scope, p *taskFindings) error {
	parts, err := r.sharedChartsToRemove(ctx, s)
	if err != nil {
		return err
	}
	for i := range parts {
		part := &parts[i]
		// Do not reveal the instances in other namespaces to a tenant without this
		// permission.
		known := p.Len()
		if err := r.checkUninstallPermission(ctx, s, p, s.newUninstallTask(part)); err != nil {
			return err
		}
		if p.Len() > known {
			continue
		}
		users, err := r.instancesUsing(ctx, part)
		if err != nil {
			return err
		}
		users = slices.DeleteFunc(users, func(i v1alpha1.AppInstance) bool {
			return i.Namespace == s.task.Namespace && i.Name == s.task.Instance()
		})
		if len(users) > 0 {
			p.Add(outcome.Stalled(v1alpha1.ReasonHasDependents, fmt.Errorf(
				"these instances need %s/%s too, which spec.uninstall.sharedCharts would remove: %s; leave it out to keep the shared chart", part.Namespace, part.Name, formatInstances(users))))
		}
	}
	return nil
}

// sharedChartsToRemove returns the shared charts that are removed together with the instance.
func (r *Reconciler) sharedChartsToRemove(ctx context.Context, s *scope) ([]v1alpha1.AppInstance, error) {
	if s.task.Spec.Action != v1alpha1.ActionUninstall || !s.task.Spec.RemovesSharedCharts() || s.instance == nil || isSharedInstance(s.instance) {
		return nil, nil
	}
	summary, err := r.getAppSummary(ctx, s.instance)
	if err != nil {
		return nil, err
	}
	var found []v1alpha1.AppInstance
	for _, namespace := range slices.Sorted(maps.Values(sharedChartNamespaces(summary))) {
		there, err := r.listInstallations(ctx, appKeyFor(s.instance), namespace)
		if err != nil {
			return nil, err
		}
		found = append(found, there...)
	}
	return found, nil
}

// removeSharedCharts removes the shared charts of an app after its instance is removed.
func (r *Reconciler) removeSharedCharts(ctx context.Context, s *scope) error {
	parts, err := r.sharedChartsToRemove(ctx, s)
	if err != nil {
		return err
	}
	for i := range parts {
		if err := r.ensureSubtask(ctx, s, s.newUninstallTask(&parts[i])); err != nil {
			return err
		}
	}
	return nil
}
