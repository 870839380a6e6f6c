package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
)

// maxListed is the number of apps that an error names.
const maxListed = 5

// parseApp parses the name of an app: [NAMESPACE/][SOURCE/]APP.
func parseApp(name string) (v1alpha1.AppReference, error) {
	parts := strings.Split(name, "/")
	if len(parts) > 3 || slices.Contains(parts, "") {
		return v1alpha1.AppReference{}, fmt.Errorf("app %q must have the form SOURCE/APP, NAMESPACE/SOURCE/APP or APP", name)
	}
	ref := v1alpha1.AppReference{Name: parts[len(parts)-1]}
	if len(parts) > 1 {
		ref.Source = parts[len(parts)-2]
	}
	if len(parts) == 3 {
		ref.Namespace = parts[0]
	}
	return ref, nil
}

// appOfInstance returns the reference to an app for an instance to install. It is the reference of the
// record of an earlier installation if there is one, because the reference of an instance is immutable.
// A reference to the namespace of the instance has no namespace. It also returns that record, or nil.
func appOfInstance(
	ctx context.Context, c client.Client, namespace, instance string, app v1alpha1.AppReference,
) (v1alpha1.AppReference, *v1alpha1.AppInstance, error) {
	earlier, err := getInstance(ctx, c, namespace, cmp.Or(instance, app.Name))
	// Without the permission to read the instance, the operator reports a conflict.
	if err != nil && !isNotVisible(err) {
		return app, nil, err
	}
	if err == nil && earlier.Spec.AppRef.Source == app.Source && earlier.Spec.AppRef.Name == app.Name &&
		cmp.Or(earlier.Spec.AppRef.Namespace, namespace) == app.Namespace {
		return earlier.Spec.AppRef, earlier, nil
	}
	if app.Namespace == namespace {
		app.Namespace = ""
	}
	return app, nil, nil
}

// isNotVisible reports whether an object does not exist, or the user may not read it. Any other error is a failure.
func isNotVisible(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsForbidden(err) }

// resolveApp returns the reference to the app with a name, with its source and namespace. It reads
// the apps only if the name does not have both.
func (f *Factory) resolveApp(ctx context.Context, c client.Client, namespace, name string) (v1alpha1.AppReference, error) {
	ref, err := parseApp(name)
	if err != nil {
		return ref, err
	}
	if ref.Namespace == "" {
		ref.Namespace = f.market
	}
	if ref.Namespace != "" && ref.Source != "" {
		return ref, nil
	}
	app, err := f.findApp(ctx, c, namespace, ref)
	if err != nil {
		return ref, err
	}
	return v1alpha1.AppReference{Namespace: app.Namespace, Source: app.Spec.SourceRef.Name, Name: app.Spec.App}, nil
}

// getApp reads the app with a name.
func (f *Factory) getApp(ctx context.Context, c client.Client, namespace, name string) (*v1alpha1.AppInfo, error) {
	ref, err := parseApp(name)
	if err != nil {
		return nil, err
	}
	if ref.Namespace == "" {
		ref.Namespace = f.market
	}
	if ref.Namespace == "" || ref.Source == "" {
		return f.findApp(ctx, c, namespace, ref)
	}
	app := &v1alpha1.AppInfo{}
	return app, c.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.AppInfoName()}, app)
}

// getAppOf reads the app of an instance.
func getAppOf(ctx context.Context, c client.Client, instance *v1alpha1.AppInstance) (*v1alpha1.AppInfo, error) {
	ref, app := instance.Spec.AppRef, &v1alpha1.AppInfo{}
	key := client.ObjectKey{Namespace: cmp.Or(ref.Namespace, instance.Namespace), Name: ref.AppInfoName()}
	return app, c.Get(ctx, key, app)
}

// findApp returns the only app that matches a reference without a namespace or a source.
func (f *Factory) findApp(ctx context.Context, c client.Client, namespace string, ref v1alpha1.AppReference) (*v1alpha1.AppInfo, error) {
	labels := client.MatchingLabels{v1alpha1.AppLabel: ref.Name}
	if ref.Source != "" {
		labels[v1alpha1.SourceLabel] = ref.Source
	}
	apps, err := f.listApps(ctx, c, namespace, labels)
	if err != nil {
		return nil, err
	}
	// The sources of the user's own namespace come first, as in a reference without a namespace.
	if own := appsIn(apps, namespace); len(own) == 1 {
		return &own[0], nil
	}
	switch len(apps) {
	case 0:
		return nil, withHint(fmt.Errorf("app %q not found", strings.TrimPrefix(ref.Source+"/"+ref.Name, "/")), f.Name+" search")
	case 1:
		return &apps[0], nil
	}
	var names []string
	for _, app := range apps {
		names = append(names, appName(&app))
	}
	slices.Sort(names)
	return nil, withHint(fmt.Errorf("app %q is offered by %d sources: %s", ref.Name, len(apps), text.List(names, ", ", maxListed)), f.Name+" show "+names[0])
}

// appName returns the full name of an app.
func appName(app *v1alpha1.AppInfo) string {
	return app.Namespace + "/" + app.Spec.SourceRef.Name + "/" + app.Spec.App
}

func appsIn(apps []v1alpha1.AppInfo, namespace string) []v1alpha1.AppInfo {
	return slices.DeleteFunc(slices.Clone(apps), func(app v1alpha1.AppInfo) bool { return app.Namespace != namespace })
}

// listApps lists the apps of the market. Without a market, it lists the apps of all namespaces, or of
// the user's namespace if that is not allowed.
func (f *Factory) listApps(ctx context.Context, c client.Client, namespace string, options ...client.ListOption) ([]v1alpha1.AppInfo, error) {
	var list v1alpha1.AppInfoList
	_, err := f.listFromMarket(ctx, c, namespace, &list, func() int { return len(list.Items) }, options...)
	return list.Items, err
}

// listFromMarket lists objects of the market as listApps does. count returns the number of objects
// in the list. It returns the namespace that was listed, "" for all namespaces.
func (f *Factory) listFromMarket(
	ctx context.Context, c client.Client, namespace string, list client.ObjectList, count func() int, options ...client.ListOption,
) (listed string, err error) {
	err = c.List(ctx, list, append(options, client.InNamespace(f.market))...)
	if f.market != "" || !apierrors.IsForbidden(err) {
		return f.market, err
	}
	everywhere := err
	if err := c.List(ctx, list, append(options, client.InNamespace(namespace))...); err != nil || count() == 0 {
		return "", &exitError{code: ExitError, cause: everywhere, details: []string{"If you may read the apps of a namespace, name it with --market NAMESPACE."}}
	}
	return namespace, nil
}
