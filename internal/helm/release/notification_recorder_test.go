package release_test

import (
	"context"
	"slices"
	"sync"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// notificationRecorder contains the notifications of operations.
type notificationRecorder struct {
	mu       sync.Mutex
	retained []v1alpha1.ObjectReference
	waiting  []string
}

// observeRetained returns a context with an observer, and a function that returns the kinds and names of
// the objects that operations have reported as retained.
func observeRetained(ctx context.Context) (context.Context, func() []string) {
	ctx, o := observeAll(ctx)
	return ctx, func() []string {
		var names []string
		for _, ref := range o.retained {
			if name := ref.Kind + "/" + ref.Name; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		return names
	}
}

// observeAll returns a context with an observer, and its notifications.
func observeAll(ctx context.Context) (context.Context, *notificationRecorder) {
	o := &notificationRecorder{}
	return release.WithObserver(ctx, release.Observer{
		Waiting: func(_ context.Context, message string) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.waiting = append(o.waiting, message)
		},
		Retaining: func(_ context.Context, objects []v1alpha1.ObjectReference) error {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.retained = append(o.retained, objects...)
			return nil
		},
	}), o
}

// waitingMessages returns the messages about waiting.
func (o *notificationRecorder) waitingMessages() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.waiting)
}
