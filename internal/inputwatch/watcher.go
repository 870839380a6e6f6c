package inputwatch

import (
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
)

// Input refers to a Secret or a ConfigMap in the namespace of a reader.
type Input = v1alpha1.ValuesReference

// Watcher watches the inputs of readers, which are AppInstances or AppInstallTasks. It is safe for
// concurrent use.
type Watcher struct {
	config *rest.Config
	notify func(types.NamespacedName)
	limit  int

	mu      sync.Mutex
	readers map[types.NamespacedName]subscription
	watches map[watchKey]*watch
	// count contains the number of watches of each namespace.
	count map[string]int
}

// watchKey identifies a watch: a service account and a kind in its namespace.
type watchKey struct {
	tenant release.Tenant
	kind   v1alpha1.ValuesKind
}

// subscription contains the inputs of a reader.
type subscription struct {
	tenant release.Tenant
	names  []inputName
}

// inputName identifies an input of a reader.
type inputName struct {
	kind v1alpha1.ValuesKind
	name string
}

// NewWatcher returns a Watcher. cfg needs permission to impersonate the service accounts of
// tenants. notify is called with the name of a reader when one of its inputs has changed, and
// once after the watch of a new input has started, because the input may have changed after the
// reader read it. notify must not block. limit is the maximum number of watches in one
// namespace; zero means no limit.
func NewWatcher(cfg *rest.Config, limit int, notify func(types.NamespacedName)) *Watcher {
	return &Watcher{
		config: cfg, notify: notify, limit: limit,
		readers: map[types.NamespacedName]subscription{}, watches: map[watchKey]*watch{}, count: map[string]int{},
	}
}

// WatchInputs replaces the watched inputs of a reader. If the limit of the namespace is
// reached, the remaining inputs are not watched, and the error has the reason AllowanceExceeded.
func (w *Watcher) WatchInputs(reader types.NamespacedName, tenant release.Tenant, inputs []Input) error {
	wanted := subscription{tenant: tenant, names: distinctNames(inputs)}
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.readers[reader]
	if before.tenant == wanted.tenant && slices.Equal(before.names, wanted.names) {
		return nil
	}
	now := subscription{tenant: tenant}
	var err error
	for _, input := range wanted.names {
		if err = w.addInput(reader, tenant, input); err != nil {
			break
		}
		now.names = append(now.names, input)
	}
	// Inputs are removed last, so that watches that are still used continue.
	w.removeInputs(reader, before, now)
	w.readers[reader] = now
	if len(now.names) == 0 {
		delete(w.readers, reader)
	}
	return err
}

// IsWatching reports whether the watches of all inputs of a reader have started. A watch does not
// start without permission.
func (w *Watcher) IsWatching(reader types.NamespacedName) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	known, ok := w.readers[reader]
	return ok && !slices.ContainsFunc(known.names, func(input inputName) bool {
		return !w.watches[watchKey{tenant: known.tenant, kind: input.kind}].hasStarted()
	})
}

// ForgetInputs stops watching the inputs of a reader.
func (w *Watcher) ForgetInputs(reader types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.removeInputs(reader, w.readers[reader], subscription{})
	delete(w.readers, reader)
}

// Close stops all watches.
func (w *Watcher) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for reader, known := range w.readers {
		w.removeInputs(reader, known, subscription{})
		delete(w.readers, reader)
	}
}

// distinctNames returns the sorted names of inputs without duplicates.
func distinctNames(inputs []Input) []inputName {
	var names []inputName
	for _, input := range inputs {
		names = append(names, inputName{kind: input.Kind, name: input.Name})
	}
	slices.SortFunc(names, compareNames)
	return slices.Compact(names)
}

// addInput registers a reader for the changes of an input. w.mu must be held.
func (w *Watcher) addInput(reader types.NamespacedName, tenant release.Tenant, input inputName) error {
	key := watchKey{tenant: tenant, kind: input.kind}
	found, ok := w.watches[key]
	if !ok {
		if w.limit > 0 && w.count[tenant.Namespace] >= w.limit {
			return outcome.Failed(v1alpha1.ReasonAllowanceExceeded, fmt.Errorf(
				"the inputs of the instances in namespace %q need more than %d watches, one for each service account and kind: let instances share a service account, or ask the administrator of the operator to raise --namespace-watches",
				tenant.Namespace, w.limit))
		}
		objects, err := metadata.NewForConfig(impersonation.Config(w.config, tenant))
		if err != nil {
			return fmt.Errorf("create client: %w", err)
		}
		found = startWatch(key, objects, w.notify)
		w.watches[key] = found
		w.count[tenant.Namespace]++
	}
	found.addUser(input.name, reader)
	return nil
}

// removeInputs removes a reader from its inputs except those to keep, and stops watches without
// users. w.mu must be held.
func (w *Watcher) removeInputs(reader types.NamespacedName, from, keep subscription) {
	for _, input := range from.names {
		if from.tenant == keep.tenant && slices.Contains(keep.names, input) {
			continue
		}
		key := watchKey{tenant: from.tenant, kind: input.kind}
		if used := w.watches[key]; used != nil && used.removeUser(input.name, reader) {
			used.stop()
			delete(w.watches, key)
			if w.count[key.tenant.Namespace]--; w.count[key.tenant.Namespace] == 0 {
				delete(w.count, key.tenant.Namespace)
			}
		}
	}
}
