package health

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/addresses"
	"github.com/appmarket/operator/internal/release"
)

const (
	// helmSelector selects the objects of Helm releases.
	helmSelector = "app.kubernetes.io/managed-by=Helm"
	// refusalTimeout is the time for which a refusal is reported. A refused watch is retried at
	// least that often.
	refusalTimeout = 2 * time.Minute
)

// watchKey identifies a watch: a service account and a resource in its namespace.
type watchKey struct {
	tenant   release.Tenant
	resource schema.GroupVersionResource
	// closely makes all changes significant, and not only changes of the health.
	closely bool
	// namesOnly watches only the metadata.
	namesOnly bool
}

// watch caches the status of all objects of a resource that a tenant installed with Helm.
type watch struct {
	key      watchKey
	informer cache.SharedIndexInformer
	stop     context.CancelFunc
	notify   func(...types.NamespacedName)

	mu    sync.Mutex
	users map[string]map[*trackedInstance]bool
	// failures are the statuses of objects that failed and were then deleted.
	failures  map[string]objectStatus
	refused   error
	refusedAt time.Time
}

// informerFor returns the informer of a watch.
func informerFor(key watchKey, t *trackedInstance) cache.SharedIndexInformer {
	selected := func(o *metav1.ListOptions) { o.LabelSelector = helmSelector }
	if key.namesOnly {
		return metadatainformer.NewFilteredMetadataInformer(t.meta, key.resource, key.tenant.Namespace, 0, cache.Indexers{}, selected).Informer()
	}
	return dynamicinformer.NewFilteredDynamicInformer(t.dynamic, key.resource, key.tenant.Namespace, 0, cache.Indexers{}, selected).Informer()
}

// startWatch starts a watch. Its stop function ends it.
func startWatch(
	key watchKey, informer cache.SharedIndexInformer, notify func(...types.NamespacedName),
) (*watch, error) {
	ctx, stop := context.WithCancel(context.Background())
	w := &watch{
		key: key, stop: stop, notify: notify, users: map[string]map[*trackedInstance]bool{}, failures: map[string]objectStatus{},
		informer: informer,
	}
	err := errors.Join(
		w.informer.SetTransform(func(one any) (any, error) { return stripObject(one, key.closely), nil }),
		w.informer.SetWatchErrorHandlerWithContext(w.recordError),
	)
	handler, added := w.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(now any) { w.handleChange(nil, now) },
		UpdateFunc: w.handleChange,
		DeleteFunc: func(before any) { w.handleChange(before, nil) },
	})
	if err := errors.Join(err, added); err != nil {
		stop()
		return nil, err
	}
	go w.informer.RunWithContext(ctx)
	go func() {
		select {
		case <-handler.HasSyncedChecker().Done():
			w.clearRefusal()
			w.notifyAll()
		case <-ctx.Done():
		}
	}()
	return w, nil
}

// addUser registers an instance for the changes of an object.
func (w *watch) addUser(ref v1alpha1.ObjectReference, instance *trackedInstance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := storeKey(ref)
	if w.users[key] == nil {
		w.users[key] = map[*trackedInstance]bool{}
	}
	w.users[key][instance] = true
}

// removeUser removes an instance, and reports whether the watch has no users left.
func (w *watch) removeUser(ref v1alpha1.ObjectReference, instance *trackedInstance) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := storeKey(ref)
	delete(w.users[key], instance)
	if len(w.users[key]) == 0 {
		delete(w.users, key)
		delete(w.failures, key)
	}
	return len(w.users) == 0
}

func storeKey(ref v1alpha1.ObjectReference) string { return ref.Namespace + "/" + ref.Name }

// hasObject reports whether the cache contains an object.
func (w *watch) hasObject(ref v1alpha1.ObjectReference) bool {
	_, ok, err := w.informer.GetStore().GetByKey(storeKey(ref))
	return ok && err == nil
}

// isRefused reports whether the tenant may not list or watch the resource.
func (w *watch) isRefused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refused != nil
}

// cachedStatus returns the status of an object.
func (w *watch) cachedStatus(ref v1alpha1.ObjectReference) objectStatus {
	found, ok, err := w.informer.GetStore().GetByKey(storeKey(ref))
	if one, is := found.(*cacheEntry); ok && is && err == nil {
		return one.status
	}
	if !runsToCompletion(ref) {
		return goneStatus
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if failure, ok := w.failures[storeKey(ref)]; ok {
		return failure
	}
	return missingStatus(ref)
}

// hasObserved reports whether the watch has observed a version of an object or a later one,
// including its deletion. Versions that cannot be compared, which some API servers use, count
// as observed.
func (w *watch) hasObserved(ref v1alpha1.ObjectReference, p observedVersion) bool {
	store := w.informer.GetStore()
	found, ok, err := store.GetByKey(storeKey(ref))
	if one, is := found.(*cacheEntry); ok && is && err == nil && one.UID == p.uid && one.Generation >= p.generation {
		return true
	}
	order, err := resourceversion.CompareResourceVersion(store.LastStoreSyncResourceVersion(), p.version)
	return err != nil || order >= 0
}

// digestOf returns the digest of an object, empty if it does not exist.
func (w *watch) digestOf(ref v1alpha1.ObjectReference) string {
	found, ok, err := w.informer.GetStore().GetByKey(storeKey(ref))
	if one, is := found.(*cacheEntry); ok && is && err == nil {
		return one.digest
	}
	return ""
}

// endpointOf returns the endpoint of an object, nil if it has none or does not exist.
func (w *watch) endpointOf(ref v1alpha1.ObjectReference) *addresses.Endpoint {
	found, ok, err := w.informer.GetStore().GetByKey(storeKey(ref))
	if one, is := found.(*cacheEntry); ok && is && err == nil {
		return one.endpoint
	}
	return nil
}

// syncState reports whether the watch has synced. It returns an error if the tenant may not
// watch.
func (w *watch) syncState() (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused != nil && time.Since(w.refusedAt) < refusalTimeout {
		return false, w.refused
	}
	return w.informer.HasSynced(), nil
}

// recordError records that the tenant may not list or watch. The informer retries after other
// errors.
func (w *watch) recordError(_ context.Context, _ *cache.Reflector, err error) {
	if !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
		return
	}
	w.mu.Lock()
	first := w.refused == nil
	w.refused, w.refusedAt = err, time.Now()
	w.mu.Unlock()
	if first {
		w.notifyAll()
	}
}

// clearRefusal removes a recorded refusal.
func (w *watch) clearRefusal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = nil
}

// handleChange notifies the instances of an object if its status changed.
func (w *watch) handleChange(before, now any) {
	old, oldOK := before.(*cacheEntry)
	one, oneOK := now.(*cacheEntry)
	if unknown, ok := before.(cache.DeletedFinalStateUnknown); ok {
		old, oldOK = unknown.Obj.(*cacheEntry)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = nil
	if oldOK && oneOK && old.isUnchanged(one) || !oldOK && !oneOK {
		return
	}
	if !oneOK {
		one = old
	}
	key := one.Namespace + "/" + one.Name
	users := w.users[key]
	switch {
	case oneOK:
		delete(w.failures, key)
	case old.status.state == failed && len(users) > 0:
		// Failures of objects without users would never be removed.
		w.failures[key] = old.status
	}
	for instance := range users {
		w.notify(instance.name)
	}
}

func (w *watch) notifyAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, instances := range w.users {
		for instance := range instances {
			w.notify(instance.name)
		}
	}
}

// cacheEntry is the cached part of an object.
type cacheEntry struct {
	metav1.ObjectMeta
	status objectStatus
	// digest is the digest of the object without its status, if it is watched closely.
	digest string
	// endpoint determines the address of the object. It is nil if it has none.
	endpoint *addresses.Endpoint
}

// isUnchanged reports whether no significant part has changed.
func (e *cacheEntry) isUnchanged(other *cacheEntry) bool {
	return e.status.isSameStatus(other.status) && e.digest == other.digest && e.Generation == other.Generation &&
		reflect.DeepEqual(e.endpoint, other.endpoint)
}

// stripObject replaces an object by the part to cache.
func stripObject(one any, closely bool) any {
	if named, ok := one.(*metav1.PartialObjectMetadata); ok {
		return &cacheEntry{
			ObjectMeta: metav1.ObjectMeta{
				Name: named.Name, Namespace: named.Namespace, UID: named.UID, ResourceVersion: named.ResourceVersion,
			},
			status: objectStatus{state: current},
		}
	}
	live, ok := one.(*unstructured.Unstructured)
	if !ok {
		return one
	}
	kept := &cacheEntry{
		ObjectMeta: metav1.ObjectMeta{
			Name: live.GetName(), Namespace: live.GetNamespace(),
			UID: live.GetUID(), ResourceVersion: live.GetResourceVersion(), Generation: live.GetGeneration(),
		},
		status: computeStatus(live), endpoint: readEndpoint(live),
	}
	if closely {
		kept.digest = digestObject(live)
	}
	return kept
}
