package issuer

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/ui/session"
)

const (
	// maxBodyBytes is the size of the largest response of the issuer.
	maxBodyBytes = 1 << 20
	// requestTimeout bounds each request to the issuer.
	requestTimeout = 10 * time.Second
)

// newHTTPClient returns the client for requests to an issuer. The host of the issuer is configured by
// the administrator, so it can be in the cluster; the servers that its metadata names can have private
// addresses, but no loopback or link-local ones.
func newHTTPClient(issuer *url.URL, o Options) (*http.Client, error) {
	var roots *x509.CertPool
	if o.CAFile != "" {
		var err error
		if roots, err = session.ReadCertificates(o.CAFile); err != nil {
			return nil, err
		}
	}
	host := issuer.Host
	if issuer.Port() == "" {
		host += ":443"
	}
	return &http.Client{
		Timeout: requestTimeout,
		// A redirect would send codes and secrets to another address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: boundedTransport{netguard.NewTransport(netguard.TransportOptions{
			Policy: netguard.Policy{Private: true}, Trusted: []string{host}, Roots: roots, UserAgent: o.UserAgent,
			Timeouts: netguard.Timeouts{Dial: requestTimeout / 2, TLS: requestTimeout / 2, Header: requestTimeout},
		})},
	}, nil
}

// boundedTransport bounds the bodies of responses.
type boundedTransport struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t boundedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = netguard.LimitBody(response.Body, maxBodyBytes)
	return response, nil
}

// describeFailure returns an error of a kind that says what failed, without the text of a response.
func describeFailure(kind error, what string, err error) error {
	var (
		request  *url.Error
		mismatch *oidc.IssuerMismatchError
		expired  *oidc.TokenExpiredError
		answer   *oauth2.RetrieveError
	)
	switch {
	case errors.As(err, &request):
		return fmt.Errorf("%w: %s: %w", kind, what, request)
	case errors.As(err, &mismatch):
		return fmt.Errorf("%w: %s: its metadata is of another issuer than %q", kind, what, mismatch.Provided)
	case errors.As(err, &expired):
		return fmt.Errorf("%w: %s: the token expired at %s", kind, what, expired.Expiry.UTC().Format(time.RFC3339))
	case errors.As(err, &answer) && answer.Response != nil:
		return fmt.Errorf("%w: %s: status %d", kind, what, answer.Response.StatusCode)
	}
	return fmt.Errorf("%w: %s: the response is not valid", kind, what)
}
