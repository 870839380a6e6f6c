package license

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/appmarket/operator/internal/netguard"
)

var (
	errScheme      = errors.New("URL scheme must be https")
	errUserInfo    = errors.New("URL must not contain a user name or password")
	errOtherServer = errors.New("redirected to another server or with another method")
	errRedirects   = fmt.Errorf("redirected more than %d times", netguard.MaxRedirects)
	errTooLarge    = errors.New("response is too large")
	errTransport   = errors.New("no transport is configured")
)

// Options configures connections to servers.
type Options struct {
	// Transport sends the requests. It also rejects addresses that must not be connected to
	// when it connects. Without a transport, each request fails.
	Transport http.RoundTripper
	// AllowPlainHTTP allows http to loopback hosts, in addition to https to any host. For
	// tests.
	AllowPlainHTTP bool
}

// client sends requests to untrusted servers.
type client struct {
	http      *http.Client
	plainHTTP bool
}

func newClient(opts Options) *client {
	return &client{
		http:      &http.Client{Transport: opts.Transport, CheckRedirect: checkRedirect},
		plainHTTP: opts.AllowPlainHTTP,
	}
}

// boundedRequest is a request with the limits of its response.
type boundedRequest struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte
	within time.Duration
	limit  int
}

// bufferedResponse is a complete response with any status.
type bufferedResponse struct {
	status int
	header http.Header
	body   []byte
}

// parseURL parses the URL of a server. Its errors do not contain the URL.
func (c *client) parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return nil, errScheme
	}
	if u.User != nil {
		return nil, errUserInfo
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !c.plainHTTP || !netguard.IsLoopback(u.Hostname())) {
		return nil, errScheme
	}
	return u, nil
}

// sendRequest sends a request. Its errors have texts of this package, except the error of the
// caller's context.
func (c *client) sendRequest(ctx context.Context, q boundedRequest) (*bufferedResponse, error) {
	if c.http.Transport == nil {
		return nil, &requestError{text: errTransport.Error(), err: errTransport}
	}
	bounded, cancel := context.WithTimeout(ctx, q.within)
	defer cancel()
	got, err := c.doRequest(bounded, q)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &requestError{text: requestErrorText(err), err: err}
	}
	return got, nil
}

func (c *client) doRequest(ctx context.Context, q boundedRequest) (*bufferedResponse, error) {
	request, err := http.NewRequestWithContext(ctx, q.method, q.url.String(), bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	request.Header = q.header
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := netguard.ReadBody(response, int64(q.limit))
	if errors.Is(err, netguard.ErrTooLarge) {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, err
	}
	return &bufferedResponse{status: response.StatusCode, header: response.Header, body: body}, nil
}

// checkRedirect implements CheckRedirect of http.Client: it allows redirects within the same
// server and with the same method, which http.Client otherwise changes to GET.
func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case next.URL.Scheme != first.URL.Scheme, !strings.EqualFold(next.URL.Host, first.URL.Host),
		next.URL.User != nil, next.Method != first.Method:
		return errOtherServer
	}
	if err := netguard.CheckRedirect(next, via); err != nil {
		return errRedirects
	}
	return nil
}

// requestError is an error whose text is the same for each attempt and contains nothing of
// the request or the response.
type requestError struct {
	text string
	err  error
}

func (f *requestError) Error() string { return f.text }
func (f *requestError) Unwrap() error { return f.err }

func requestErrorText(err error) string {
	for _, own := range []error{errOtherServer, errRedirects, errTooLarge} {
		if errors.Is(err, own) {
			return own.Error()
		}
	}
	if _, isRefused := errors.AsType[netguard.Refused](err); isRefused {
		return "address is not allowed"
	}
	if _, unknown := errors.AsType[*net.DNSError](err); unknown {
		return "host name cannot be resolved"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "no response within the time limit"
	}
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return "server certificate is not trusted"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "response is incomplete"
	}
	return "connection failed"
}
