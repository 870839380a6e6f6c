package health

import (
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// Option changes how a Watcher works.
type Option func(*Watcher)

// WithLimit bounds the watches in one namespace; zero is no bound. There is one for each
// service account and each kind of object, whether the account exists or not.
func WithLimit(watches int) Option {
	return func(w *Watcher) { w.limit = watches }
}

// checkAllowance refuses another watch in a namespace that has as many as it may. w.mu is
// held.
func (w *Watcher) checkAllowance(namespace string) error {
	if w.limit <= 0 || w.count[namespace] < w.limit {
		return nil
	}
	return outcome.Failed(v1alpha1.ReasonAllowanceExceeded, fmt.Errorf(
		"the objects of the instances in namespace %q need more than %d watches, one for each service account and kind: let instances share a service account, or have --namespace-watches of the operator raised",
		namespace, w.limit))
}

// started counts a watch, and ended no longer. w.mu is held.
func (w *Watcher) countStarted(key watchKey) { w.count[key.tenant.Namespace]++ }

func (w *Watcher) countEnded(key watchKey) {
	if w.count[key.tenant.Namespace]--; w.count[key.tenant.Namespace] == 0 {
		delete(w.count, key.tenant.Namespace)
	}
}
