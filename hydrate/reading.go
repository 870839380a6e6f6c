package hydrate

import "context"

type readingKey struct{}

// WithReading returns a context in which a source calls the function before it reads
// what it offers, with the ETag of the answer if it has one. Its error ends the listing.
// An answer that nothing has changed is not read.
func WithReading(ctx context.Context, do func(ctx context.Context, etag string) error) context.Context {
	return context.WithValue(ctx, readingKey{}, do)
}

// Reading is called by a source before it reads what it offers.
func Reading(ctx context.Context, etag string) error {
	if do, ok := ctx.Value(readingKey{}).(func(context.Context, string) error); ok {
		return do(ctx, etag)
	}
	return nil
}
