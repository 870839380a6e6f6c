package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// A failed connection is retried after a short time. All other errors are left to
	// the backoff of the caller.
	maxRetries   = 2
	retryWait    = 200 * time.Millisecond
	maxRetryWait = time.Second
)

// httpClient sends requests for one repository, and its credentials only to the server
// of the repository.
type httpClient struct {
	client       *retryablehttp.Client
	baseURL      *url.URL
	authenticate func(*http.Request)
	httpAccess
}

// httpAccess configures the access to one server.
type httpAccess struct {
	// field is the field of the spec with the references to the Secrets for the server, such as
	// spec.helm. It is empty if no credentials can be specified for the server.
	field string
	// username and password, or token, are empty for anonymous access.
	username, password, token string
	transport                 TransportConfig
	timeout                   time.Duration
}

// newHTTPClient returns a client for the server of a URL. An error begins with the field of the spec.
func newHTTPClient(from Config, access httpAccess, home *url.URL) (*httpClient, error) {
	if access.token != "" && (access.username != "" || access.password != "") {
		return nil, fmt.Errorf("%s.secretRef: the Secret must have the keys username and password or the key token, not both: remove one of them", access.field)
	}
	transport, err := transports.getTransport(netguard.TransportOptions{Policy: from.Network, UserAgent: from.UserAgent}, access.transport, home)
	if err != nil {
		return nil, fmt.Errorf("%s.%w", access.field, err)
	}
	c := &httpClient{baseURL: home, httpAccess: access, authenticate: func(*http.Request) {}}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	switch {
	case c.token != "":
		c.authenticate = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+c.token) }
	case c.username != "" || c.password != "":
		c.authenticate = func(r *http.Request) { r.SetBasicAuth(c.username, c.password) }
	}
	c.client = &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: transport, CheckRedirect: c.checkRedirect},
		RetryMax:     maxRetries,
		RetryWaitMin: retryWait,
		RetryWaitMax: maxRetryWait,
		CheckRetry:   shouldRetry,
		Backoff:      retryablehttp.DefaultBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return c, nil
}

// sendGet sends a GET request and returns the response with any status. The caller must
// close its body, which also stops the timeout of the request.
func (c *httpClient) sendGet(ctx context.Context, target *url.URL, header http.Header) (*http.Response, error) {
	return c.send(ctx, http.MethodGet, target, header, nil)
}

// send works like sendGet for any method. A body that is not nil must be a *bytes.Reader.
func (c *httpClient) send(ctx context.Context, method string, target *url.URL, header http.Header, body any) (*http.Response, error) {
	if target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
		return nil, outcome.Stalled(v1alpha1.ReasonFetchFailed, fmt.Errorf("get %s: %w", redactURL(target), netguard.ErrScheme))
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	request, err := retryablehttp.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		cancel()
		return nil, c.connectionError(target, err)
	}
	for key, values := range header {
		request.Header[key] = values
	}
	if sameOrigin(target, c.baseURL) {
		c.authenticate(request.Request)
	}
	response, err := c.client.Do(request)
	if err != nil {
		cancel()
		return nil, c.connectionError(target, err)
	}
	response.Body = &responseBody{ReadCloser: response.Body, cancel: cancel}
	return response, nil
}

// connectionError returns the error for a request without a complete response.
func (c *httpClient) connectionError(target *url.URL, err error) error {
	field := c.field
	if !sameOrigin(target, c.baseURL) {
		field = "" // The Secrets of the source are not for this server.
	}
	return accessError(redactURL(target), field, err)
}

// checkRedirect is the CheckRedirect function of an http.Client, which by default sends
// the credentials to another port, another scheme and any subdomain, too.
func (c *httpClient) checkRedirect(next *http.Request, via []*http.Request) error {
	if err := netguard.CheckRedirect(next, via); err != nil {
		return err
	}
	if !sameOrigin(next.URL, c.baseURL) {
		next.Header.Del("Authorization")
	}
	return nil
}

// shouldRetry reports whether a request is sent again: only if the connection was refused
// or closed before the response.
func shouldRetry(ctx context.Context, response *http.Response, err error) (bool, error) {
	if err == nil {
		return false, nil
	}
	timeout, ok := errors.AsType[net.Error](err)
	_, isProxyStatus := errors.AsType[netguard.ProxyStatus](err)
	if ok && timeout.Timeout() || policyError(err) != nil || isProxyStatus || rejectedHandshake(err) != nil {
		return false, err
	}
	return retryablehttp.DefaultRetryPolicy(ctx, response, err)
}

// responseBody is the body of a response, which must be read within the timeout of the
// request.
type responseBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *responseBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// sameOrigin reports whether two URLs have the same scheme, host and port, with the
// default port of the scheme where a URL has none.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

// portOf returns the port of a URL, or the default port of its scheme.
func portOf(u *url.URL) string {
	if u.Port() == "" && u.Scheme == "https" {
		return "443"
	}
	if u.Port() == "" && u.Scheme == "http" {
		return "80"
	}
	return u.Port()
}

// redactURL returns a URL for messages, without the parts that may contain credentials:
// user name, password and query.
func redactURL(u *url.URL) string {
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return bare.String()
}
