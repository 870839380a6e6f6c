package license_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/license"
	"github.com/appmarket/operator/internal/outcome"
)

const keysURL = serverURL + "/keys"

func TestKeysCachesAsTheIssuerAllows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cacheControl string
		good         time.Duration
	}{
		{"max-age=7200", 2 * time.Hour},
		{"public, MAX-AGE=\"7200\"", 2 * time.Hour},
		{"max-age=0", time.Minute},
		{"max-age=999999999", 24 * time.Hour},
		{"no-store, max-age=7200", time.Minute},
		{"no-cache", time.Minute},
		{"max-age=soon", 10 * time.Minute},
		{"max-age=-1", 10 * time.Minute},
		{"max-age=99999999999999999999", 10 * time.Minute},
		{"", 10 * time.Minute},
	} {
		t.Run(c.cacheControl, func(t *testing.T) {
			t.Parallel()
			server := newScriptedServer(respondOK(string(edKeys()), "Cache-Control", c.cacheControl))
			inBubble(t, server, func(t *testing.T, opts license.Options) {
				g, keys := NewWithT(t), license.NewKeys(opts)
				for _, step := range []struct {
					after    time.Duration
					requests int
				}{{0, 1}, {c.good - time.Second, 1}, {time.Second, 2}, {c.good - time.Second, 2}} {
					time.Sleep(step.after)
					got, err := keys.Get(t.Context(), keysURL)
					g.Expect(err).NotTo(HaveOccurred())
					g.Expect(got).To(Equal(edKeys()))
					g.Expect(server.requestCount()).To(Equal(step.requests))
				}
			})
		})
	}
}

func TestKeysSendsConditionalRequests(t *testing.T) {
	t.Parallel()
	server := newScriptedServer(
		respondOK(string(edKeys()), "ETag", `"one"`),
		respondStatus(http.StatusNotModified, "", "Cache-Control", "max-age=3600"),
		respondOK(`{"keys":[]}`, "ETag", `"two"`),
		respondOK(string(edKeys()), "ETag", strings.Repeat("e", 2000)),
		respondOK(string(edKeys())),
	)
	inBubble(t, server, func(t *testing.T, opts license.Options) {
		g, keys := NewWithT(t), license.NewKeys(opts)
		for _, want := range [][]byte{edKeys(), edKeys(), []byte(`{"keys":[]}`), edKeys(), edKeys()} {
			got, err := keys.Get(t.Context(), keysURL)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(Equal(want))
			time.Sleep(time.Hour)
		}
		var sent []string
		for _, r := range server.requests {
			sent = append(sent, r.Header.Get("If-None-Match"))
		}
		g.Expect(sent).To(Equal([]string{"", `"one"`, `"one"`, `"two"`, ""}))
	})
}

func TestKeysAreValidForADayWithoutIssuer(t *testing.T) {
	t.Parallel()
	server := newScriptedServer(respondOK(string(edKeys())), respondStatus(http.StatusInternalServerError, "oops"))
	inBubble(t, server, func(t *testing.T, opts license.Options) {
		g, keys := NewWithT(t), license.NewKeys(opts)
		began := time.Now()
		for time.Since(began) < 24*time.Hour {
			_, err := keys.Get(t.Context(), keysURL)
			g.Expect(err).NotTo(HaveOccurred())
			time.Sleep(time.Hour)
		}
		_, err := keys.Get(t.Context(), keysURL)
		expectWaiting(g, err, 15*time.Second)

		requests := server.requestCount()
		time.Sleep(14 * time.Second)
		_, err = keys.Get(t.Context(), keysURL)
		expectWaiting(g, err, 15*time.Second)
		g.Expect(server.requestCount()).To(Equal(requests), "no request before the retry interval has passed")

		server.handlers[0] = respondOK(string(edKeys()))
		time.Sleep(time.Second)
		got, err := keys.Get(t.Context(), keysURL)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(got).To(Equal(edKeys()))
	})
}

func TestKeysRequestsNewKeys(t *testing.T) {
	t.Parallel()
	old := respondOK(string(newKeySet(newJWK(otherKey, "old"))), "Cache-Control", "max-age=86400")
	valid := func() string {
		return newCredential(map[string]any{"exp": time.Now().Add(48 * time.Hour).Unix(), "nbf": nil, "iat": nil})
	}
	check := func(t *testing.T, keys *license.Keys) error {
		_, err := keys.Check(t.Context(), valid(), newTerms(nil), keysURL)
		return err
	}
	t.Run("new key", func(t *testing.T) {
		t.Parallel()
		server := newScriptedServer(old, respondOK(string(edKeys())))
		inBubble(t, server, func(t *testing.T, opts license.Options) {
			g, keys := NewWithT(t), license.NewKeys(opts)
			expectStalled(g, check(t, keys), v1alpha1.ReasonLicenseInvalid)
			g.Expect(server.requestCount()).To(Equal(1), "the set was just requested")

			time.Sleep(20 * time.Second)
			err := check(t, keys)
			expectWaiting(g, err, 40*time.Second)
			g.Expect(err).To(MatchError(license.ErrUnknownKey))
			g.Expect(server.requestCount()).To(Equal(1), "before the minimum interval")

			time.Sleep(40 * time.Second)
			g.Expect(check(t, keys)).To(Succeed())
			g.Expect(server.requestCount()).To(Equal(2))
			g.Expect(check(t, keys)).To(Succeed())
			g.Expect(server.requestCount()).To(Equal(2))
		})
	})
	t.Run("unknown key", func(t *testing.T) {
		t.Parallel()
		server := newScriptedServer(old)
		inBubble(t, server, func(t *testing.T, opts license.Options) {
			g, keys := NewWithT(t), license.NewKeys(opts)
			_, err := keys.Get(t.Context(), keysURL)
			g.Expect(err).NotTo(HaveOccurred())
			for minute := range 10 {
				time.Sleep(time.Minute)
				expectStalled(g, check(t, keys), v1alpha1.ReasonLicenseInvalid)
				for range 10 {
					g.Expect(check(t, keys)).To(MatchError(license.ErrUnknownKey))
				}
				g.Expect(server.requestCount()).To(Equal(minute+2), "once a minute")
			}
		})
	})
	t.Run("unavailable issuer", func(t *testing.T) {
		t.Parallel()
		inBubble(t, newScriptedServer(old, respondStatus(http.StatusServiceUnavailable, "")), func(t *testing.T, opts license.Options) {
			g, keys := NewWithT(t), license.NewKeys(opts)
			_, err := keys.Get(t.Context(), keysURL)
			g.Expect(err).NotTo(HaveOccurred())
			time.Sleep(time.Minute)
			expectWaiting(g, check(t, keys), time.Minute)
		})
	})
}

func TestKeysSharesConcurrentRequests(t *testing.T) {
	t.Parallel()
	server := newScriptedServer(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(5 * time.Second)
		respondOK(string(edKeys()))(w, r)
	})
	inBubble(t, server, func(t *testing.T, opts license.Options) {
		g, keys := NewWithT(t), license.NewKeys(opts)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := keys.Get(impatient, keysURL)
		g.Expect(err).To(MatchError(context.DeadlineExceeded))
		g.Expect(outcome.Reason(err, "none")).To(Equal("none"))
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				_, err := keys.Get(t.Context(), keysURL)
				g.Expect(err).NotTo(HaveOccurred())
			})
		}
		all.Wait()
		synctest.Wait()
		g.Expect(server.requestCount()).To(Equal(1))
	})
}

func TestKeysEvictsTheOldest(t *testing.T) {
	t.Parallel()
	server := newScriptedServer(respondOK(string(edKeys())))
	inBubble(t, server, func(t *testing.T, opts license.Options) {
		g, keys := NewWithT(t), license.NewKeys(opts)
		get := func(n int) {
			_, err := keys.Get(t.Context(), fmt.Sprintf("%s/%d", serverURL, n))
			g.Expect(err).NotTo(HaveOccurred())
		}
		for n := range license.MaxKeySets + 1 {
			get(n)
		}
		get(license.MaxKeySets)
		g.Expect(server.requestCount()).To(Equal(license.MaxKeySets + 1))
		get(0)
		g.Expect(server.requestCount()).To(Equal(license.MaxKeySets+2), "the first set was evicted")
	})
}

func TestKeysOverTLS(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	server := tlsServer(t, respondOK(string(edKeys())))
	terms := newTerms(nil)
	credential := newCredential(map[string]any{"exp": time.Now().Add(time.Hour).Unix(), "nbf": nil, "iat": nil})
	_, err := license.NewKeys(license.Options{Transport: server.Client().Transport}).Check(t.Context(), credential, terms, server.URL)
	g.Expect(err).NotTo(HaveOccurred())

	stranger := &http.Transport{}
	defer stranger.CloseIdleConnections()
	_, err = license.NewKeys(license.Options{Transport: stranger}).Check(t.Context(), credential, terms, server.URL)
	expectWaiting(g, err, 15*time.Second)
	g.Expect(err).To(MatchError(ContainSubstring("not trusted")))
}

func expectWaiting(g *WithT, err error, want time.Duration) {
	g.THelper()
	after, ok := outcome.IsWaiting(err)
	g.Expect(ok).To(BeTrue(), "got %v", err)
	g.Expect(after).To(BeNumerically("~", want, time.Second))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLicenseKeysUnavailable))
}
