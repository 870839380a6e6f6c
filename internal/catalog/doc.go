// Package catalog answers a tenant's questions about an app: may this namespace
// use it, which version is meant, what does it ask for, and which chart units with
// which values does it become.
//
// It reads objects and published charts and changes nothing. The instance and the
// task controllers share it, so that a task promises what the instance then does.
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
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/license"
	"github.com/appmarket/operator/internal/market"
	"github.com/appmarket/operator/internal/outcome"
)

// Archives opens published charts.
type Archives interface {
	// Archive returns the bytes of a published chart by its "sha256:<hex>".
	Archive(digest string) ([]byte, error)
}

// Catalog looks up apps.
type Catalog struct {
	// Objects reads MarketSources, AppInfos and Namespaces, commonly from a cache.
	Objects  client.Reader
	Archives Archives
	// Markets are the namespaces whose sources may be shared.
	Markets market.Namespaces
	// Worker reads charts and renders them within bounds.
	Worker   hydrate.Worker
	Profiles Profiles
	// Cluster is what charts may ask about. Without one they are rendered for a usual
	// cluster, which has no objects.
	Cluster Cluster
	// Secrets reads Secrets and ConfigMaps in the namespaces of sources, as the
	// operator.
	Secrets client.Reader
	// Issuers returns how the issuers of licenses are asked that the sources of a
	// namespace name.
	Issuers func(namespace string) Issuers

	ahead ahead
}

// Issuers asks issuers of licenses.
type Issuers struct {
	Keys     *license.Keys
	Checkout *license.Checkout
}

// App is an app that a namespace may use.
type App struct {
	Source *v1alpha1.MarketSource
	Info   *v1alpha1.AppInfo
}

// Find looks up an app for the objects of a namespace. What is not there, or not
// shared, is an error that says so in the same words, so that nobody learns of
// apps that are not theirs.
func (c *Catalog) Find(ctx context.Context, ref v1alpha1.AppReference, namespace string) (*App, error) {
	from := ref.Namespace
	if from == "" {
		from = namespace
	}
	app := &App{Source: &v1alpha1.MarketSource{}, Info: &v1alpha1.AppInfo{}}
	if err := c.Objects.Get(ctx, types.NamespacedName{Namespace: from, Name: ref.Source}, app.Source); err != nil {
		return nil, unavailable(ref, from, namespace, err)
	}
	shared, err := c.shared(ctx, app.Source, namespace)
	if err != nil {
		return nil, err
	}
	if !shared {
		return nil, unavailable(ref, from, namespace, nil)
	}
	err = c.Objects.Get(ctx, types.NamespacedName{Namespace: from, Name: ref.AppInfoName()}, app.Info)
	if apierrors.IsNotFound(err) {
		return nil, unlisted(app.Source, ref)
	}
	if err != nil {
		return nil, fmt.Errorf("get app %s: %w", ref.Name, err)
	}
	return app, nil
}

// listed is how long after a sync of its source an app may take to be seen.
const listed = 5 * time.Second

// unlisted returns the error for an app that a source does not have: it waits while the
// source, as it is specified now, has not been read yet.
func unlisted(source *v1alpha1.MarketSource, ref v1alpha1.AppReference) error {
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
	if left := listed - time.Since(st.LastSyncTime.Time); left > 0 {
		return outcome.Waiting(v1alpha1.ReasonWaitingForSource, left, fmt.Errorf("%s: waiting for the sync that has just ended to be seen", none))
	}
	return outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf("%s; see kubectl get appinfos -n %s", none, source.Namespace))
}

func unavailable(ref v1alpha1.AppReference, from, namespace string, err error) error {
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("get source %s/%s: %w", from, ref.Source, err)
	}
	said := fmt.Sprintf("there is no source %s/%s that namespace %s may use: check the name, and spec.sharing of the source", from, ref.Source, namespace)
	switch {
	case ref.Namespace == "":
		said = fmt.Sprintf("there is no source %q in namespace %s, which was searched since the namespace of the source is unset", ref.Source, from)
	case from == namespace:
		said = fmt.Sprintf("there is no source %q in namespace %s: check the name", ref.Source, from)
	}
	return outcome.Stalled(v1alpha1.ReasonNotShared, errors.New(said))
}

// shared reports whether a namespace may use a source.
func (c *Catalog) shared(ctx context.Context, source *v1alpha1.MarketSource, namespace string) (bool, error) {
	sharing := c.Markets.SharingOf(source)
	switch {
	case source.Namespace == namespace:
		return true, nil
	case sharing == v1alpha1.SharingSame:
		return false, nil
	case sharing == v1alpha1.SharingAll:
		return true, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(source.Spec.Sharing.Selector)
	if err != nil {
		return false, outcome.Stalled(v1alpha1.ReasonNotShared, fmt.Errorf("spec.sharing.selector of source %s/%s: %w", source.Namespace, source.Name, err))
	}
	ns := &corev1.Namespace{}
	if err := c.Objects.Get(ctx, types.NamespacedName{Name: namespace}, ns); err != nil {
		return false, fmt.Errorf("get namespace %s: %w", namespace, err)
	}
	return selector.Matches(labels.Set(ns.Labels)), nil
}
