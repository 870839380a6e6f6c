// Package artifactwatch reports changes of the objects of Flux that sources of type Artifact read.
//
// A Watcher has one watch for each such source, which the API server limits to the one object. It
// stores only the state of the artifact. It starts no watch, and sends no request, without such a
// source. Objects whose kind the cluster does not serve are watched as soon as its CRD exists. If the
// operator may not watch an object, it tries again when the MarketSource or a CRD of Flux changes; until
// then, the source reads the object at its interval.
package artifactwatch

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Group is the API group of the watched objects.
const Group = "source.toolkit.fluxcd.io"

// maxWatches is the maximum number of watches in one namespace. Further sources read their objects at
// their intervals.
const maxWatches = 100

// Watcher watches the objects of sources of type Artifact. It runs in the leader only.
type Watcher struct {
	// Cache contains the MarketSources and CRDs.
	Cache cache.Cache
	// Kinds maps the kinds of the objects, and Objects reads them.
	Kinds   meta.RESTMapper
	Objects dynamic.Interface
	// Notify is called with the name of a source whose artifact has changed. It must not block.
	Notify func(source types.NamespacedName)

	mu      sync.Mutex
	watches map[types.NamespacedName]*watch
	count   map[string]int
}

// reference is the object that a source reads. The zero value is no object.
type reference struct {
	kind v1alpha1.ArtifactKind
	name string
}

// Start watches until ctx ends.
func (w *Watcher) Start(ctx context.Context) error {
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	for _, watched := range []struct {
		object client.Object
		handle func(object any, isDeleted bool)
	}{
		{&v1alpha1.MarketSource{}, func(object any, isDeleted bool) { w.handleSource(ctx, object, isDeleted) }},
		{crd, func(object any, _ bool) { w.handleKind(ctx, object) }},
	} {
		informer, err := w.Cache.GetInformer(ctx, watched.object)
		if err == nil {
			_, err = informer.AddEventHandler(newHandler(watched.handle))
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("watch artifacts: %w", err)
		}
	}
	<-ctx.Done()
	w.stopAll()
	return nil
}

// newHandler calls a function for each added, changed and deleted object.
func newHandler(handle func(object any, isDeleted bool)) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { handle(object, false) },
		UpdateFunc: func(_, object any) { handle(object, false) },
		DeleteFunc: func(object any) {
			if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = unknown.Obj
			}
			handle(object, true)
		},
	}
}

// handleSource starts or stops the watch of a source that has changed.
func (w *Watcher) handleSource(ctx context.Context, object any, isDeleted bool) {
	source, ok := object.(*v1alpha1.MarketSource)
	if !ok {
		return
	}
	var wanted reference
	if spec := source.Spec.Artifact; spec != nil && !isDeleted && !ptr.Deref(source.Spec.Suspend, false) {
		wanted = reference{spec.Kind, spec.Name}
	}
	w.setWatch(ctx, client.ObjectKeyFromObject(source), wanted)
}

// handleKind starts the watches that wait for a CRD of Flux, and notifies their sources.
func (w *Watcher) handleKind(ctx context.Context, object any) {
	crd, ok := object.(client.Object)
	if !ok || !strings.HasSuffix(crd.GetName(), "."+Group) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for source, waiting := range w.watches {
		if waiting.isParked() {
			waiting.startWatch(ctx, w, source.Namespace)
		}
	}
}

// setWatch replaces the watch of a source. A watch that ended is started again.
func (w *Watcher) setWatch(ctx context.Context, source types.NamespacedName, wanted reference) {
	w.mu.Lock()
	defer w.mu.Unlock()
	current := w.watches[source]
	if current != nil && current.reference == wanted {
		if current.isParked() {
			current.startWatch(ctx, w, source.Namespace)
		}
		return
	}
	if current != nil {
		current.stopWatch()
		delete(w.watches, source)
		if w.count[source.Namespace]--; w.count[source.Namespace] == 0 {
			delete(w.count, source.Namespace)
		}
	}
	if wanted == (reference{}) || w.count[source.Namespace] >= maxWatches {
		return
	}
	if w.watches == nil {
		w.watches, w.count = map[types.NamespacedName]*watch{}, map[string]int{}
	}
	w.count[source.Namespace]++
	created := &watch{reference: wanted, notify: func() { w.Notify(source) }}
	w.watches[source] = created
	created.startWatch(ctx, w, source.Namespace)
}

// stopAll stops all watches.
func (w *Watcher) stopAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for source, each := range w.watches {
		each.stopWatch()
		delete(w.watches, source)
	}
	w.count = nil
}
