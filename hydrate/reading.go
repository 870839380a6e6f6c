package hydrate

import "context"

type readingKey struct{}

// WithReading returns a context that contains a function for Reading. Sources call Reading
// before they read their content, with the ETag of the response if it has one, but not if
// the response reports that nothing has changed. An error of the function ends the listing.
func WithReading(ctx context.Context, do func(ctx context.Context, etag string) error) context.Context {
	return context.WithValue(ctx, readingKey{}, do)
}

// ReportReading calls the function in the context, if there is one. A source calls Reading before
// it reads its content.
func ReportReading(ctx context.Context, etag string) error {
	if do, ok := ctx.Value(readingKey{}).(func(context.Context, string) error); ok {
		return do(ctx, etag)
	}
	return nil
}
