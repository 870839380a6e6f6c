package app

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chartrepo"
)

// appReporter enqueues the apps whose charts are damaged, or could not be written before, each
// once until its event is received: on a replica that is not the leader, no controller receives
// the events.
type appReporter struct {
	events chan<- event.GenericEvent

	mu      sync.Mutex
	waiting map[types.NamespacedName]bool
}

func (r *appReporter) reportDamage(d chartrepo.DamagedRecord) {
	if d.App != "" {
		r.reportApp(d.Owner, d.App)
	}
}

// reportApp does not wait for the controller, which does not exist while the store is opened.
func (r *appReporter) reportApp(owner hydrate.Owner, app string) {
	key := types.NamespacedName{Namespace: owner.Namespace, Name: owner.Source + "." + app}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[key] {
		return
	}
	if r.waiting == nil {
		r.waiting = map[types.NamespacedName]bool{}
	}
	r.waiting[key] = true
	go r.sendEvent(key)
}

func (r *appReporter) sendEvent(key types.NamespacedName) {
	app := &v1alpha1.AppInfo{}
	app.Namespace, app.Name = key.Namespace, key.Name
	r.events <- event.GenericEvent{Object: app}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, key)
}
