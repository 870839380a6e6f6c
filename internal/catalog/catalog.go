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
		return nil, fmt.Errorf("get app %s: %w", ref.Name, err)
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
	none := fmt.Sprintf("source %s has no app %q", from, ref.Name)
	if c := meta.FindStatusCondition(st.Conditions, v1alpha1.ConditionStalled); c != nil && c.ObservedGeneration == source.Generation {
		return outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf("%s, and cannot be read: %s", none, c.Message))
	}
	if st.LastSyncTime == nil || st.ObservedGeneration != source.Generation {
		why := "waiting for its next sync"
		if st.LastSyncTime == nil {
			why = "waiting for its first sync"
		}
		if c := meta.FindStatusCondition(st.Conditions, v1alpha1.ConditionReconciling); c != nil {
			why = c.Message
		}
		return outcome.Waiting(v1alpha1.ReasonWaitingForSource, 0, fmt.Errorf("source %s has not listed its apps yet: %s", from, why))
	}
	if left := cacheSyncTime - time.Since(st.LastSyncTime.Time); left > 0 {
		return outcome.Waiting(v1alpha1.ReasonWaitingForSource, left, fmt.Errorf("%s: waiting for the sync that has just ended to be seen", none))
	}
	return outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf("%s; see kubectl get appinfos -n %s", none, source.Namespace))
}

func sourceNotFoundError(ref v1alpha1.AppReference, from, namespace string, err error) error {
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("get source %s/%s: %w", from, ref.Source, err)
	}
	said := fmt.Sprintf("there is no source %s/%s that namespace %s may use: check the name, and spec.allowedNamespaces of the source", from, ref.Source, namespace)
	switch {
	case ref.Namespace == "":
		said = fmt.Sprintf("there is no source %q in namespace %s, which was searched since the namespace of the source is unset", ref.Source, from)
	case from == namespace:
		said = fmt.Sprintf("there is no source %q in namespace %s: check the name", ref.Source, from)
	}
	return outcome.Stalled(v1alpha1.ReasonRefNotPermitted, errors.New(said))
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
		return false, outcome.Stalled(v1alpha1.ReasonRefNotPermitted, fmt.Errorf("spec.allowedNamespaces.selector of source %s/%s: %w", source.Namespace, source.Name, err))
	}
	ns := &corev1.Namespace{}
	if err := c.Objects.Get(ctx, types.NamespacedName{Name: namespace}, ns); err != nil {
		return false, fmt.Errorf("get namespace %s: %w", namespace, err)
	}
	return selector.Matches(labels.Set(ns.Labels)), nil
}
