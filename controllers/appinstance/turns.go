package appinstance

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/release"
)

// Turns lets a bounded number of instances have an operation at once, fair among
// namespaces.
type Turns interface {
	// Take reports whether it is the instance's turn. Otherwise it waits in line,
	// and is reconciled again when its turn has come.
	TryAcquire(instance types.NamespacedName) bool
	// Pause lets others have the turn while the operation only waits.
	Pause(instance types.NamespacedName)
	// Resume takes the turn again, and waits for it until the context ends.
	Resume(ctx context.Context, instance types.NamespacedName)
	// Give ends the turn.
	Release(instance types.NamespacedName)
	// Forget takes the instance out of the line.
	Cancel(instance types.NamespacedName)
}

// lineOf returns the line that an operation waits in. Removals have places of their own:
// what is installed can be removed however much is being installed.
func (r *Reconciler) lineOf(operation v1alpha1.Operation) Turns {
	if operation.Type == v1alpha1.OperationUninstall {
		return r.Removals
	}
	return r.Turns
}

// yielding returns a context in which an operation gives its turn to others while it
// waits.
func (r *Reconciler) yielding(ctx context.Context, key types.NamespacedName, operation v1alpha1.Operation) context.Context {
	line := r.lineOf(operation)
	return release.WithYield(ctx, func() func() {
		line.Pause(key)
		return func() { line.Resume(ctx, key) }
	})
}
