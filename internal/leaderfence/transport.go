package leaderfence

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// wrap lets requests through that ask for no change, and others if the Fence is open
// when they are sent.
func (f *Fence) wrapTransport(next http.RoundTripper) http.RoundTripper {
	return &fencedTransport{fence: f, next: next}
}

type fencedTransport struct {
	fence *Fence
	next  http.RoundTripper
}

// RoundTrip sends a request, if it may be sent. Until it is, some time may pass: a
// body is guarded while it is read, and the connection while it carries anything.
func (t *fencedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	switch request.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		return t.next.RoundTrip(request)
	}
	if err := t.fence.allowWrite(); err != nil {
		err = fmt.Errorf("refuse %s: %w", request.Method, err)
		if request.Body != nil {
			err = errors.Join(err, request.Body.Close())
		}
		return nil, err
	}
	if request.Body != nil && request.Body != http.NoBody {
		request = t.guardBody(request)
	}
	return t.next.RoundTrip(request)
}

// WrappedRoundTripper is what others need to reach the transport itself.
func (t *fencedTransport) WrappedRoundTripper() http.RoundTripper { return t.next }

// guarded is a request whose body goes through the Fence, also when it is sent again
// over another connection.
func (t *fencedTransport) guardBody(request *http.Request) *http.Request {
	again := request.GetBody
	request = request.WithContext(request.Context()) // A copy: it is not ours to change.
	request.Body = &fencedBody{ReadCloser: request.Body, fence: t.fence}
	if again != nil {
		request.GetBody = func() (io.ReadCloser, error) {
			fresh, err := again()
			if err != nil {
				return nil, err
			}
			return &fencedBody{ReadCloser: fresh, fence: t.fence}, nil
		}
	}
	return request
}

type fencedBody struct {
	io.ReadCloser
	fence *Fence
}

// Read gives what is to be sent, while it may be.
func (b *fencedBody) Read(p []byte) (int, error) {
	if err := b.fence.allowWrite(); err != nil {
		return 0, fmt.Errorf("refuse to go on: %w", err)
	}
	return b.ReadCloser.Read(p)
}
