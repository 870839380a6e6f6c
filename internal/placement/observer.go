package placement

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// +kubebuilder:rbac:groups="",resources=nodes,verbs=list;watch
// +kubebuilder:rbac:groups=storage.k8s.io,resources=storageclasses,verbs=list;watch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingressclasses,verbs=list;watch
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=list;watch

const (
	// settleTime is the time in which changes of the cluster are collected before they are compared.
	settleTime = time.Second
	// discoveryDelay is the time after which the kinds are read once more after a change: the API
	// server lists the kind of a new CRD some time after the CRD is established.
	discoveryDelay = 5 * time.Second
	// retryDelay is the time after which a failed comparison is repeated.
	retryDelay = 10 * time.Second
)

// Kinds returns the kinds that the cluster serves.
type Kinds interface {
	// Refresh updates the kinds unless they were checked within maxAge.
	Refresh(ctx context.Context, maxAge time.Duration) error
	// ListResources returns the resources of all API versions, and the versions whose kinds are
	// unknown because their own API server does not respond.
	ListResources(ctx context.Context) ([]*metav1.APIResourceList, []schema.GroupVersion, error)
	Discovery(ctx context.Context) (discovery.CachedDiscoveryInterface, error)
}

// Observer keeps the state of the cluster. It runs in the leader only, as the controllers do.
type Observer struct {
	// Cache contains the AppInfos, nodes and classes.
	Cache cache.Cache
	Kinds Kinds
	// AddsNodes reports whether nodes are created on demand.
	AddsNodes func(ctx context.Context) (bool, error)

	changed chan event.GenericEvent
	pending chan struct{}
	current atomic.Pointer[Cluster]
}

// NewObserver returns an Observer that has not started.
func NewObserver(objects cache.Cache, kinds Kinds, addsNodes func(ctx context.Context) (bool, error)) *Observer {
	return &Observer{Cache: objects, Kinds: kinds, AddsNodes: addsNodes, changed: make(chan event.GenericEvent), pending: make(chan struct{}, 1)}
}

// Changed returns the channel that receives the apps whose placement differs from their status.
func (o *Observer) Changed() <-chan event.GenericEvent { return o.changed }

// Assess returns the placement of an app, and whether the state of the cluster is known.
func (o *Observer) Assess(app *v1alpha1.AppInfo) (*v1alpha1.AppPlacement, bool) {
	known := o.current.Load()
	if known == nil {
		return nil, false
	}
	return Assess(app, known), true
}

// StripNode removes the fields of a node that are not used, so that the cache of a large cluster is small.
func StripNode(object any) (any, error) {
	node, isNode := object.(*corev1.Node)
	if !isNode {
		return object, nil
	}
	slim := &corev1.Node{TypeMeta: node.TypeMeta}
	slim.Name, slim.UID, slim.ResourceVersion = node.Name, node.UID, node.ResourceVersion
	slim.Status.NodeInfo.Architecture, slim.Status.Allocatable = node.Status.NodeInfo.Architecture, node.Status.Allocatable
	return slim, nil
}

// Start watches the cluster until ctx ends. Without the permission to watch, the state of the cluster remains
// unknown, and no app has a placement.
func (o *Observer) Start(ctx context.Context) error {
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	for _, object := range []client.Object{&corev1.Node{}, &storagev1.StorageClass{}, &networkingv1.IngressClass{}, crd} {
		informer, err := o.Cache.GetInformer(ctx, object)
		if err != nil {
			if ctx.Err() != nil {
				return nil // The process ends.
			}
			return fmt.Errorf("watch the cluster: %w", err)
		}
		if _, err := informer.AddEventHandler(o.newHandler()); err != nil {
			return fmt.Errorf("watch the cluster: %w", err)
		}
	}
	o.reportChange()
	return o.run(ctx)
}

// newHandler returns a handler that reports the changes that may affect a placement.
func (o *Observer) newHandler() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { o.reportChange() },
		DeleteFunc: func(any) { o.reportChange() },
		UpdateFunc: func(before, after any) {
			if hasChanged(before, after) {
				o.reportChange()
			}
		},
	}
}

// hasChanged reports whether an update may affect a placement. A kubelet updates its node every few minutes.
func hasChanged(before, after any) bool {
	was, isNode := before.(*corev1.Node)
	is, isStill := after.(*corev1.Node)
	if isNode && isStill {
		return was.Status.NodeInfo.Architecture != is.Status.NodeInfo.Architecture ||
			!equality.Semantic.DeepEqual(was.Status.Allocatable, is.Status.Allocatable)
	}
	old, isObject := before.(client.Object)
	changed, isAlso := after.(client.Object)
	return !isObject || !isAlso || old.GetResourceVersion() != changed.GetResourceVersion()
}

// reportChange makes run compare the state of the cluster soon. It never blocks.
func (o *Observer) reportChange() {
	select {
	case o.pending <- struct{}{}:
	default: // A comparison is already pending.
	}
}

// run compares the state of the cluster after each change, until ctx ends.
func (o *Observer) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	timer.Stop()
	defer timer.Stop()
	repeat := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-o.pending:
			repeat = true
			timer.Reset(settleTime)
		case <-timer.C:
			err := outcome.Guarded(func() error { return o.compare(ctx) })()
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				log.FromContext(ctx).Error(err, "Could not determine on which apps a change of the cluster has an effect")
				timer.Reset(retryDelay)
			case repeat:
				repeat = false
				timer.Reset(discoveryDelay)
			}
		}
	}
}

// compare reads the state of the cluster, and names the apps whose placement differs from their status.
func (o *Observer) compare(ctx context.Context) error {
	state, err := o.readCluster(ctx)
	if err != nil {
		return err
	}
	if known := o.current.Load(); known != nil && equality.Semantic.DeepEqual(known, state) {
		return nil
	}
	var apps v1alpha1.AppInfoList
	if err := o.Cache.List(ctx, &apps, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list apps: %w", err)
	}
	o.current.Store(state)
	for i := range apps.Items {
		app := &apps.Items[i]
		if equality.Semantic.DeepEqual(Assess(app, state), app.Status.Placement) {
			continue
		}
		named := &v1alpha1.AppInfo{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: app.Name}}
		select {
		case o.changed <- event.GenericEvent{Object: named}:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}
