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
	// MaxRequestBytes bounds the request that the buyer signed.
	MaxRequestBytes = 64 << 10

	maxResponseBytes = 128 << 10
	checkoutTimeout  = 30 * time.Second

	firstBackoff = 5 * time.Second
	maxBackoff   = 5 * time.Minute
)

// What a checkout answers.
const (
	codePurchased = 0
	codeNoRecord  = 1
	codeRejected  = 2
)

// Purchase is what is asked of a checkout.
type Purchase struct {
	// URL is that of the checkout; https.
	URL string
	// Product is what is bought.
	Product string
	// Request is what the buyer signed, a text that only the checkout understands.
	Request string
}

// Checkout asks the shops of developers for credentials. It keeps nothing: how
// often it was asked, and up to how often it will be, is for the caller to know.
type Checkout struct {
	client *client
}

// NewCheckout returns a Checkout that speaks to servers as the options say.
func NewCheckout(opts Options) *Checkout { return &Checkout{client: newClient(opts)} }

// Buy posts {"product": …, "request": …} as JSON and reads {"code": …,
// "credential": …} within 30 seconds. Attempt counts from 1, over restarts.
//
//   - 0: the credential is returned. It is not checked yet.
//   - 1, no record of a payment: waits, as Backoff says, with PurchaseNotFound.
//   - 2, the request is not accepted: stalled with PurchaseSignAgain.
//
// A checkout that is busy or down (429, 5xx) waits with PurchasePending, for as
// long as its Retry-After says, or as Backoff does. One that cannot be reached is
// a failure with PurchaseFailed, all else is stalled with it.
func (c *Checkout) Buy(ctx context.Context, p Purchase, attempt int) (string, error) {
	target, err := c.client.parseURL(p.URL)
	if err != nil {
		return "", purchaseFailedError(fmt.Errorf("ask checkout: %w", err))
	}
	body, err := p.encodeBody()
	if err != nil {
		return "", purchaseFailedError(fmt.Errorf("ask checkout %s: %w", target.Hostname(), err))
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
		return "", fmt.Errorf("ask checkout %s: %w", target.Hostname(), err)
	}
	return credential, nil
}

// Backoff is how long to wait after an attempt, counted from 1: 5 seconds, and
// twice as long each time up to 5 minutes.
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
		return nil, errors.New("no product is named")
	case p.Request == "":
		return nil, errors.New("the signed request is empty")
	case len(p.Request) > MaxRequestBytes:
		return nil, fmt.Errorf("the signed request is larger than %d bytes", MaxRequestBytes)
	}
	return json.Marshal(struct {
		Product string `json:"product"`
		Request string `json:"request"`
	}{p.Product, p.Request})
}

// unanswered says what it means that there is no answer. A server that answers
// too much, or points elsewhere, does so again; one that is down may come back.
func connectionError(target *url.URL, err error) error {
	told := fmt.Errorf("ask checkout %s: %w", target.Hostname(), err)
	for _, final := range []error{errOtherServer, errRedirects, errTooLarge} {
		if errors.Is(err, final) {
			return purchaseFailedError(told)
		}
	}
	if _, isRefused := errors.AsType[netguard.Refused](err); isRefused {
		return purchaseFailedError(told)
	}
	if _, ok := errors.AsType[*requestError](err); !ok {
		return told // the caller gave up
	}
	return outcome.Failed(v1alpha1.ReasonPurchaseFailed, told)
}

// read says what the answer means.
func (a *bufferedResponse) readCredential(attempt int) (string, error) {
	switch {
	case a.status == http.StatusTooManyRequests, a.status >= http.StatusInternalServerError:
		after := netguard.RetryAfter(a.header, time.Now())
		if after <= 0 {
			after = Backoff(attempt)
		}
		return "", outcome.Waiting(v1alpha1.ReasonPurchasePending, after, fmt.Errorf("it is busy, HTTP status %d", a.status))
	case a.status != http.StatusOK:
		return "", purchaseFailedError(fmt.Errorf("it answered with HTTP status %d; ask the developer", a.status))
	}
	var said struct {
		Code       *int   `json:"code"`
		Credential string `json:"credential"`
	}
	if err := json.Unmarshal(a.body, &said); err != nil || said.Code == nil {
		return "", purchaseFailedError(errors.New("its answer is not understood; ask the developer"))
	}
	switch *said.Code {
	case codePurchased:
		return parseCredential(said.Credential)
	case codeNoRecord:
		return "", outcome.Waiting(v1alpha1.ReasonPurchaseNotFound, Backoff(attempt),
			errors.New("it has no record of the payment yet; pay, or wait until the payment is seen"))
	case codeRejected:
		return "", outcome.Stalled(v1alpha1.ReasonPurchaseSignAgain,
			errors.New("it does not accept the signed request; sign it again and put the new one into the Secret"))
	}
	return "", purchaseFailedError(fmt.Errorf("it answered with code %d, which is not known; ask the developer", *said.Code))
}

func parseCredential(credential string) (string, error) {
	credential = strings.TrimSpace(credential)
	if credential == "" || len(credential) > MaxCredentialBytes {
		return "", purchaseFailedError(fmt.Errorf("it answered without a credential of 1 to %d bytes; ask the developer", MaxCredentialBytes))
	}
	return credential, nil
}

func purchaseFailedError(err error) error { return outcome.Stalled(v1alpha1.ReasonPurchaseFailed, err) }
