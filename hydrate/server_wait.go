package hydrate

import "context"

type awaiterKey struct{}

// Awaiter runs a function that waits for the responses of servers.
type Awaiter func(ctx context.Context, request func(context.Context) error) error

// WithAwaiter returns a context with which all requests to the servers of sources and images are sent by an
// Awaiter, so that the caller can do other work while a server responds slowly.
func WithAwaiter(ctx context.Context, await Awaiter) context.Context {
	return context.WithValue(ctx, awaiterKey{}, await)
}

// AwaitServers runs a function that sends requests to servers with the Awaiter of the context, if there is one.
// The function must not call AwaitServers.
func AwaitServers(ctx context.Context, request func(context.Context) error) error {
	if await, ok := ctx.Value(awaiterKey{}).(Awaiter); ok {
		return await(ctx, request)
	}
	return request(ctx)
}
