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
	// A connection that fails is tried again soon; all else is for the back-off of
	// the caller.
	maxRetries   = 2
	retryWait    = 200 * time.Millisecond
	maxRetryWait = time.Second
)

// getter sends requests for one repository and gives its credentials to nobody
// else.
type httpClient struct {
	client       *retryablehttp.Client
	baseURL      *url.URL
	authenticate func(*http.Request)
	timeout      time.Duration
}

func newHTTPClient(from Config, home *url.URL) (*httpClient, error) {
	cfg := *from.Helm
	transport, err := transports.getTransport(netguard.TransportOptions{Policy: from.Network, UserAgent: from.UserAgent}, cfg.CA)
	if err != nil {
		return nil, err
	}
	g := &httpClient{baseURL: home, timeout: cfg.Timeout, authenticate: func(*http.Request) {}}
	if g.timeout <= 0 {
		g.timeout = DefaultTimeout
	}
	switch {
	case cfg.Token != "" && (cfg.Username != "" || cfg.Password != ""):
		return nil, errors.New("read credentials: want a token or a user name and password, not both")
	case cfg.Token != "":
		g.authenticate = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+cfg.Token) }
	case cfg.Username != "" || cfg.Password != "":
		g.authenticate = func(r *http.Request) { r.SetBasicAuth(cfg.Username, cfg.Password) }
	}
	g.client = &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: transport, CheckRedirect: g.checkRedirect},
		RetryMax:     maxRetries,
		RetryWaitMin: retryWait,
		RetryWaitMax: maxRetryWait,
		CheckRetry:   shouldRetry,
		Backoff:      retryablehttp.DefaultBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return g, nil
}

// get asks for a URL. The answer may have any status; its body must be closed,
// which also ends the time that the request has.
func (g *httpClient) sendGet(ctx context.Context, target *url.URL, header http.Header) (*http.Response, error) {
	if target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
		return nil, outcome.Stalled(v1alpha1.ReasonFetchFailed, fmt.Errorf("get %s: %w", redactURL(target), netguard.ErrScheme))
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		cancel()
		return nil, g.connectionError(target, err)
	}
	for key, values := range header {
		request.Header[key] = values
	}
	if sameOrigin(target, g.baseURL) {
		g.authenticate(request.Request)
	}
	response, err := g.client.Do(request)
	if err != nil {
		cancel()
		return nil, g.connectionError(target, err)
	}
	response.Body = &responseBody{ReadCloser: response.Body, cancel: cancel}
	return response, nil
}

// failed says why there was no answer, or no whole one.
func (g *httpClient) connectionError(target *url.URL, err error) error {
	if refused, ok := errors.AsType[netguard.Refused](err); ok {
		return outcome.Stalled(v1alpha1.ReasonNotAllowed, fmt.Errorf("get %s: %w", redactURL(target), refused))
	}
	return outcome.Failed(v1alpha1.ReasonFetchFailed, fmt.Errorf("get %s: %w", redactURL(target), normalizeError(err)))
}

// redirect is an http.Client's CheckRedirect. The client itself would keep the
// credentials for another port, another scheme and any subdomain.
func (g *httpClient) checkRedirect(next *http.Request, via []*http.Request) error {
	if err := netguard.CheckRedirect(next, via); err != nil {
		return err
	}
	if !sameOrigin(next.URL, g.baseURL) {
		next.Header.Del("Authorization")
	}
	return nil
}

// retry is a retryablehttp.CheckRetry: only for a connection that was refused or
// broke before there was an answer.
func shouldRetry(ctx context.Context, response *http.Response, err error) (bool, error) {
	if err == nil {
		return false, nil
	}
	timeout, ok := errors.AsType[net.Error](err)
	if ok && timeout.Timeout() || policyError(err) != nil {
		return false, err
	}
	return retryablehttp.DefaultRetryPolicy(ctx, response, err)
}

// body is the body of an answer, which has the time of the request to be read.
type responseBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *responseBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// sameOrigin compares scheme, host and port, with the port that is meant where
// none is given.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	if u.Port() == "" && u.Scheme == "https" {
		return "443"
	}
	if u.Port() == "" && u.Scheme == "http" {
		return "80"
	}
	return u.Port()
}

// shown is a URL as messages have it: credentials stand before the host or in the
// query.
func redactURL(u *url.URL) string {
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return bare.String()
}
