package inputwatch

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// notHelmRecords excludes the Secrets in which Helm stores releases.
const notHelmRecords = "type!=helm.sh/release.v1"

// watch is a watch of Secrets or ConfigMaps as a service account. It implements
// cache.ReflectorStore, but stores only the resource versions of inputs.
type watch struct {
	stop   context.CancelFunc
	notify func(types.NamespacedName)

	mu sync.Mutex
	// synced reports that the watch has received the initial list.
	synced bool
	// users contains the readers of each input, and versions its last resource version,
	// by the name of the input.
	users    map[string]map[types.NamespacedName]bool
	versions map[string]string
}

var _ cache.ReflectorStore = (*watch)(nil)

// startWatch starts a watch. Its stop function ends it.
func startWatch(key watchKey, objects metadata.Interface, notify func(types.NamespacedName)) *watch {
	ctx, stop := context.WithCancel(context.Background())
	w := &watch{stop: stop, notify: notify, users: map[string]map[types.NamespacedName]bool{}, versions: map[string]string{}}
	go func() {
		// The error is the error of ctx.
		_ = restartDelay.DelayFunc().Until(ctx, true, true, func(ctx context.Context) (bool, error) {
			err := outcome.Guarded(func() error { w.run(ctx, key, objects); return nil })()
			if err != nil {
				log.Log.WithName("inputwatch").Error(err, "The watch of inputs ended and is started again", "namespace", key.tenant.Namespace, "kind", key.kind)
			}
			return err == nil, nil
		})
	}()
	return w
}

// restartDelay is the delay before a watch is started again after a panic.
var restartDelay = wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.1, Steps: 10, Cap: 5 * time.Minute}

// run watches until ctx ends. Its first list notifies all users, because a previous run may have ended
// before it notified them.
func (w *watch) run(ctx context.Context, key watchKey, objects metadata.Interface) {
	w.mu.Lock()
	w.synced = false
	w.mu.Unlock()
	cache.NewReflectorWithOptions(listWatchFor(key, objects), &metav1.PartialObjectMetadata{}, w,
		cache.ReflectorOptions{Name: "inputs", TypeDescription: string(key.kind)}).RunWithContext(ctx)
}

// listWatchFor returns the requests of a watch.
func listWatchFor(key watchKey, objects metadata.Interface) cache.ListerWatcher {
	resource, selector := resourceFor(key.kind)
	client := objects.Resource(resource).Namespace(key.tenant.Namespace)
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = selector
			return client.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (apiwatch.Interface, error) {
			options.FieldSelector = selector
			return client.Watch(ctx, options)
		},
	}, objects)
}

// resourceFor returns the resource of a kind, and a field selector.
func resourceFor(kind v1alpha1.ValuesKind) (schema.GroupVersionResource, string) {
	if kind == v1alpha1.ValuesFromConfigMap {
		return corev1.SchemeGroupVersion.WithResource("configmaps"), ""
	}
	return corev1.SchemeGroupVersion.WithResource("secrets"), notHelmRecords
}

// hasStarted reports whether the watch has received the initial list.
func (w *watch) hasStarted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.synced
}

// addUser registers a reader for the changes of an input. It notifies the reader if the watch
// may already have missed a change.
func (w *watch) addUser(input string, reader types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.users[input][reader] {
		return
	}
	if w.users[input] == nil {
		w.users[input] = map[types.NamespacedName]bool{}
	}
	w.users[input][reader] = true
	if w.synced {
		w.notify(reader)
	}
}

// removeUser removes a reader, and reports whether the watch has no users left.
func (w *watch) removeUser(input string, reader types.NamespacedName) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.users[input], reader)
	if len(w.users[input]) == 0 {
		delete(w.users, input)
		delete(w.versions, input)
	}
	return len(w.users) == 0
}

// Add notifies the users of an input that was created.
func (w *watch) Add(object any) error { return w.Update(object) }

// Update notifies the users of an input that was changed.
func (w *watch) Update(object any) error {
	if changed, ok := object.(*metav1.PartialObjectMetadata); ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.recordVersion(changed.Name, changed.ResourceVersion)
	}
	return nil
}

// Delete notifies the users of an input that was deleted.
func (w *watch) Delete(object any) error {
	if deleted, ok := object.(*metav1.PartialObjectMetadata); ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.recordVersion(deleted.Name, "")
	}
	return nil
}

// Replace notifies the users of the inputs that have changed while there was no watch, and all
// users after the first list.
func (w *watch) Replace(list []any, _ string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	listed := make(map[string]string, len(w.users))
	for _, object := range list {
		if found, ok := object.(*metav1.PartialObjectMetadata); ok && w.users[found.Name] != nil {
			listed[found.Name] = found.ResourceVersion
		}
	}
	for input := range w.users {
		if !w.synced {
			w.versions[input] = listed[input]
			w.notifyUsers(input)
			continue
		}
		w.recordVersion(input, listed[input])
	}
	w.synced = true
	return nil
}

// Resync does nothing, because the watch has no resync period.
func (w *watch) Resync() error { return nil }

// recordVersion notifies the users of an input if its resource version has changed. An input that
// does not exist has the version "". w.mu must be held.
func (w *watch) recordVersion(input, version string) {
	known, ok := w.versions[input]
	if w.users[input] == nil || ok && known == version {
		return
	}
	w.versions[input] = version
	w.notifyUsers(input)
}

func (w *watch) notifyUsers(input string) {
	for reader := range w.users[input] {
		w.notify(reader)
	}
}

// compareNames orders the names of inputs.
func compareNames(a, b inputName) int {
	return cmp.Or(strings.Compare(string(a.kind), string(b.kind)), strings.Compare(a.name, b.name))
}
