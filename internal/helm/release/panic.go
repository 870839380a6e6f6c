package release

import (
	"errors"
	"runtime/debug"

	"github.com/appmarket/operator/internal/outcome"
)

// recoverPanic converts a panic into an error. Call it with defer. Helm calls a cluster in its own
// goroutines, which do not recover panics, and tenants control manifests and records.
func (c *kubeClient) recoverPanic(err *error) {
	if value := recover(); value != nil {
		*err = c.storeFailure(&outcome.Panic{Value: value, Stack: debug.Stack()})
	}
}

// storePanic stores the panic in an error for the classification of the operation, and returns the
// error.
func (c *kubeClient) storePanic(err error) error {
	if panicked, ok := errors.AsType[*outcome.Panic](err); ok {
		_ = c.storeFailure(panicked)
	}
	return err
}
