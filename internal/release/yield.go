package release

import "context"

type yieldKey struct{}

// WithYield returns the context of an operation that holds a turn. The function gives the
// turn to others, and returns the one that takes it again.
func WithYield(ctx context.Context, yield func() (resume func())) context.Context {
	return context.WithValue(ctx, yieldKey{}, yield)
}

// Yield gives the turn of the operation to others while the operation only waits, and
// returns a function that takes the turn again. It does nothing for a context that
// WithYield has not made.
func Yield(ctx context.Context) (resume func()) {
	if yield, ok := ctx.Value(yieldKey{}).(func() func()); ok {
		return yield()
	}
	return func() {}
}
