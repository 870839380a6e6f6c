package health

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/release"
)

// Watcher follows the objects of instances. Its methods may be called side by
// side.
type Watcher struct {
	config  *rest.Config
	mapper  meta.RESTMapper
	changes debouncer

	mu        sync.Mutex
	instances map[types.NamespacedName]*trackedInstance
	watches   map[watchKey]*watch
	// limit bounds the watches of a namespace, which count has.
	limit int
	count map[string]int
}

var _ release.Monitor = (*Watcher)(nil)

// NewWatcher makes a Watcher. cfg must be allowed to impersonate the tenants'
// service accounts. Into changes go the names of instances whose objects changed,
// each once however many changes there were until it is taken out.
func NewWatcher(cfg *rest.Config, mapper meta.RESTMapper, changes chan<- event.GenericEvent, options ...Option) *Watcher {
	w := &Watcher{
		config:    cfg,
		mapper:    mapper,
		changes:   debouncer{events: changes, waiting: map[types.NamespacedName]bool{}},
		instances: map[types.NamespacedName]*trackedInstance{},
		watches:   map[watchKey]*watch{},
		count:     map[string]int{},
	}
	for _, option := range options {
		option(w)
	}
	return w
}

// tracked is an instance that is followed.
type trackedInstance struct {
	name    types.NamespacedName
	tenant  release.Tenant
	closely bool
	refs    []v1alpha1.ObjectReference
	objects []trackedObject
	dynamic dynamic.Interface
	meta    metadata.Interface

	// mu guards what follows; Health holds it while it looks.
	mu sync.Mutex
	// refreshed is when the objects were changed last.
	refreshed time.Time
	// least is how far a watch must have come before its verdict on an object counts.
	leastObserved map[v1alpha1.ObjectReference]observedVersion
	// looked are verdicts on objects that are not watched.
	polled map[v1alpha1.ObjectReference]polledStatus
	// reused reports that an earlier look counted for an object that is not watched.
	reused          bool
	recheckTimer    *time.Timer
	recheckInterval time.Duration
	lastHealth      release.Health
}

// object is one of an instance.
type trackedObject struct {
	ref      v1alpha1.ObjectReference
	resource schema.GroupVersionResource
	// watch is nil for an object that is looked at instead.
	watch *watch
	// inert says that the object is ready as soon as it is there.
	stateless bool
	// unknown is why the kind of the object could not be found, if so.
	mappingError error
}

// Track begins to follow the objects of an instance, closely where every change
// counts. Called again with the same it does nothing; with others it goes over to
// these.
func (w *Watcher) Track(
	_ context.Context, instance types.NamespacedName, of release.Tenant, objects []v1alpha1.ObjectReference, closely bool,
) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.instances[instance]
	if before != nil && before.tenant == of && before.closely == closely && slices.Equal(before.refs, objects) {
		return nil
	}
	as := impersonation.Config(w.config, of)
	now := &trackedInstance{
		name: instance, tenant: of, closely: closely, refs: slices.Clone(objects), polled: map[v1alpha1.ObjectReference]polledStatus{},
	}
	var err error
	if now.dynamic, err = dynamic.NewForConfig(as); err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	if now.meta, err = metadata.NewForConfig(as); err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	if err := w.resolveObjects(now); err != nil {
		w.releaseWatches(now)
		return err
	}
	// The old one lets go only now, so that watches that both have go on.
	w.releaseWatches(before)
	w.instances[instance] = now
	return nil
}

// Untrack ends it.
func (w *Watcher) Untrack(instance types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.releaseWatches(w.instances[instance])
	delete(w.instances, instance)
}

// Close ends everything.
func (w *Watcher) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, one := range w.instances {
		w.releaseWatches(one)
		delete(w.instances, name)
	}
}

// follow finds out how each object is to be followed and starts the watches that
// are missing. w.mu is held.
func (w *Watcher) resolveObjects(t *trackedInstance) error {
	for _, ref := range t.refs {
		one := trackedObject{ref: ref}
		gvk := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
		mapping, err := w.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err != nil {
			one.mappingError = err
			t.objects = append(t.objects, one)
			continue
		}
		one.resource, one.stateless = mapping.Resource, statelessKinds[gvk.GroupKind()]
		if ref.Namespace == t.tenant.Namespace {
			if one.watch, err = w.watchFor(t, mapping.Resource, one.stateless && !t.closely); err != nil {
				return err
			}
			one.watch.addUser(ref, t)
		}
		t.objects = append(t.objects, one)
	}
	return nil
}

// watchFor gives the watch of a resource for a tenant. w.mu is held.
func (w *Watcher) watchFor(t *trackedInstance, resource schema.GroupVersionResource, namesOnly bool) (*watch, error) {
	key := watchKey{tenant: t.tenant, resource: resource, closely: t.closely, namesOnly: namesOnly}
	if found, ok := w.watches[key]; ok {
		return found, nil
	}
	if err := w.checkAllowance(key.tenant.Namespace); err != nil {
		return nil, err
	}
	started, err := startWatch(key, informerFor(key, t), w.changes.notifyChanged)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", resource.GroupResource(), err)
	}
	w.watches[key] = started
	w.countStarted(key)
	return started, nil
}

// release lets go of the watches of an instance. w.mu is held.
func (w *Watcher) releaseWatches(t *trackedInstance) {
	if t == nil {
		return
	}
	for _, one := range t.objects {
		if one.watch != nil && one.watch.removeUser(one.ref, t) {
			one.watch.stop()
			delete(w.watches, one.watch.key)
			w.countEnded(one.watch.key)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.recheckTimer != nil {
		t.recheckTimer.Stop()
	}
}
