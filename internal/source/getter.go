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
	retries      = 2
	retryWait    = 200 * time.Millisecond
	maxRetryWait = time.Second
)

// getter sends requests for one repository and gives its credentials to nobody
// else.
type getter struct {
	http     *retryablehttp.Client
	home     *url.URL
	login    func(*http.Request)
	deadline time.Duration
}

func newGetter(from Config, home *url.URL) (*getter, error) {
	cfg := *from.Helm
	transport, err := transports.get(netguard.TransportOptions{Policy: from.Network, UserAgent: from.UserAgent}, cfg.CA)
	if err != nil {
		return nil, err
	}
	g := &getter{home: home, deadline: cfg.Timeout, login: func(*http.Request) {}}
	if g.deadline <= 0 {
		g.deadline = DefaultTimeout
	}
	switch {
	case cfg.Token != "" && (cfg.Username != "" || cfg.Password != ""):
		return nil, errors.New("read credentials: want a token or a user name and password, not both")
	case cfg.Token != "":
		g.login = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+cfg.Token) }
	case cfg.Username != "" || cfg.Password != "":
		g.login = func(r *http.Request) { r.SetBasicAuth(cfg.Username, cfg.Password) }
	}
	g.http = &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: transport, CheckRedirect: g.redirect},
		RetryMax:     retries,
		RetryWaitMin: retryWait,
		RetryWaitMax: maxRetryWait,
		CheckRetry:   retry,
		Backoff:      retryablehttp.DefaultBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return g, nil
}

// get asks for a URL. The answer may have any status; its body must be closed,
// which also ends the time that the request has.
func (g *getter) get(ctx context.Context, target *url.URL, header http.Header) (*http.Response, error) {
	if target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
		return nil, outcome.Stalled(v1alpha1.ReasonFetchFailed, fmt.Errorf("get %s: %w", shown(target), netguard.ErrScheme))
	}
	ctx, cancel := context.WithTimeout(ctx, g.deadline)
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		cancel()
		return nil, g.failed(target, err)
	}
	for key, values := range header {
		request.Header[key] = values
	}
	if sameOrigin(target, g.home) {
		g.login(request.Request)
	}
	response, err := g.http.Do(request)
	if err != nil {
		cancel()
		return nil, g.failed(target, err)
	}
	response.Body = &body{ReadCloser: response.Body, done: cancel}
	return response, nil
}

// failed says why there was no answer, or no whole one.
func (g *getter) failed(target *url.URL, err error) error {
	if refused, ok := errors.AsType[netguard.Refused](err); ok {
		return outcome.Stalled(v1alpha1.ReasonNotAllowed, fmt.Errorf("get %s: %w", shown(target), refused))
	}
	return outcome.Failed(v1alpha1.ReasonFetchFailed, fmt.Errorf("get %s: %w", shown(target), plain(err)))
}

// redirect is an http.Client's CheckRedirect. The client itself would keep the
// credentials for another port, another scheme and any subdomain.
func (g *getter) redirect(next *http.Request, via []*http.Request) error {
	if err := netguard.CheckRedirect(next, via); err != nil {
		return err
	}
	if !sameOrigin(next.URL, g.home) {
		next.Header.Del("Authorization")
	}
	return nil
}

// retry is a retryablehttp.CheckRetry: only for a connection that was refused or
// broke before there was an answer.
func retry(ctx context.Context, response *http.Response, err error) (bool, error) {
	if err == nil {
		return false, nil
	}
	timeout, ok := errors.AsType[net.Error](err)
	if ok && timeout.Timeout() || policy(err) != nil {
		return false, err
	}
	return retryablehttp.DefaultRetryPolicy(ctx, response, err)
}

// body is the body of an answer, which has the time of the request to be read.
type body struct {
	io.ReadCloser
	done context.CancelFunc
}

func (b *body) Close() error {
	defer b.done()
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
func shown(u *url.URL) string {
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return bare.String()
}
