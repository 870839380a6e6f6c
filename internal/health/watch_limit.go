package health

import (
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// Option configures a Watcher.
type Option func(*Watcher)

// WithLimit bounds the watches in one namespace. Zero means no limit. There is one watch for
// each service account and kind of object, even if the account does not exist.
func WithLimit(watches int) Option {
	return func(w *Watcher) { w.limit = watches }
}

// checkAllowance returns an error if a namespace has reached its limit. w.mu must be held.
func (w *Watcher) checkAllowance(namespace string) error {
	if w.limit <= 0 || w.count[namespace] < w.limit {
		return nil
	}
	return outcome.Failed(v1alpha1.ReasonAllowanceExceeded, fmt.Errorf(
		"the objects of the instances in namespace %q need more than %d watches, one for each service account and kind: let instances share a service account, or ask the administrator of the operator to raise --namespace-watches",
		namespace, w.limit))
}

// countStarted counts a started watch. w.mu must be held.
func (w *Watcher) countStarted(key watchKey) { w.count[key.tenant.Namespace]++ }

// countEnded counts an ended watch. w.mu must be held.
func (w *Watcher) countEnded(key watchKey) {
	if w.count[key.tenant.Namespace]--; w.count[key.tenant.Namespace] == 0 {
		delete(w.count, key.tenant.Namespace)
	}
}
