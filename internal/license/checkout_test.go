package license_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/license"
	"github.com/appmarket/operator/internal/outcome"
)

// newPurchase returns a request whose content must only be sent to the checkout.
func newPurchase() license.Purchase {
	return license.Purchase{URL: serverURL + "/buy?session=" + private, Product: product, Request: "eyJ." + private}
}

func TestBuy(t *testing.T) {
	t.Parallel()
	credential := newCredential(nil)
	received := make(chan string, 1)
	shop := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		received <- fmt.Sprint(r.Method, " ", r.URL, " ", r.Header.Get("Content-Type"), " ", string(body), " ", err)
		respondOK(fmt.Sprintf(`{"code": 0, "credential": %q, "message": "thank you"}`, credential+"\n"))(w, r)
	}
	inBubble(t, http.HandlerFunc(shop), func(t *testing.T, opts license.Options) {
		g := NewWithT(t)
		got, err := license.NewCheckout(opts).Buy(t.Context(), newPurchase(), 1)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(got).To(Equal(credential))
		g.Expect(<-received).To(Equal(`POST /buy?session=` + private + ` application/json {"product":"notes-paid","request":"eyJ.` + private + `"} <nil>`))
		_, err = license.Check(got, newTerms(edKeys()), now)
		g.Expect(err).NotTo(HaveOccurred())
	})
}

func TestBuyHandlesResponses(t *testing.T) {
	t.Parallel()
	const stalled, failed = -1, -2
	for _, c := range []struct {
		why     string
		answer  http.HandlerFunc
		attempt int
		reason  string
		// after is the expected delay, or one of the constants above.
		after time.Duration
	}{
		{why: "no record", answer: respondOK(`{"code": 1}`), attempt: 1, reason: v1alpha1.ReasonPurchaseNotFound, after: 5 * time.Second},
		{why: "no record for a while", answer: respondOK(`{"code": 1, "credential": "` + private + `"}`), attempt: 4, reason: v1alpha1.ReasonPurchaseNotFound, after: 40 * time.Second},
		{why: "no record for long", answer: respondOK(`{"code": 1}`), attempt: 1000, reason: v1alpha1.ReasonPurchaseNotFound, after: 5 * time.Minute},
		{why: "rejected request", answer: respondOK(`{"code": 2}`), reason: v1alpha1.ReasonPurchaseRequestRejected, after: stalled},
		{why: "another code", answer: respondOK(`{"code": 3}`), after: stalled},
		{why: "a code below", answer: respondOK(`{"code": -1}`), after: stalled},
		{why: "a code with a fraction", answer: respondOK(`{"code": 0.5, "credential": "c"}`), after: stalled},
		{why: "a code that is text", answer: respondOK(`{"code": "0", "credential": "c"}`), after: stalled},
		{why: "no code", answer: respondOK(`{"credential": "` + private + `"}`), after: stalled},
		{why: "a code of null", answer: respondOK(`{"code": null, "credential": "c"}`), after: stalled},
		{why: "two codes", answer: respondOK(`{"code": 1, "code": 0, "credential": "c"}`), after: stalled},
		{why: "success without a credential", answer: respondOK(`{"code": 0}`), after: stalled},
		{why: "success with an empty credential", answer: respondOK(`{"code": 0, "credential": " "}`), after: stalled},
		{why: "success with a large credential", answer: respondOK(`{"code": 0, "credential": "` + strings.Repeat("x", license.MaxCredentialBytes+1) + `"}`), after: stalled},
		{why: "success with a credential that is not a string", answer: respondOK(`{"code": 0, "credential": {"token": "` + private + `"}}`), after: stalled},
		{why: "HTML", answer: respondOK("<html>" + private), after: stalled},
		{why: "nothing", answer: respondOK(""), after: stalled},
		{why: "too much", answer: respondOK(`{"code": 0, "credential": "c"}` + strings.Repeat(" ", 128<<10)), after: stalled},
		{why: "a stream of a gigabyte", answer: respondEndlessly, after: stalled},
		{why: "refused", answer: respondStatus(http.StatusForbidden, `{"code": 0, "credential": "`+private+`"}`), after: stalled},
		{why: "not found", answer: respondStatus(http.StatusNotFound, ""), after: stalled},
		{why: "accepted without completion", answer: respondStatus(http.StatusAccepted, `{"code": 0, "credential": "c"}`), after: stalled},
		{why: "another host", answer: redirectTo("http://evil.example/buy"), after: stalled},
		{why: "see other, which drops the request", answer: newScriptedServer(respondStatus(http.StatusSeeOther, "", "Location", "/thanks"), respondOK(`{"code": 0, "credential": "c"}`)).ServeHTTP, after: stalled},
		{why: "endless redirects", answer: redirectTo("/buy"), after: stalled},
		{why: "too busy", answer: respondStatus(http.StatusTooManyRequests, private), attempt: 2, reason: v1alpha1.ReasonPurchasePending, after: 10 * time.Second},
		{why: "busy, with Retry-After", answer: respondStatus(http.StatusTooManyRequests, "", "Retry-After", "77"), reason: v1alpha1.ReasonPurchasePending, after: 77 * time.Second},
		{why: "unavailable until a date", answer: func(w http.ResponseWriter, r *http.Request) {
			respondStatus(http.StatusServiceUnavailable, "", "Retry-After", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat))(w, r)
		}, reason: v1alpha1.ReasonPurchasePending, after: time.Minute},
		{why: "unavailable for a very long time", answer: respondStatus(http.StatusBadGateway, "", "Retry-After", "4000000000"), reason: v1alpha1.ReasonPurchasePending, after: time.Hour},
		{why: "unavailable until a date in the past", answer: respondStatus(http.StatusBadGateway, "", "Retry-After", "Mon, 02 Jan 1995 15:04:05 GMT"), reason: v1alpha1.ReasonPurchasePending, after: 5 * time.Second},
		{why: "unavailable for zero seconds", answer: respondStatus(http.StatusBadGateway, "", "Retry-After", "0"), reason: v1alpha1.ReasonPurchasePending, after: 5 * time.Second},
		{why: "silence", answer: neverRespond, after: failed},
		{why: "partial response", answer: stallResponse, after: failed},
		{why: "a connection that breaks", answer: abortResponse, after: failed},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			inBubble(t, c.answer, func(t *testing.T, opts license.Options) {
				g, began := NewWithT(t), time.Now()
				got, err := license.NewCheckout(opts).Buy(t.Context(), newPurchase(), c.attempt)
				g.Expect(got).To(BeEmpty())
				g.Expect(err).To(MatchError(And(Not(ContainSubstring(private)), Not(ContainSubstring("evil")))))
				reason := c.reason
				if reason == "" {
					reason = v1alpha1.ReasonPurchaseFailed
				}
				g.Expect(outcome.Reason(err, "")).To(Equal(reason))
				after, waiting := outcome.IsWaiting(err)
				g.Expect(outcome.IsStalled(err)).To(Equal(c.after == stalled), "got %v", err)
				g.Expect(waiting).To(Equal(c.after > 0), "got %v", err)
				if waiting {
					g.Expect(after).To(Equal(c.after))
				}
				g.Expect(time.Since(began)).To(BeNumerically("<=", 30*time.Second))
			})
		})
	}
}

func TestBuyRejectsInvalidPurchases(t *testing.T) {
	t.Parallel()
	for why, change := range map[string]func(*license.Purchase){
		"plain http":          func(p *license.Purchase) { p.URL = "http://shop.example.com/" + private },
		"credentials":         func(p *license.Purchase) { p.URL = "https://" + private + "@shop.example.com" },
		"no URL":              func(p *license.Purchase) { p.URL = "" },
		"no product":          func(p *license.Purchase) { p.Product = "" },
		"no request":          func(p *license.Purchase) { p.Request = "" },
		"too large a request": func(p *license.Purchase) { p.Request = strings.Repeat("x", license.MaxRequestBytes+1) },
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			purchase := newPurchase()
			change(&purchase)
			_, err := license.NewCheckout(license.Options{Transport: failingTransport{t}, AllowPlainHTTP: true}).Buy(t.Context(), purchase, 1)
			expectStalled(NewWithT(t), err, v1alpha1.ReasonPurchaseFailed)
		})
	}
}

func TestBuyFollowsRedirectsOfSameServer(t *testing.T) {
	t.Parallel()
	shop := newScriptedServer(redirectTo("/v2/buy"), func(w http.ResponseWriter, r *http.Request) {
		var body map[string]string
		if json.NewDecoder(r.Body).Decode(&body) != nil || r.Method != http.MethodPost || body["product"] != product || r.Referer() != "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		respondOK(`{"code": 0, "credential": "c"}`)(w, r)
	})
	inBubble(t, shop, func(t *testing.T, opts license.Options) {
		got, err := license.NewCheckout(opts).Buy(t.Context(), newPurchase(), 1)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		NewWithT(t).Expect(got).To(Equal("c"))
	})
}

func TestBuyStopsWithItsContext(t *testing.T) {
	t.Parallel()
	inBubble(t, http.HandlerFunc(neverRespond), func(t *testing.T, opts license.Options) {
		g := NewWithT(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := license.NewCheckout(opts).Buy(ctx, newPurchase(), 1)
		g.Expect(err).To(MatchError(context.DeadlineExceeded))
		g.Expect(outcome.Reason(err, "none")).To(Equal("none"))
		g.Expect(err).NotTo(MatchError(ContainSubstring(private)))
	})
}

func TestBuyOverTLS(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	server := tlsServer(t, respondOK(`{"code": 0, "credential": "c"}`))
	purchase := newPurchase()
	purchase.URL = server.URL
	got, err := license.NewCheckout(license.Options{Transport: server.Client().Transport}).Buy(t.Context(), purchase, 1)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got).To(Equal("c"))
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for attempt, want := range map[int]time.Duration{
		-1 << 62: 5 * time.Second, 0: 5 * time.Second, 1: 5 * time.Second, 2: 10 * time.Second, 3: 20 * time.Second,
		6: 160 * time.Second, 7: 5 * time.Minute, 8: 5 * time.Minute, 1 << 62: 5 * time.Minute,
	} {
		NewWithT(t).Expect(license.Backoff(attempt)).To(Equal(want), "attempt %d", attempt)
	}
}
