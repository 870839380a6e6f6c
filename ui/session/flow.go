package session

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"time"
)

// flowAge is the time within which a user must sign in at the issuer.
const flowAge = 10 * time.Minute

// Flow is a sign-in at an issuer that has begun. It is stored in a cookie of the browser that began
// it, so no other browser can complete it.
type Flow struct {
	// State is the parameter that the issuer returns, and Nonce the claim that its token must have.
	State string `json:"s"`
	Nonce string `json:"n"`
	// Verifier is the secret of which the issuer knows the digest (PKCE, RFC 7636).
	Verifier string `json:"v"`
	// Expires is the time at which the sign-in must be complete.
	Expires time.Time `json:"e"`
}

// NewFlow returns a sign-in that begins now, with random values of 256 bits.
func NewFlow(now time.Time) Flow {
	return Flow{State: newSecret(), Nonce: newSecret(), Verifier: newSecret(), Expires: now.Add(flowAge)}
}

func newSecret() string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // It never returns an error.
	return base64.RawURLEncoding.EncodeToString(random)
}

func (c *Cookies) flowName() string { return c.name + "-flow" }

// WriteFlow sets the cookie of a sign-in, and replaces an earlier one.
func (c *Cookies) WriteFlow(w http.ResponseWriter, f Flow) error {
	text, err := c.seal(c.flowName(), f)
	if err != nil {
		return err
	}
	http.SetCookie(w, c.newCookie(c.flowName(), text, int(flowAge.Seconds())))
	return nil
}

// TakeFlow returns the sign-in of a request if it has this state, and removes its cookie.
func (c *Cookies) TakeFlow(w http.ResponseWriter, r *http.Request, state string, now time.Time) (Flow, bool) {
	cookie, err := r.Cookie(c.flowName())
	if err != nil {
		return Flow{}, false
	}
	http.SetCookie(w, c.newCookie(c.flowName(), "", -1))
	var f Flow
	if !c.unseal(c.flowName(), cookie.Value, &f) || f.State == "" || !now.Before(f.Expires) ||
		subtle.ConstantTimeCompare([]byte(f.State), []byte(state)) != 1 {
		return Flow{}, false
	}
	return f, true
}
