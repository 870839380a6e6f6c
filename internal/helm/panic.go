package helm

import (
	"runtime/debug"

	"github.com/appmarket/operator/internal/outcome"
)

// recovered converts a panic into an error. Call it with defer. Helm calls a cluster in its own
// goroutines, which do not recover panics, and tenants control manifests and records.
func (c *cluster) recovered(err *error) {
	if value := recover(); value != nil {
		*err = c.note(&outcome.Panic{Value: value, Stack: debug.Stack()})
	}
}
