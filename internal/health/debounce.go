package health

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/appmarket/operator/api/v1alpha1"
)

// settling is how long a change waits for others of the same instance: objects
// commonly change together.
const debounceInterval = 20 * time.Millisecond

// notifier hands on names of instances, each once until it was taken.
type debouncer struct {
	events chan<- event.GenericEvent

	mu      sync.Mutex
	waiting map[types.NamespacedName]bool
	busy    bool
}

// notify never waits for the one who takes the names.
func (n *debouncer) notifyChanged(instances ...types.NamespacedName) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, instance := range instances {
		n.waiting[instance] = true
	}
	if len(n.waiting) > 0 && !n.busy {
		n.busy = true
		go n.deliverEvents()
	}
}

// deliver hands on names until there are none.
func (n *debouncer) deliverEvents() {
	for {
		time.Sleep(debounceInterval)
		names := n.takeWaiting()
		if len(names) == 0 {
			return
		}
		for _, name := range names {
			about := &v1alpha1.AppInstance{}
			about.Namespace, about.Name = name.Namespace, name.Name
			n.events <- event.GenericEvent{Object: about}
		}
	}
}

// take gives the names that wait; none means that delivery has ended.
func (n *debouncer) takeWaiting() []types.NamespacedName {
	n.mu.Lock()
	defer n.mu.Unlock()
	names := make([]types.NamespacedName, 0, len(n.waiting))
	for name := range n.waiting {
		names = append(names, name)
	}
	clear(n.waiting)
	n.busy = len(names) > 0
	return names
}
