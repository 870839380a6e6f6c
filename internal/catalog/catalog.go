// Package catalog resolves the reference of a tenant to an app: which app it is, whether the
// namespace may use it, and which version matches.
//
// The package only reads objects. The instance controller and the task controller share it, so
// that both resolve an app in the same way. Package installplan decides how the version is
// installed.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/market"
	"github.com/appmarket/operator/internal/outcome"
)

// Catalog finds apps for the namespaces that may use them.
type Catalog struct {
	// Objects reads MarketSources, AppInfos and Namespaces, usually from a cache.
	Objects client.Reader
	// Markets are the namespaces whose sources can be shared with other namespaces.
	Markets market.Namespaces
}

// App is an app that a namespace may use.
type App struct {
	Source *v1alpha1.MarketSource
	Info   *v1alpha1.AppInfo
}

// Find returns an app for use in a namespace. The error is the same for a source of another
// namespace that does not exist and one that is not shared, so that it does not reveal
// which sources exist.
func (c *Catalog) Find(ctx context.Context, ref v1alpha1.AppReference, namespace string) (*App, error) {
	from := ref.Namespace
	if from == "" {
		from = namespace
	}
	app := &App{Source: &v1alpha1.MarketSource{}, Info: &v1alpha1.AppInfo{}}
	if err := c.Objects.Get(ctx, types.NamespacedName{Namespace: from, Name: ref.Source}, app.Source); err != nil {
		return nil, sourceNotFoundError(ref, from, namespace, err)
	}
	shared, err := c.isSourceShared(ctx, app.Source, namespace)
	if err != nil {
		return nil, err
	}
	if !shared {
		return nil, sourceNotFoundError(ref, from, namespace, nil)
	}
	err = c.Objects.Get(ctx, types.NamespacedName{Namespace: from, Name: ref.AppInfoName()}, app.Info)
	if apierrors.IsNotFound(err) {
		return nil, unlistedAppError(app.Source, ref)
	}
	if err != nil {
		return nil, fmt.Errorf("get app %q: %w", ref.Name, err)
	}
	return app, nil
}

// cacheSyncTime is the time that an app may take to appear in the cache after its source was
// synced.
const cacheSyncTime = 5 * time.Second

// unlistedAppError returns the error for an app that a source does not have. The error is Waiting
// if the source has not been synced since its spec changed or if the last sync has just
// ended. In all other cases it is Stalled.
func unlistedAppError(source *v1alpha1.MarketSource, ref v1alpha1.AppReference) error {
	st, from := source.Status, source.Namespace+"/"+source.Name
	none := fmt.Sprintf("app %q not found in source %q", ref.Name, from)
	if c := meta.FindStatusCondition(st.Conditions, v1alpha1.ConditionStalled); c != nil && c.ObservedGeneration == source.Generation {
		return outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf("%s because the source cannot be read: %s", none, c.Message))
	}
	if st.LastSyncTime == nil || st.ObservedGeneration != source.Generation {
		why := "the next sync has not started"
		if st.LastSyncTime == nil {
			why = "the first sync has not started"
		}
		if c := meta.FindStatusCondition(st.Conditions, v1alpha1.ConditionReconciling); c != nil {
			why = c.Message
		}
		return outcome.Waiting(v1alpha1.ReasonWaitingForSource, 0, fmt.Errorf("waiting for source %q to list its apps: %s", from, why))
	}
	if left := cacheSyncTime - time.Since(st.LastSyncTime.Time); left > 0 {
		return outcome.Waiting(v1alpha1.ReasonWaitingForSource, left, fmt.Errorf("%s yet; waiting for the result of the last sync", none))
	}
	return outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf("%s; correct spec.appRef.name, or list the apps with kubectl get appinfos -n %s", none, source.Namespace))
}

// sourceNotFoundError returns the error for a source that does not exist or that the namespace may
// not use.
func sourceNotFoundError(ref v1alpha1.AppReference, from, namespace string, err error) error {
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("get source %q in namespace %q: %w", ref.Source, from, err)
	}
	message := fmt.Sprintf("source %q not found in namespace %q", ref.Source, from)
	switch {
	case ref.Namespace == "":
		message += "; correct spec.appRef.source, or set spec.appRef.namespace to the namespace of the source"
	case from == namespace:
		message += "; correct spec.appRef.source"
	default:
		message += fmt.Sprintf(
			" or not shared with namespace %q; correct spec.appRef, or have the namespace added to spec.allowedNamespaces of the source", namespace)
	}
	return outcome.Stalled(v1alpha1.ReasonRefNotPermitted, errors.New(message))
}

// isSourceShared reports whether a namespace may use a source.
func (c *Catalog) isSourceShared(ctx context.Context, source *v1alpha1.MarketSource, namespace string) (bool, error) {
	sharing := c.Markets.SharingOf(source)
	switch {
	case source.Namespace == namespace:
		return true, nil
	case sharing == v1alpha1.NamespacesFromSame:
		return false, nil
	case sharing == v1alpha1.NamespacesFromAll:
		return true, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(source.Spec.AllowedNamespaces.Selector)
	if err != nil {
		return false, outcome.Stalled(v1alpha1.ReasonRefNotPermitted, fmt.Errorf("source %q: spec.allowedNamespaces.selector: %w", source.Namespace+"/"+source.Name, err))
	}
	ns := &corev1.Namespace{}
	if err := c.Objects.Get(ctx, types.NamespacedName{Name: namespace}, ns); err != nil {
		return false, fmt.Errorf("get namespace %q: %w", namespace, err)
	}
	return selector.Matches(labels.Set(ns.Labels)), nil
}
