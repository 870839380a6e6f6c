package session

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// TestFlowBelongsToItsBrowser takes a flow with each cookie and state that a client can send.
func TestFlowBelongsToItsBrowser(t *testing.T) {
	now := time.Now()
	c := newTestCookies(t, firstKey)
	f := NewFlow(now)
	NewWithT(t).Expect([]int{len(f.State), len(f.Nonce), len(f.Verifier)}).To(Equal([]int{43, 43, 43}))
	w := httptest.NewRecorder()
	NewWithT(t).Expect(c.WriteFlow(w, f)).To(Succeed())
	cookie := w.Result().Cookies()[0]
	sealed, err := c.seal(c.name, f)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	empty, err := c.seal(c.flowName(), Flow{Expires: now.Add(time.Hour)})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, each := range []struct {
		why, value, state string
		now               time.Time
		want              bool
	}{
		{"its own state", cookie.Value, f.State, now, true},
		{"another state", cookie.Value, NewFlow(now).State, now, false},
		{"no state", cookie.Value, "", now, false},
		{"a flow without a state", empty, "", now, false},
		{"a changed cookie", cookie.Value[:len(cookie.Value)-2], f.State, now, false},
		{"the cookie of a session", sealed, f.State, now, false},
		{"no cookie", "", f.State, now, false},
		{"just in time", cookie.Value, f.State, now.Add(flowAge - time.Second), true},
		{"too late", cookie.Value, f.State, now.Add(flowAge), false},
	} {
		t.Run(each.why, func(t *testing.T) {
			g := NewWithT(t)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if each.value != "" {
				r.AddCookie(&http.Cookie{Name: cookie.Name, Value: each.value})
			}
			w := httptest.NewRecorder()
			taken, ok := c.TakeFlow(w, r, each.state, each.now)
			g.Expect(ok).To(Equal(each.want))
			if ok {
				g.Expect(taken.Verifier).To(Equal(f.Verifier))
			}
			if each.value != "" {
				g.Expect(w.Result().Cookies()).To(ConsistOf(HaveField("MaxAge", -1)), "the cookie is removed")
			}
		})
	}
}

// TestRefreshTokenExtendsASession checks when a session with an identity token ends.
func TestRefreshTokenExtendsASession(t *testing.T) {
	g := NewWithT(t)
	now := time.Now()
	token := signedToken(now.Add(10 * time.Minute))
	end := now.Add(8 * time.Hour)
	alone := New("jane", token, 8*time.Hour, now).WithTokens(token, "", end)
	g.Expect(alone.Expires).To(BeTemporally("~", now.Add(10*time.Minute), time.Second))
	g.Expect(alone.NeedsRefresh(now.Add(time.Hour))).To(BeFalse())

	refreshable := alone.WithTokens(token, "refresh", end)
	g.Expect(refreshable.Expires).To(Equal(end))
	g.Expect(refreshable.NeedsRefresh(now)).To(BeFalse())
	g.Expect(refreshable.NeedsRefresh(now.Add(10 * time.Minute))).To(BeTrue())
	g.Expect(refreshable.hasEnded(now.Add(20 * time.Minute))).To(BeFalse())

	later := refreshable.WithTokens(signedToken(now.Add(20*time.Minute)), "next", end)
	g.Expect(later.ID).To(Equal(alone.ID), "streams of the session are counted together")
	g.Expect(later.NeedsRefresh(now.Add(10 * time.Minute))).To(BeFalse())
	g.Expect(alone.WithTokens("opaque", "refresh", end).Refresh).To(BeEmpty(), "the end of the token is not known")
}
