package helm

import (
	"runtime/debug"

	"github.com/appmarket/operator/internal/outcome"
)

// recovered turns a panic into an error. Helm calls a cluster in goroutines of its
// own, where nothing else recovers, and manifests and records are in the hands of
// tenants. It is to be deferred.
func (c *cluster) recovered(err *error) {
	if value := recover(); value != nil {
		*err = c.note(&outcome.Panic{Value: value, Stack: debug.Stack()})
	}
}
