package kube

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Resources of AppMarket.
const (
	Group     = "appmarket.io"
	Apps      = "appinfos"
	Instances = "appinstances"
	Tasks     = "appinstalltasks"
	Sources   = "marketsources"
)

// trimObject removes what no list shows before an object is cached. It replaces an app with its row, and accepts
// objects that it returned.
func trimObject(object any) (any, error) {
	switch o := object.(type) {
	case *v1alpha1.AppInfo:
		return newCachedApp(o), nil
	case *v1alpha1.AppInstance:
		o.Spec.Values, o.Spec.ValuesFrom, o.Spec.Inputs = nil, nil, nil
		o.Status.History, o.Status.CompletedTasks, o.Status.Releases, o.Status.Outputs = nil, nil, nil, nil
		o.Status.Claims = nil
		if o.Status.Inventory != nil {
			o.Status.Inventory.Objects, o.Status.Inventory.Unready = nil, nil
		}
	case *v1alpha1.AppInstallTask:
		o.Spec.Install, o.Spec.Configure, o.Spec.Upgrade, o.Spec.Clone, o.Spec.Adopt = nil, nil, nil, nil, nil
		o.Status.RequiredInputs, o.Status.Outputs, o.Status.Preflight, o.Status.Plan = nil, nil, nil, nil
	case *v1alpha1.MarketSource:
		o.Spec.Platform, o.Spec.CustomParams, o.Spec.Inputs, o.Spec.Licensing = nil, nil, nil, nil
		o.Status.Failures = nil
	}
	if o, ok := object.(client.Object); ok {
		o.SetManagedFields(nil)
		o.SetAnnotations(nil)
	}
	return object, nil
}

// watchKinds has the cache watch the kinds of AppMarket, and reports changes.
func (c *Cluster) watchKinds(ctx context.Context) error {
	for resource, kind := range map[string]client.Object{
		Apps: &v1alpha1.AppInfo{}, Instances: &v1alpha1.AppInstance{}, Tasks: &v1alpha1.AppInstallTask{}, Sources: &v1alpha1.MarketSource{},
	} {
		informer, err := c.lists.GetInformer(ctx, kind)
		if err != nil {
			return fmt.Errorf("watch %s: %w", resource, err)
		}
		if _, err := informer.AddEventHandler(c.handlerFor(resource)); err != nil {
			return fmt.Errorf("watch %s: %w", resource, err)
		}
	}
	return nil
}

func (c *Cluster) handlerFor(resource string) toolscache.ResourceEventHandler {
	changed := func(object any, gone bool) {
		if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
			object = unknown.Obj
		}
		o, ok := object.(metav1.Object)
		if !ok {
			return
		}
		if app, isApp := o.(*cachedApp); isApp {
			c.apps.setRow(app.row, gone)
		}
		c.notify(Change{Resource: resource, Namespace: o.GetNamespace(), Name: o.GetName()})
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { changed(object, false) },
		UpdateFunc: func(before, after any) {
			b, a := before.(metav1.Object), after.(metav1.Object)
			if a.GetResourceVersion() != b.GetResourceVersion() {
				changed(after, false)
			}
		},
		DeleteFunc: func(object any) { changed(object, true) },
	}
}

// listCached lists the cached objects of the namespaces of a scope. The objects are shared: callers must
// not change them.
func (c *Cluster) listCached(ctx context.Context, scope Scope, one func() client.ObjectList, add func(client.ObjectList)) error {
	for _, namespace := range scope.listed() {
		found := one()
		if err := c.lists.List(ctx, found, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("list objects: %w", err)
		}
		add(found)
	}
	return nil
}

// ListInstances returns the instances in a scope. They are shared: callers must not change them.
func (c *Cluster) ListInstances(ctx context.Context, scope Scope) ([]v1alpha1.AppInstance, error) {
	var all []v1alpha1.AppInstance
	err := c.listCached(ctx, scope, func() client.ObjectList { return &v1alpha1.AppInstanceList{} },
		func(found client.ObjectList) { all = append(all, found.(*v1alpha1.AppInstanceList).Items...) })
	return all, err
}

// ListTasks returns the tasks in a scope. They are shared: callers must not change them.
func (c *Cluster) ListTasks(ctx context.Context, scope Scope) ([]v1alpha1.AppInstallTask, error) {
	var all []v1alpha1.AppInstallTask
	err := c.listCached(ctx, scope, func() client.ObjectList { return &v1alpha1.AppInstallTaskList{} },
		func(found client.ObjectList) { all = append(all, found.(*v1alpha1.AppInstallTaskList).Items...) })
	return all, err
}

// ListSources returns the sources in a scope. They are shared: callers must not change them.
func (c *Cluster) ListSources(ctx context.Context, scope Scope) ([]v1alpha1.MarketSource, error) {
	var all []v1alpha1.MarketSource
	err := c.listCached(ctx, scope, func() client.ObjectList { return &v1alpha1.MarketSourceList{} },
		func(found client.ObjectList) { all = append(all, found.(*v1alpha1.MarketSourceList).Items...) })
	return all, err
}
