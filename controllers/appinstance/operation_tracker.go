package appinstance

import (
	"context"
	"encoding/json"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// operationTracker contains the running operations. Watch handlers call cancelIfChanged, because a
// reconcile does not receive changes of its instance.
type operationTracker struct {
	mu  sync.Mutex
	now map[types.NamespacedName]*runningOperation
}

type runningOperation struct {
	inputsKey string
	// isRemoval is set if a change of the spec does not cancel the operation.
	isRemoval   bool
	cancelCause context.CancelCauseFunc
}

// registerOperation registers an operation and returns its context and a function to call when it has
// ended.
func (o *operationTracker) registerOperation(
	ctx context.Context, instance *v1alpha1.AppInstance, next v1alpha1.Operation,
) (context.Context, func()) {
	ctx, end := context.WithCancelCause(ctx)
	key := client.ObjectKeyFromObject(instance)
	this := &runningOperation{inputsKey: operationInputs(instance), isRemoval: operationKinds[next.Type].isRemoval, cancelCause: end}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now == nil {
		o.now = map[types.NamespacedName]*runningOperation{}
	}
	o.now[key] = this
	return ctx, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.now[key] == this {
			delete(o.now, key)
		}
		end(nil)
	}
}

// cancelIfChanged cancels the operation on an instance if the spec has changed in a way that
// affects its result.
func (o *operationTracker) cancelIfChanged(instance *v1alpha1.AppInstance) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if known := o.now[client.ObjectKeyFromObject(instance)]; known != nil && !known.isRemoval && known.inputsKey != operationInputs(instance) {
		known.cancelCause(errOutdated)
	}
}

// cancelInNamespace cancels the operations in a namespace that is being deleted. The namespace
// controller deletes their objects, and an uninstallation would wait for the namespace,
// which waits for the instance.
func (o *operationTracker) cancelInNamespace(namespace string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, known := range o.now {
		if key.Namespace == namespace {
			known.cancelCause(errNamespaceTerminating)
		}
	}
}

// operationInputs returns the parts of a spec that affect the result of an operation, encoded as a
// string.
func operationInputs(instance *v1alpha1.AppInstance) string {
	spec := instance.Spec
	decides := []any{
		instance.DeletionTimestamp.IsZero(), spec.DesiredState == v1alpha1.StateUninstalled, spec.PinnedRevision, spec.Version,
		spec.Values, spec.ValuesFrom, spec.Inputs, spec.ServiceAccountName, spec.CredentialSecretRef,
	}
	// Values from the API server can always be encoded.
	text, err := json.Marshal(decides)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
