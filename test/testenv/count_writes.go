package testenv

import (
	"context"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// Writes records the write requests of a client in order, such as "patch status" or "create".
type Writes struct {
	mu       sync.Mutex
	requests []string
}

// Take returns the writes since the last call of Take.
func (w *Writes) Take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	noted := slices.Clone(w.requests)
	w.requests = nil
	return noted
}

func (w *Writes) recordWrite(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, what)
}

// CountWrites wraps a client so that it records every write.
func CountWrites(c client.WithWatch) (client.WithWatch, *Writes) {
	w := &Writes{}
	return interceptor.NewClient(c, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			w.recordWrite("create")
			return c.Create(ctx, o, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			w.recordWrite("delete")
			return c.Delete(ctx, o, opts...)
		},
		DeleteAllOf: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteAllOfOption) error {
			w.recordWrite("delete all")
			return c.DeleteAllOf(ctx, o, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			w.recordWrite("update")
			return c.Update(ctx, o, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			w.recordWrite("patch")
			return c.Patch(ctx, o, p, opts...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			w.recordWrite("apply")
			return c.Apply(ctx, o, opts...)
		},
		SubResourceCreate: func(ctx context.Context, c client.Client, name string, o, sub client.Object, opts ...client.SubResourceCreateOption) error {
			w.recordWrite("create " + name)
			return c.SubResource(name).Create(ctx, o, sub, opts...)
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, name string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			w.recordWrite("update " + name)
			return c.SubResource(name).Update(ctx, o, opts...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, name string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			w.recordWrite("patch " + name)
			return c.SubResource(name).Patch(ctx, o, p, opts...)
		},
		SubResourceApply: func(ctx context.Context, c client.Client, name string, o runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			w.recordWrite("apply " + name)
			return c.SubResource(name).Apply(ctx, o, opts...)
		},
	}), w
}
