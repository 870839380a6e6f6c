package release

import (
	"context"
	"io"
	"net/http"
)

// contextTransport cancels every request when ctx ends. Helm 3 does not pass a context to its requests, and
// would continue after its caller has returned.
type contextTransport struct {
	ctx  context.Context
	next http.RoundTripper
}

func (b contextTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(request.Context())
	stop := context.AfterFunc(b.ctx, cancel)
	end := func() { stop(); cancel() }
	response, err := b.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	response.Body = &endingBody{ReadCloser: response.Body, end: end}
	return response, nil
}

// endingBody releases the resources of a request when its response body is closed.
type endingBody struct {
	io.ReadCloser
	end func()
}

func (b *endingBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
