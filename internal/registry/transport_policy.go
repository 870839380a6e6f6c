package registry

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/appmarket/operator/internal/netguard"
)

var (
	errPlainHTTP = errors.New("plain http is not allowed")
	errTooLarge  = fmt.Errorf("%w: more than %d bytes", netguard.ErrTooLarge, MaxResponseBytes)
)

// policyTransport sends all requests of one inspection, including requests for tokens and
// redirected ones. It wraps failed connections in connectionError, to distinguish them from
// unusable responses.
type policyTransport struct {
	base      http.RoundTripper
	endpoints endpointResolver
	registry  string
	// authenticated reports whether there are credentials for the registry.
	authenticated bool
	// retryAfter is the value of the last Retry-After header, in nanoseconds.
	retryAfter atomic.Int64
}

// connectionError is a failed connection.
type connectionError struct{ err error }

func (l *connectionError) Error() string { return l.err.Error() }
func (l *connectionError) Unwrap() error { return l.err }

// RoundTrip implements http.RoundTripper.
func (e *policyTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := e.checkRequest(req); err != nil {
		return nil, errors.Join(err, closeBody(req))
	}
	resp, err := e.base.RoundTrip(req)
	if err != nil {
		return nil, &connectionError{err}
	}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		e.retryAfter.Store(int64(netguard.RetryAfter(resp.Header, time.Now())))
	}
	if resp.ContentLength > MaxResponseBytes && req.Method != http.MethodHead {
		return nil, errors.Join(errTooLarge, resp.Body.Close())
	}
	resp.Body = &trackedBody{netguard.LimitBody(resp.Body, MaxResponseBytes)}
	return resp, nil
}

func (e *policyTransport) checkRequest(req *http.Request) error {
	if e.authenticated {
		if err := netguard.CheckCredentials(req, e.registry); err != nil {
			return err
		}
	}
	return errors.Join(e.checkURL(req.URL), netguard.CheckRedirected(req))
}

// checkURL returns an error for plain http if it is not allowed.
func (e *policyTransport) checkURL(u *url.URL) error {
	switch {
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && e.endpoints.allowsPlainHTTP(u.Host, e.registry):
		return nil
	}
	return errPlainHTTP
}

func closeBody(req *http.Request) error {
	if req.Body == nil {
		return nil
	}
	return req.Body.Close()
}

// trackedBody wraps read errors in connectionError, except netguard.ErrTooLarge.
type trackedBody struct{ io.ReadCloser }

func (b *trackedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, netguard.ErrTooLarge) {
		err = &connectionError{err}
	}
	return n, err
}
