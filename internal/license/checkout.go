package license

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// MaxRequestBytes is the maximum size of the request that the buyer signed.
	MaxRequestBytes = 64 << 10

	maxResponseBytes = 128 << 10
	checkoutTimeout  = 30 * time.Second

	firstBackoff = 5 * time.Second
	maxBackoff   = 5 * time.Minute
)

// Codes in the response of a checkout.
const (
	codePurchased = 0
	codeNoRecord  = 1
	codeRejected  = 2
)

// Purchase is a request to a checkout.
type Purchase struct {
	// URL is the https URL of the checkout.
	URL string
	// Product is the name of the product to buy.
	Product string
	// Request is the request that the buyer signed. Only the checkout can interpret it.
	Request string
}

// Checkout requests credentials from the checkouts of developers. It has no state: the caller
// counts and limits the attempts.
type Checkout struct {
	client *client
}

// NewCheckout returns a Checkout that connects to servers according to the options.
func NewCheckout(opts Options) *Checkout { return &Checkout{client: newClient(opts)} }

// Buy posts {"product": …, "request": …} as JSON and reads {"code": …, "credential": …}
// within 30 seconds. attempt counts from 1, across restarts.
//
//   - 0: the credential is returned. It is not verified yet.
//   - 1: no payment is recorded. Waits with PurchaseNotFound for the time that Backoff
//     returns.
//   - 2: the request is rejected. Stalled with PurchaseRequestRejected.
//
// For a server that is busy or unavailable (429, 5xx), Buy waits with PurchasePending for the
// time in Retry-After, or that Backoff returns. If the connection fails, Buy returns an error
// with PurchaseFailed. Everything else is stalled with this reason.
func (c *Checkout) Buy(ctx context.Context, p Purchase, attempt int) (string, error) {
	target, err := c.client.parseURL(p.URL)
	if err != nil {
		return "", purchaseFailedError(fmt.Errorf("request credential from checkout: %w", err))
	}
	body, err := p.encodeBody()
	if err != nil {
		return "", purchaseFailedError(fmt.Errorf("request credential from checkout %q: %w", target.Hostname(), err))
	}
	got, err := c.client.sendRequest(ctx, boundedRequest{
		method: http.MethodPost, url: target, body: body, within: checkoutTimeout, limit: maxResponseBytes,
		header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}},
	})
	if err != nil {
		return "", connectionError(target, err)
	}
	credential, err := got.readCredential(attempt)
	if err != nil {
		return "", fmt.Errorf("request credential from checkout %q: %w", target.Hostname(), err)
	}
	return credential, nil
}

// Backoff returns the time to wait after an attempt, counted from 1: 5 seconds, doubled for
// each attempt up to 5 minutes.
func Backoff(attempt int) time.Duration {
	wait := firstBackoff
	for ; attempt > 1 && wait < maxBackoff; attempt-- {
		wait *= 2
	}
	return min(wait, maxBackoff)
}

func (p Purchase) encodeBody() ([]byte, error) {
	switch {
	case p.Product == "":
		return nil, errors.New("the product is not set")
	case p.Request == "":
		return nil, errors.New("the signed request is empty; set the key of the Secret to the request that the buyer signed")
	case len(p.Request) > MaxRequestBytes:
		return nil, fmt.Errorf("the signed request is larger than %d bytes", MaxRequestBytes)
	}
	return json.Marshal(struct {
		Product string `json:"product"`
		Request string `json:"request"`
	}{p.Product, p.Request})
}

// connectionError classifies the error of a request without a response. Errors that the
// server would cause again are final; a failed connection is retried.
func connectionError(target *url.URL, err error) error {
	err = fmt.Errorf("request credential from checkout %q: %w", target.Hostname(), err)
	for _, final := range []error{errOtherServer, errRedirects, errTooLarge} {
		if errors.Is(err, final) {
			return purchaseFailedError(err)
		}
	}
	if _, isRefused := errors.AsType[netguard.Refused](err); isRefused {
		return purchaseFailedError(err)
	}
	if _, ok := errors.AsType[*requestError](err); !ok {
		return err // The context of the caller is done.
	}
	return outcome.Failed(v1alpha1.ReasonPurchaseFailed, err)
}

// readCredential returns the credential in the response, or the error that the response
// stands for.
func (a *bufferedResponse) readCredential(attempt int) (string, error) {
	switch {
	case a.status == http.StatusTooManyRequests, a.status >= http.StatusInternalServerError:
		after := netguard.RetryAfter(a.header, time.Now())
		if after <= 0 {
			after = Backoff(attempt)
		}
		return "", outcome.Waiting(v1alpha1.ReasonPurchasePending, after, fmt.Errorf("the server is busy: HTTP status %d", a.status))
	case a.status != http.StatusOK:
		return "", purchaseFailedError(fmt.Errorf("unexpected HTTP status %d; contact the developer of the app", a.status))
	}
	var reply struct {
		Code       *int   `json:"code"`
		Credential string `json:"credential"`
	}
	if err := json.Unmarshal(a.body, &reply); err != nil || reply.Code == nil {
		return "", purchaseFailedError(errors.New("the response cannot be parsed; contact the developer of the app"))
	}
	switch *reply.Code {
	case codePurchased:
		return parseCredential(reply.Credential)
	case codeNoRecord:
		return "", outcome.Waiting(v1alpha1.ReasonPurchaseNotFound, Backoff(attempt),
			errors.New("no payment has been recorded yet; pay, or wait until the payment is recorded"))
	case codeRejected:
		return "", outcome.Stalled(v1alpha1.ReasonPurchaseRequestRejected,
			errors.New("the signed request was rejected; sign a new request and store it in the Secret"))
	}
	return "", purchaseFailedError(fmt.Errorf("unknown code %d in the response; contact the developer of the app", *reply.Code))
}

func parseCredential(credential string) (string, error) {
	credential = strings.TrimSpace(credential)
	if credential == "" || len(credential) > MaxCredentialBytes {
		return "", purchaseFailedError(fmt.Errorf("the response has no credential of 1 to %d bytes; contact the developer of the app", MaxCredentialBytes))
	}
	return credential, nil
}

func purchaseFailedError(err error) error { return outcome.Stalled(v1alpha1.ReasonPurchaseFailed, err) }
