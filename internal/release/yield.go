package release

import "context"

type yieldKey struct{}

// WithYield returns the context of an operation that holds a slot. The function yield releases
// the slot, and returns a function that acquires it again.
func WithYield(ctx context.Context, yield func() (resume func())) context.Context {
	return context.WithValue(ctx, yieldKey{}, yield)
}

// Yield releases the slot of the operation while the operation only waits, and returns a
// function that acquires the slot again. It does nothing for a context without WithYield.
func Yield(ctx context.Context) (resume func()) {
	if yield, ok := ctx.Value(yieldKey{}).(func() func()); ok {
		return yield()
	}
	return func() {}
}
