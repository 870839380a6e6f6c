package appinstance

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// OperationLimiter limits the number of instances with a running operation, fairly among namespaces.
type OperationLimiter interface {
	// TryAcquire reports whether the instance has a slot. Otherwise the instance waits for
	// one, and is reconciled when it has acquired it.
	TryAcquire(instance types.NamespacedName) bool
	// Pause releases the slot while the operation waits.
	Pause(instance types.NamespacedName)
	// Resume acquires the slot again. It waits for the slot until the context ends.
	Resume(ctx context.Context, instance types.NamespacedName)
	// Release releases the slot.
	Release(instance types.NamespacedName)
	// Cancel removes the instance from the queue.
	Cancel(instance types.NamespacedName)
}

// limiterFor returns the limiter for an operation. Uninstallations have their own slots, so
// that installations cannot delay them.
func limiterFor(r *Reconciler, operation v1alpha1.Operation) OperationLimiter {
	if operationKinds[operation.Type].isRemoval {
		return r.Removals
	}
	return r.Turns
}

// withSlotRelease returns a context in which an operation releases its slot while it waits.
func withSlotRelease(ctx context.Context, r *Reconciler, key types.NamespacedName, operation v1alpha1.Operation) context.Context {
	line := limiterFor(r, operation)
	return release.WithYield(ctx, func() func() {
		line.Pause(key)
		return func() { line.Resume(ctx, key) }
	})
}
