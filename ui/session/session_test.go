package session

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

var (
	firstKey  = []byte(strings.Repeat("a", 32))
	secondKey = []byte(strings.Repeat("b", 32))
)

func newTestCookies(t *testing.T, keys ...[]byte) *Cookies {
	t.Helper()
	c, err := NewCookies("market", true, keys...)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return c
}

// written returns a request with the cookies that a session sets.
func written(t *testing.T, c *Cookies, s Session) *http.Request {
	t.Helper()
	w := httptest.NewRecorder()
	NewWithT(t).Expect(c.Write(w, s)).To(Succeed())
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, cookie := range w.Result().Cookies() {
		if cookie.Value != "" {
			r.AddCookie(cookie)
		}
	}
	return r
}

func TestCookiesKeepASession(t *testing.T) {
	for _, size := range []int{10, 3000, 7900} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			g := NewWithT(t)
			c := newTestCookies(t, firstKey)
			s := New("jane", strings.Repeat("x", size), time.Hour, time.Now())
			r := written(t, c, s)
			for _, cookie := range r.Cookies() {
				g.Expect(len(cookie.Value)).To(BeNumerically("<=", cookieSize))
				g.Expect(cookie.Value).NotTo(ContainSubstring("xxxx"))
			}
			read, ok := c.Read(httptest.NewRecorder(), r)
			g.Expect(ok).To(BeTrue())
			g.Expect(read.Token).To(Equal(s.Token))
			g.Expect(read.User).To(Equal("jane"))
		})
	}
	w := httptest.NewRecorder()
	NewWithT(t).Expect(newTestCookies(t, firstKey).Write(w, New("jane", strings.Repeat("x", 12000), time.Hour, time.Now()))).NotTo(Succeed())
}

func TestCookiesAreProtected(t *testing.T) {
	g := NewWithT(t)
	w := httptest.NewRecorder()
	g.Expect(newTestCookies(t, firstKey).Write(w, New("jane", "token", time.Hour, time.Now()))).To(Succeed())
	cookie := w.Result().Cookies()[0]
	g.Expect(cookie.Name).To(Equal("__Host-market"))
	g.Expect([]any{cookie.HttpOnly, cookie.Secure, cookie.SameSite, cookie.Path, cookie.Domain}).
		To(Equal([]any{true, true, http.SameSiteLaxMode, "/", ""}))
}

// TestForgedCookiesAreRefused changes a cookie in each way that a client can.
func TestForgedCookiesAreRefused(t *testing.T) {
	c := newTestCookies(t, firstKey)
	now := time.Now()
	good := written(t, c, New("jane", "token", time.Hour, now)).Cookies()[0].Value
	flip := []byte(good)
	flip[len(flip)/2] ^= 1
	other, err := NewCookies("another", true, firstKey)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	idle := New("jane", "token", 48*time.Hour, now)
	idle.Seen = now.Add(-2 * time.Hour)
	for name, value := range map[string]string{
		"none": "", "cut": good[:len(good)-4], "changed": string(flip), "not base64": "%%%", "short": "AAAA",
		"of another key":    written(t, newTestCookies(t, secondKey), New("jane", "token", time.Hour, now)).Cookies()[0].Value,
		"of another cookie": written(t, other, New("jane", "token", time.Hour, now)).Cookies()[0].Value,
		"expired":           written(t, c, New("jane", "token", -time.Minute, now)).Cookies()[0].Value,
		"idle":              written(t, c, idle).Cookies()[0].Value,
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.AddCookie(&http.Cookie{Name: "__Host-market", Value: value})
			_, ok := c.Read(httptest.NewRecorder(), r)
			NewWithT(t).Expect(ok).To(BeFalse())
		})
	}
}

func TestKeysAreRotated(t *testing.T) {
	g := NewWithT(t)
	r := written(t, newTestCookies(t, firstKey), New("jane", "token", time.Hour, time.Now()))
	_, ok := newTestCookies(t, secondKey, firstKey).Read(httptest.NewRecorder(), r)
	g.Expect(ok).To(BeTrue(), "the previous key still opens")
	_, ok = newTestCookies(t, secondKey).Read(httptest.NewRecorder(), r)
	g.Expect(ok).To(BeFalse())
	_, err := NewCookies("market", true, []byte("short"))
	g.Expect(err).To(MatchError(ContainSubstring("32 bytes")))
}

func TestActiveSessionsAreRenewed(t *testing.T) {
	g := NewWithT(t)
	c := newTestCookies(t, firstKey)
	s := New("jane", "token", time.Hour, time.Now())
	w := httptest.NewRecorder()
	_, ok := c.Read(w, written(t, c, s))
	g.Expect(ok).To(BeTrue())
	g.Expect(w.Result().Cookies()).To(BeEmpty())
	s.Seen = time.Now().Add(-10 * time.Minute)
	w = httptest.NewRecorder()
	_, ok = c.Read(w, written(t, c, s))
	g.Expect(ok).To(BeTrue())
	g.Expect(w.Result().Cookies()).NotTo(BeEmpty())
}

// tokenOf returns a JSON Web Token with a payload.
func tokenOf(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".sig"
}

// signedToken returns a JSON Web Token that expires.
func signedToken(end time.Time) string { return tokenOf(fmt.Sprintf(`{"exp":%d}`, end.Unix())) }

func TestSessionsEndWithTheirToken(t *testing.T) {
	now := time.Now()
	soon := now.Add(10 * time.Minute).Truncate(time.Second)
	for _, c := range []struct {
		why, token string
		want       time.Time
	}{
		{"a token that expires earlier", signedToken(soon), soon},
		{"a token that expires later", signedToken(now.Add(9 * time.Hour)), now.Add(time.Hour)},
		{"a token without an end", tokenOf(`{}`), now.Add(time.Hour)},
		{"a token with a huge end", tokenOf(`{"exp":1e300}`), now.Add(time.Hour)},
		{"text that is no JSON Web Token", "abc", now.Add(time.Hour)},
		{"damaged text", "a.%.c", now.Add(time.Hour)},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(New("jane", c.token, time.Hour, now).Expires).To(BeTemporally("==", c.want))
		})
	}
}

func TestLinkWorksOnce(t *testing.T) {
	g := NewWithT(t)
	now := time.Now()
	var l Link
	g.Expect(l.Redeem("", now)).To(BeFalse(), "before there is a link")
	first := l.Renew(now)
	g.Expect(first).To(HaveLen(43))
	g.Expect(l.Redeem("other", now)).To(BeFalse())
	g.Expect(l.Redeem(first, now)).To(BeTrue())
	g.Expect(l.Redeem(first, now)).To(BeFalse(), "the second time")
	late := l.Renew(now)
	g.Expect(l.Redeem(late, now.Add(5*time.Minute))).To(BeFalse(), "after 5 minutes")
	before := l.Renew(now)
	l.Renew(now)
	g.Expect(l.Redeem(before, now)).To(BeFalse(), "a link that was replaced")
}

func TestRequestsAreGivenBack(t *testing.T) {
	g := NewWithT(t)
	now := time.Now()
	r := NewRate(12*time.Second, 2)
	for range 10 {
		giveBack, ok := r.Take("a", now)
		g.Expect(ok).To(BeTrue())
		giveBack()
	}
	first, _ := r.Take("a", now)
	_, ok := r.Take("a", now)
	g.Expect(ok).To(BeTrue())
	_, ok = r.Take("a", now)
	g.Expect(ok).To(BeFalse(), "the limit counts requests at the same time")
	first()
	g.Expect(r.Allow("a", now)).To(BeTrue())
	g.Expect(r.Allow("a", now)).To(BeFalse(), "a request that was refused was not counted, and gives nothing back")
}

func TestSignedTokens(t *testing.T) {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for token, want := range map[string]bool{
		part(`{"alg":"RS256","kid":"a"}`) + "." + part(`{}`) + ".c2lnbmF0dXJl": true,
		part(`{"alg":"RS256"}`) + "." + part(`{}`) + ".":                       false,
		part(`{"alg":"none"}`) + "." + part(`{}`) + ".x":                       false,
		part(`{"kid":"a"}`) + "." + part(`{}`) + ".x":                          false,
		part(`{"alg":"RS256"}`) + "." + part(`{}`):                             false,
		part(`["alg"]`) + "." + part(`{}`) + ".x":                              false,
		"a.b.c": false, "abcdef.0123456789abcdef": false, "sha256~abcdef": false, "": false,
	} {
		NewWithT(t).Expect(IsSigned(token)).To(Equal(want), token)
	}
}

func TestRateIsBounded(t *testing.T) {
	g := NewWithT(t)
	now := time.Now()
	r := NewRate(12*time.Second, 5)
	for range 5 {
		g.Expect(r.Allow("a", now)).To(BeTrue())
	}
	g.Expect(r.Allow("a", now)).To(BeFalse())
	g.Expect(r.Allow("b", now)).To(BeTrue(), "another key")
	g.Expect(r.Allow("a", now.Add(13*time.Second))).To(BeTrue())
	for i := range 3 * maxRateKeys {
		r.Allow(fmt.Sprint(i), now)
	}
	g.Expect(len(r.limiters)).To(BeNumerically("<=", maxRateKeys))
}
