package admission

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/transitions"
)

// CheckSharedCharts checks that the shared charts of the app are running. The operation waits for
// the missing ones, because only an administrator can install them. In the namespace of a shared
// chart, it checks that the namespace may contain it.
func CheckSharedCharts(ctx context.Context, o *Operation, f *Findings) error {
	parts := SharedChartNamespaces(o.summary())
	for unit, namespace := range parts {
		if namespace == o.Tenant.Namespace {
			return checkSharedNamespace(ctx, o, f, unit)
		}
	}
	for _, unit := range slices.Sorted(maps.Keys(parts)) {
		if err := checkSharedChart(ctx, o, f, unit, parts[unit]); err != nil {
			return err
		}
	}
	return nil
}

// checkSharedNamespace checks that the namespace of the operation may contain a shared chart.
func checkSharedNamespace(ctx context.Context, o *Operation, f *Findings, unit string) error {
	place, err := GetSharedNamespace(ctx, o.Objects, o.Tenant.Namespace)
	if err != nil || place.IsTrusted {
		return err
	}
	f.AddProblems(preflight.Problem{
		Reason: v1alpha1.ReasonClusterPermissionRequired,
		Message: fmt.Sprintf("shared chart %q can only be installed in a namespace with the label %s=true; a cluster administrator must check who has access to namespace %q, and then apply %s",
			unit, v1alpha1.SharedPartsLabel, o.Tenant.Namespace, preflight.RemedyPlaceholder),
		Remedy: sharedNamespaceYAML(o.Tenant.Namespace),
	})
	return nil
}

func checkSharedChart(ctx context.Context, o *Operation, f *Findings, unit, namespace string) error {
	place, err := GetSharedNamespace(ctx, o.Objects, namespace)
	if err != nil {
		return err
	}
	all, err := ListInstallations(ctx, o.Objects, catalog.AppKey(o.AppRef, o.Tenant.Namespace), namespace)
	if err != nil {
		return err
	}
	isRunning := func(i v1alpha1.AppInstance) bool { return transitions.StateOf(&i) == transitions.Running }
	if place.IsTrusted && slices.ContainsFunc(all, isRunning) {
		return nil
	}
	remedy, err := installTaskYAML(o, namespace)
	if err != nil {
		return err
	}
	message := fmt.Sprintf("app %q requires its shared chart %q to be running in namespace %q", o.App.Info.Spec.App, unit, namespace)
	advice := "a cluster administrator must apply " + preflight.RemedyPlaceholder
	if place.Exists && !place.IsTrusted {
		message += fmt.Sprintf(", which does not have the label %s=true", v1alpha1.SharedPartsLabel)
		advice = "a cluster administrator must check who has access to the namespace, and then apply " + preflight.RemedyPlaceholder
	}
	f.AddWithRemedy(outcome.Waiting(v1alpha1.ReasonWaitingForDependency, 0, errors.New(message+"; "+advice)), remedy)
	return nil
}

// SharedChartNamespaces returns the namespaces of the shared charts of an app, which are installed
// once per cluster, by the name of their chart.
func SharedChartNamespaces(summary *v1alpha1.AppSummary) map[string]string {
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

// IsSharedInstance reports whether an instance is a shared chart of its app. Such an instance has a
// release of that chart in the namespace of the chart.
func IsSharedInstance(instance *v1alpha1.AppInstance) bool {
	return slices.ContainsFunc(instance.Status.Releases, func(r v1alpha1.Release) bool {
		return r.Unit != "" && hydrate.SharedNamespace(r.Unit) == instance.Namespace
	})
}

// ListInstallations returns the instances of an app that are not removed, in one namespace or, if
// none is given, in all namespaces. Do not change the instances: they belong to the cache.
func ListInstallations(ctx context.Context, objects client.Reader, app, namespace string) ([]v1alpha1.AppInstance, error) {
	var list v1alpha1.AppInstanceList
	if err := objects.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	var found []v1alpha1.AppInstance
	for i := range list.Items {
		if one := &list.Items[i]; catalog.InstanceKey(one) == app && transitions.StateOf(one) != transitions.Uninstalled {
			found = append(found, *one)
		}
	}
	return found, nil
}

// SharedNamespace is the state of the namespace of a shared chart.
type SharedNamespace struct {
	Exists bool
	// IsTrusted reports whether a cluster administrator has labeled the namespace. An
	// unlabeled namespace of this name could belong to any tenant, who would then receive
	// the data and the logins of all users.
	IsTrusted bool
}

// GetSharedNamespace returns the state of the namespace of a shared chart.
func GetSharedNamespace(ctx context.Context, objects client.Reader, name string) (SharedNamespace, error) {
	namespace := &corev1.Namespace{}
	err := objects.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if apierrors.IsNotFound(err) {
		return SharedNamespace{}, nil
	}
	if err != nil {
		return SharedNamespace{}, fmt.Errorf("get namespace %q: %w", name, err)
	}
	return SharedNamespace{Exists: true, IsTrusted: namespace.Labels[v1alpha1.SharedPartsLabel] == "true"}, nil
}
