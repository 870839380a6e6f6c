package release

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Observer is notified by an operation while it runs. Each function may be nil, and
// is called by one goroutine at a time.
type Observer struct {
	// Waiting is called with a phrase such as "waiting for pre-install Job/migrate to
	// end" when an operation has waited for a while, and when the reason changes.
	Waiting func(ctx context.Context, message string)
	// Retaining is called with the objects that an operation keeps although their
	// release goes without them, before it does. An error ends the operation.
	Retaining func(ctx context.Context, objects []v1alpha1.ObjectReference) error
}

type observerKey struct{}

// WithObserver returns a context whose operations notify an observer.
func WithObserver(ctx context.Context, observer Observer) context.Context {
	return context.WithValue(ctx, observerKey{}, observer)
}

// ObserverFrom returns the observer of a context. Without one it returns an observer
// that has no functions.
func ObserverFrom(ctx context.Context) Observer {
	observer, _ := ctx.Value(observerKey{}).(Observer)
	return observer
}
