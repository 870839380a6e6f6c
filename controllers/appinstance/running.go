package appinstance

import (
	"context"
	"encoding/json"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// operations contains the running operations. A reconcile does not notice changes of its
// instance, so that watch handlers call compare.
type operations struct {
	mu  sync.Mutex
	now map[types.NamespacedName]*running
}

type running struct {
	makes string
	// removes reports whether the operation is an uninstallation, which a change of the
	// spec does not cancel.
	removes bool
	end     context.CancelCauseFunc
}

// begin registers an operation and returns its context and a function to call when it has
// ended.
func (o *operations) begin(
	ctx context.Context, instance *v1alpha1.AppInstance, next v1alpha1.Operation,
) (context.Context, func()) {
	ctx, end := context.WithCancelCause(ctx)
	key := client.ObjectKeyFromObject(instance)
	this := &running{makes: makes(instance), removes: next.Type == v1alpha1.OperationUninstall, end: end}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now == nil {
		o.now = map[types.NamespacedName]*running{}
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

// compare cancels the operation on an instance if the spec has changed in a way that
// affects its result.
func (o *operations) compare(instance *v1alpha1.AppInstance) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if known := o.now[client.ObjectKeyFromObject(instance)]; known != nil && !known.removes && known.makes != makes(instance) {
		known.end(errUnwanted)
	}
}

// endIn cancels the operations in a namespace that is being deleted. The namespace
// controller deletes their objects, and an uninstallation would wait for the namespace,
// which waits for the instance.
func (o *operations) endIn(namespace string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, known := range o.now {
		if key.Namespace == namespace {
			known.end(errNamespaceEnds)
		}
	}
}

// makes returns the parts of a spec that affect the result of an operation, encoded as a
// string.
func makes(instance *v1alpha1.AppInstance) string {
	spec := instance.Spec
	decides := []any{
		instance.DeletionTimestamp.IsZero(), spec.DesiredState == v1alpha1.StateAbsent, spec.Revision, spec.Version,
		spec.Values, spec.ValuesFrom, spec.Envs, spec.ServiceAccountName, spec.CredentialRef,
	}
	// Values from the API server can always be encoded.
	text, err := json.Marshal(decides)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
