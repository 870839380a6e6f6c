package health

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/appmarket/operator/api/v1alpha1"
)

// debounceInterval is the time for which a change waits for other changes of the same instance.
const debounceInterval = 20 * time.Millisecond

// debouncer sends an event for each changed instance. Changes that occur before the event is
// received are combined.
type debouncer struct {
	events chan<- event.GenericEvent

	mu      sync.Mutex
	waiting map[types.NamespacedName]bool
	busy    bool
}

// notifyChanged adds changed instances. It does not block.
func (d *debouncer) notifyChanged(instances ...types.NamespacedName) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, instance := range instances {
		d.waiting[instance] = true
	}
	if len(d.waiting) > 0 && !d.busy {
		d.busy = true
		go d.deliverEvents()
	}
}

// deliverEvents sends events until no changes are left.
func (d *debouncer) deliverEvents() {
	for {
		time.Sleep(debounceInterval)
		names := d.takeWaiting()
		if len(names) == 0 {
			return
		}
		for _, name := range names {
			about := &v1alpha1.AppInstance{}
			about.Namespace, about.Name = name.Namespace, name.Name
			d.events <- event.GenericEvent{Object: about}
		}
	}
}

// takeWaiting returns the changed instances and removes them. Delivery ends if there are none.
func (d *debouncer) takeWaiting() []types.NamespacedName {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := make([]types.NamespacedName, 0, len(d.waiting))
	for name := range d.waiting {
		names = append(names, name)
	}
	clear(d.waiting)
	d.busy = len(names) > 0
	return names
}
