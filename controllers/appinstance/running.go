package appinstance

import (
	"context"
	"encoding/json"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// operations are those that run now, each with what it makes. A reconcile cannot
// see that its instance was changed; whoever hears of the change tells it here.
type operations struct {
	mu  sync.Mutex
	now map[types.NamespacedName]*running
}

type running struct {
	makes string
	// removes reports that the operation removes the instance, which goes through.
	removes bool
	end     context.CancelCauseFunc
}

// begin gives the context of an operation on an instance, and what to call when it
// has ended.
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

// compare ends the operation on an instance if it makes something that the
// instance is no longer to be.
func (o *operations) compare(instance *v1alpha1.AppInstance) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if known := o.now[client.ObjectKeyFromObject(instance)]; known != nil && !known.removes && known.makes != makes(instance) {
		known.end(errUnwanted)
	}
}

// endIn ends the operations in a namespace that is being deleted: what they remove or
// make goes with it, and a removal would wait for the namespace, which waits for the
// instance.
func (o *operations) endIn(namespace string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, known := range o.now {
		if key.Namespace == namespace {
			known.end(errNamespaceEnds)
		}
	}
}

// makes is all of a spec that decides what Helm makes of it.
func makes(instance *v1alpha1.AppInstance) string {
	spec := instance.Spec
	decides := []any{
		instance.DeletionTimestamp.IsZero(), spec.DesiredState == v1alpha1.StateAbsent, spec.Revision, spec.Version,
		spec.Values, spec.ValuesFrom, spec.Envs, spec.ServiceAccountName, spec.CredentialRef,
	}
	// What came from the API server can be written as it came.
	text, err := json.Marshal(decides)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
