package health

import (
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/appmarket/operator/internal/addresses"
	"github.com/appmarket/operator/internal/outcome"
)

// Endpoints returns the endpoints among the watched objects of an instance, in the order of the
// objects. It returns false until the watches have observed the last change of each of them, and
// for an instance that is not tracked. Objects outside of the namespace of the tenant are ignored.
func (w *Watcher) Endpoints(instance types.NamespacedName) ([]addresses.Endpoint, bool) {
	w.mu.Lock()
	t := w.instances[instance]
	w.mu.Unlock()
	if t == nil {
		return nil, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []addresses.Endpoint
	for i := range t.objects {
		one := &t.objects[i]
		kind := schema.FromAPIVersionAndKind(one.ref.APIVersion, one.ref.Kind).GroupKind()
		if !addresses.IsEndpoint(kind) || !one.isWatched() {
			continue
		}
		if synced, err := one.watch.syncState(); err != nil || !synced || !one.watch.hasObserved(one.ref, t.leastObserved[one.ref]) {
			return nil, false
		}
		if endpoint := one.watch.endpointOf(one.ref); endpoint != nil {
			found = append(found, *endpoint)
		}
	}
	return found, true
}

// readEndpoint returns the endpoint of a live object, nil if it is none.
func readEndpoint(live *unstructured.Unstructured) *addresses.Endpoint {
	var endpoint *addresses.Endpoint
	err := outcome.Guarded(func() error {
		endpoint = addresses.EndpointOf(live)
		return nil
	})()
	if p, ok := errors.AsType[*outcome.Panic](err); ok {
		log.Log.WithName("health").Error(err, "Recovered from a panic", "stack", string(p.Stack))
	}
	return endpoint
}
