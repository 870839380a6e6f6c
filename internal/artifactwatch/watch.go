package artifactwatch

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/appmarket/operator/internal/outcome"
)

// settleTime is the minimum time between two notifications of a source.
const settleTime = time.Second

// servedDelay is the delay between two attempts to find a kind whose CRD has changed: the API server
// serves a new kind some time after it has created the CRD.
var servedDelay = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 8}

// watch is the watch of one object. It implements toolscache.ReflectorStore, but stores only the state of
// the artifact.
type watch struct {
	reference
	notify func()

	mu     sync.Mutex
	cancel context.CancelFunc
	// parked reports that the object cannot be watched yet.
	parked bool
	known  string
	// pending is a notification that is sent later, and last the time of the last one.
	pending *time.Timer
	last    time.Time
}

var _ toolscache.ReflectorStore = (*watch)(nil)

// startWatch watches the object until stopWatch is called, ctx ends, or the object cannot be watched.
func (w *watch) startWatch(ctx context.Context, from *Watcher, namespace string) {
	ctx, cancel := context.WithCancel(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel, w.parked = cancel, false
	go func() {
		err := outcome.Guarded(func() error { return w.runWatch(ctx, cancel, from, namespace) })()
		if err != nil && ctx.Err() == nil {
			log.FromContext(ctx).WithName("artifactwatch").Error(err, "The watch of an artifact ended", "namespace", namespace, "kind", w.kind, "name", w.name)
		}
		cancel()
		w.markParked()
	}()
}

// runWatch watches until ctx ends.
func (w *watch) runWatch(ctx context.Context, cancel context.CancelFunc, from *Watcher, namespace string) error {
	var mapping *meta.RESTMapping
	err := wait.ExponentialBackoffWithContext(ctx, servedDelay, func(context.Context) (bool, error) {
		var err error
		mapping, err = from.Kinds.RESTMapping(schema.GroupKind{Group: Group, Kind: string(w.kind)})
		if meta.IsNoMatchError(err) {
			return false, nil
		}
		return err == nil, err
	})
	if wait.Interrupted(err) {
		return nil // The kind is not served. The watch starts when its CRD changes.
	}
	if err != nil {
		return err
	}
	requests := w.newRequests(from.Objects.Resource(mapping.Resource).Namespace(namespace), cancel)
	example := &unstructured.Unstructured{}
	example.SetGroupVersionKind(mapping.GroupVersionKind)
	toolscache.NewReflectorWithOptions(toolscache.ToListWatcherWithWatchListSemantics(requests, from.Objects), example, w,
		toolscache.ReflectorOptions{Name: "artifacts", TypeDescription: string(w.kind)}).RunWithContext(ctx)
	return nil
}

// newRequests returns the requests of the watch. A request that the API server will always reject ends
// the watch, so that it is not repeated.
func (w *watch) newRequests(objects dynamic.ResourceInterface, cancel context.CancelFunc) *toolscache.ListWatch {
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, w.name).String()
	endIfRejected := func(err error) {
		if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
			cancel()
		}
	}
	return &toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = selector
			list, err := objects.List(ctx, options)
			endIfRejected(err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (apiwatch.Interface, error) {
			options.FieldSelector = selector
			events, err := objects.Watch(ctx, options)
			endIfRejected(err)
			return events, err
		},
	}
}

// stopWatch ends the watch.
func (w *watch) stopWatch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel()
	w.notify = func() {}
	if w.pending != nil {
		w.pending.Stop()
	}
}

// markParked marks the watch as ended.
func (w *watch) markParked() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parked = true
}

// isParked reports whether the watch has ended.
func (w *watch) isParked() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.parked
}

// Add notifies the source of an object that was created.
func (w *watch) Add(object any) error { return w.Update(object) }

// Update notifies the source of an object whose artifact has changed.
func (w *watch) Update(object any) error {
	if changed, ok := object.(*unstructured.Unstructured); ok {
		w.recordState(describeState(changed))
	}
	return nil
}

// Delete notifies the source of an object that was deleted.
func (w *watch) Delete(any) error {
	w.recordState("deleted")
	return nil
}

// Replace notifies the source if the object has changed while there was no watch.
func (w *watch) Replace(list []any, _ string) error {
	if len(list) == 0 {
		w.recordState("deleted")
	}
	for _, object := range list {
		if err := w.Update(object); err != nil {
			return err
		}
	}
	return nil
}

// Resync does nothing, because the watch has no resync period.
func (w *watch) Resync() error { return nil }

// recordState notifies the source of another state, at most once in settleTime.
func (w *watch) recordState(state string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if state == w.known {
		return
	}
	w.known = state
	if w.pending != nil {
		w.pending.Stop()
	}
	w.pending = time.AfterFunc(max(0, settleTime-time.Since(w.last)), w.sendNotification)
	w.last = time.Now()
}

func (w *watch) sendNotification() {
	w.mu.Lock()
	notify := w.notify
	w.mu.Unlock()
	notify()
}

// describeState returns a text that differs if a source has to read its object again. A field of another
// type is like a field that is missing.
func describeState(object *unstructured.Unstructured) string {
	url, _, _ := unstructured.NestedString(object.Object, "status", "artifact", "url")
	digest, _, _ := unstructured.NestedString(object.Object, "status", "artifact", "digest")
	observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	state := []any{url, digest, observed == object.GetGeneration()}
	for _, each := range conditions {
		if condition, ok := each.(map[string]any); ok && condition["type"] == "Ready" {
			state = append(state, condition["status"], condition["reason"])
		}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", state))
	return string(sum[:])
}
