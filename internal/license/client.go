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
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/appmarket/operator/internal/netguard"
)

var (
	errScheme      = errors.New("it is no URL of https")
	errUserInfo    = errors.New("its URL must not hold credentials")
	errOtherServer = errors.New("it redirects to another server or in another way")
	errRedirects   = fmt.Errorf("it redirects more than %d times", netguard.MaxRedirects)
	errTooLarge    = errors.New("its answer is too large")
	errTransport   = errors.New("no transport was given")
)

// Options say how servers are spoken to.
type Options struct {
	// Transport makes the connections. It is also what refuses addresses that must
	// not be connected to, when the connection is made. Without one every request
	// fails.
	Transport http.RoundTripper
	// AllowPlainHTTP allows http to loopback hosts beside https to any, for tests.
	AllowPlainHTTP bool
}

// client speaks to servers that nobody here runs.
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

// question is one request and the bounds of its answer.
type boundedRequest struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte
	within time.Duration
	limit  int
}

// answer is a whole answer, whatever its status.
type bufferedResponse struct {
	status int
	header http.Header
	body   []byte
}

// parse reads the URL of a server. Its errors do not quote it.
func (c *client) parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return nil, errScheme
	}
	if u.User != nil {
		return nil, errUserInfo
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !c.plainHTTP || !isLoopback(u.Hostname())) {
		return nil, errScheme
	}
	return u, nil
}

// ask sends the question. Its errors have a text of our own; only that the caller
// gave up is told as it is.
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

// stay is an http.Client's CheckRedirect: only within the server, and with the
// same method, which a client otherwise turns into GET.
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

// failure is an error with a text that is the same at each attempt and quotes
// nothing of the request or the answer.
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
		return "its address is not allowed"
	}
	if _, unknown := errors.AsType[*net.DNSError](err); unknown {
		return "its name cannot be resolved"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "it gave no answer in time"
	}
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return "its certificate is not trusted"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "its answer ends too early"
	}
	return "it cannot be connected to"
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
