package release

import (
	"context"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Observer is notified by a running operation. Each function may be nil, and is called by one
// goroutine at a time.
type Observer struct {
	// Waiting is called with a message such as "waiting for pre-install Job/migrate to end" when
	// an operation has waited for some time, and when the message changes.
	Waiting func(ctx context.Context, message string)
	// Retaining is called with the objects that an operation keeps although the release does not
	// contain them any more, before it keeps them. An error ends the operation.
	Retaining func(ctx context.Context, objects []v1alpha1.ObjectReference) error
}

type observerKey struct{}

// WithObserver returns a context for operations that notify an observer.
func WithObserver(ctx context.Context, observer Observer) context.Context {
	return context.WithValue(ctx, observerKey{}, observer)
}

// ObserverFrom returns the observer of a context, or an observer without functions if there is
// none.
func ObserverFrom(ctx context.Context) Observer {
	observer, _ := ctx.Value(observerKey{}).(Observer)
	return observer
}
