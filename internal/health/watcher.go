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

// Watcher watches the objects of instances. It is safe for concurrent use.
type Watcher struct {
	config  *rest.Config
	mapper  meta.RESTMapper
	changes debouncer

	mu        sync.Mutex
	instances map[types.NamespacedName]*trackedInstance
	watches   map[watchKey]*watch
	// limit bounds the watches of a namespace, which are counted in count.
	limit int
	count map[string]int
}

var _ release.Monitor = (*Watcher)(nil)

// NewWatcher returns a Watcher. cfg needs permission to impersonate the service accounts of
// tenants. The names of instances whose objects changed are sent to changes. Changes before the
// event is received are combined.
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

// trackedInstance is an instance whose objects are watched.
type trackedInstance struct {
	name    types.NamespacedName
	tenant  release.Tenant
	closely bool
	refs    []v1alpha1.ObjectReference
	objects []trackedObject
	dynamic dynamic.Interface
	meta    metadata.Interface

	// mu guards the following fields. Health holds it during its requests.
	mu sync.Mutex
	// refreshed is the time of the last Refresh.
	refreshed time.Time
	// leastObserved are the versions that a watch must have observed before its status is used.
	leastObserved map[v1alpha1.ObjectReference]observedVersion
	// polled are the statuses of objects that are not watched.
	polled map[v1alpha1.ObjectReference]polledStatus
	// reused reports that the last Health used an earlier result of polling.
	reused          bool
	recheckTimer    *time.Timer
	recheckInterval time.Duration
	lastHealth      release.Health
}

// trackedObject is an object of an instance.
type trackedObject struct {
	ref      v1alpha1.ObjectReference
	resource schema.GroupVersionResource
	// watch is nil for an object that is polled.
	watch *watch
	// stateless reports that the object is ready when it exists.
	stateless bool
	// mappingError is the error of resolving the kind of the object.
	mappingError error
}

// Track starts to watch the objects of an instance. If closely is set, all changes are
// significant. If it is called again with other objects, these replace the previous ones.
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
		return fmt.Errorf("create client: %w", err)
	}
	if now.meta, err = metadata.NewForConfig(as); err != nil {
		return fmt.Errorf("create client: %w", err)
	}
	if err := w.resolveObjects(now); err != nil {
		w.releaseWatches(now)
		return err
	}
	// Release the previous watches last, so that watches that both use continue.
	w.releaseWatches(before)
	w.instances[instance] = now
	return nil
}

// Untrack stops watching the objects of an instance.
func (w *Watcher) Untrack(instance types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.releaseWatches(w.instances[instance])
	delete(w.instances, instance)
}

// Close stops all watches.
func (w *Watcher) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, one := range w.instances {
		w.releaseWatches(one)
		delete(w.instances, name)
	}
}

// resolveObjects resolves the resource of each object and starts missing watches. w.mu must be
// held.
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

// watchFor returns the watch of a resource for a tenant. w.mu must be held.
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

// releaseWatches releases the watches of an instance. w.mu must be held.
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
