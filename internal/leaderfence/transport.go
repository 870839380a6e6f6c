package leaderfence

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Transport returns a transport for another service that the leader writes to, such as the bucket of the charts. It
// has its own connections, and sends a request that is no read only while this process certainly holds the lease.
func (f *Fence) Transport(base *http.Transport) http.RoundTripper {
	guarded := base.Clone()
	guarded.DialContext = f.guardDialer(base.DialContext)
	return f.wrapTransport(guarded)
}

// wrapTransport returns a transport that always sends reads, and sends other requests if
// the Fence is open when they are sent.
func (f *Fence) wrapTransport(next http.RoundTripper) http.RoundTripper {
	return &fencedTransport{fence: f, next: next}
}

type fencedTransport struct {
	fence *Fence
	next  http.RoundTripper
}

// RoundTrip sends a request if the fence allows it. Sending can take time, so the body is
// checked again while it is read, and the connection while it sends.
func (t *fencedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	switch request.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		return t.next.RoundTrip(request)
	}
	if err := t.fence.allowWrite(); err != nil {
		err = fmt.Errorf("reject %s: %w", request.Method, err)
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

// WrappedRoundTripper gives callers access to the underlying transport.
func (t *fencedTransport) WrappedRoundTripper() http.RoundTripper { return t.next }

// guardBody returns a request whose body is checked by the Fence while it is read, also when
// the request is sent again over another connection.
func (t *fencedTransport) guardBody(request *http.Request) *http.Request {
	again := request.GetBody
	request = request.WithContext(request.Context()) // A copy: a transport must not change the request.
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

// Read returns the next bytes of the body if the fence allows it.
func (b *fencedBody) Read(p []byte) (int, error) {
	if err := b.fence.allowWrite(); err != nil {
		return 0, fmt.Errorf("stop sending the body: %w", err)
	}
	return b.ReadCloser.Read(p)
}
