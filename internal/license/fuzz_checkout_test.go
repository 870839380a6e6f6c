package license

import (
	"net/http"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

// FuzzCheckout reads any response of the server of a developer. The response is a credential, or an error with a
// reason and a bounded delay.
func FuzzCheckout(f *testing.F) {
	f.Add(200, "", []byte(`{"code": 0, "credential": "x"}`), 1)
	f.Add(200, "", []byte(`{"code": null, "credential": ["x"]}`), -1)
	f.Add(503, "99999999999999999999", []byte("<html>"), 1000000)
	f.Add(429, "Mon, 02 Jan 1995 15:04:05 GMT", []byte{}, 0)
	f.Fuzz(func(t *testing.T, status int, after string, body []byte, attempt int) {
		g := NewWithT(t)
		response := &bufferedResponse{status: status, header: http.Header{"Retry-After": {after}}, body: body}
		credential, err := response.readCredential(attempt)
		if err == nil {
			g.Expect(credential).NotTo(BeEmpty())
			g.Expect(len(credential)).To(BeNumerically("<=", MaxCredentialBytes))
			return
		}
		g.Expect(credential).To(BeEmpty())
		g.Expect(outcome.Reason(err, "")).NotTo(BeEmpty())
		if delay, isWaiting := outcome.IsWaiting(err); isWaiting {
			g.Expect(delay).To(And(BeNumerically(">", 0), BeNumerically("<=", netguard.MaxRetryAfter)))
		}
	})
}
