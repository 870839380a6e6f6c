package chartrepo_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/chartrepo"
)

func basicAuth(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// privateRequests returns the requests for content of the private source, each with the same
// request for content that does not exist.
func privateRequests(s servedStore) []struct{ path, absent, header string } {
	nowhere := strings.Repeat("0", 64)
	return []struct{ path, absent, header string }{
		{"/tenant/main/index.yaml", "/tenant/none/index.yaml", ""},
		{"/tenant/main/charts/web-1.0.0.tgz", "/tenant/none/charts/web-1.0.0.tgz", ""},
		{"/tenant/main/charts/none-1.0.0.tgz", "/nowhere/main/charts/none-1.0.0.tgz", ""},
		{"/tenant/main/", "/nowhere/main/", ""},
		{"/" + s.privateAt.Report + "/values.yaml", "/reports/" + nowhere + "/values.yaml", ""},
		{"/" + s.privateAt.Report + "/none.txt", "/reports/" + nowhere + "/none.txt", ""},
		{"/reports/" + strings.TrimPrefix(s.private.Digest, "sha256:") + "/values.yaml", "/reports/" + nowhere + "/values.yaml", ""},
		{"/static-index.yaml", "/static-index.yaml", "tenant/"},
		{"/charts/web-1.0.0.tgz", "/charts/web-1.0.0.tgz", "tenant/"},
	}
}

// getAuthorized sends one of these requests. header is the namespace of X-Market-Source.
func (s servedStore) getAuthorized(t *testing.T, path, header, name, authorization string) (*http.Response, []byte) {
	t.Helper()
	var headers []string
	if header != "" {
		headers = append(headers, "X-Market-Source", header+name)
	}
	if authorization != "" {
		headers = append(headers, "Authorization", authorization)
	}
	return s.doRequest(t, http.MethodGet, path, headers...)
}

func TestPrivateSourcesNeedAToken(t *testing.T) {
	s := serveStore(t)
	for _, c := range []struct {
		why, authorization string
		status             int
	}{
		{"no token", "", http.StatusUnauthorized},
		{"an empty token", "Bearer ", http.StatusUnauthorized},
		{"an empty password", basicAuth("x", ""), http.StatusUnauthorized},
		{"the token as user", basicAuth(goodToken, ""), http.StatusUnauthorized},
		{"another scheme", "Digest " + goodToken, http.StatusUnauthorized},
		{"an invalid token", "Bearer nonsense", http.StatusUnauthorized},
		{"an invalid password", basicAuth("x", "nonsense"), http.StatusUnauthorized},
		{"a token without the right", "Bearer " + otherToken, http.StatusForbidden},
		{"a password without the right", basicAuth("x", otherToken), http.StatusForbidden},
		{"no API server", "Bearer " + lostToken, http.StatusServiceUnavailable},
	} {
		t.Run(c.why, func(t *testing.T) {
			for _, request := range privateRequests(s) {
				g := NewWithT(t)
				response, body := s.getAuthorized(t, request.path, request.header, "main", c.authorization)
				g.Expect(response.StatusCode).To(Equal(c.status), request.path)
				g.Expect(response.Header.Get("Cache-Control")).To(Equal("no-store"))
				g.Expect(body).NotTo(ContainSubstring("private"))
				switch c.status {
				case http.StatusUnauthorized:
					g.Expect(response.Header.Values("WWW-Authenticate")).To(ConsistOf(HavePrefix("Basic realm="), HavePrefix("Bearer realm=")))
				case http.StatusServiceUnavailable:
					g.Expect(response.Header.Get("Retry-After")).To(Equal("10"))
				}

				absent, text := s.getAuthorized(t, request.absent, request.header, "none", c.authorization)
				for _, either := range []*http.Response{response, absent} {
					either.Header.Del("Date")
				}
				g.Expect(absent.StatusCode).To(Equal(response.StatusCode), "%s is answered as %s", request.absent, request.path)
				g.Expect(absent.Header).To(Equal(response.Header))
				g.Expect(bytes.Equal(text, body)).To(BeTrue())
			}
		})
	}
}

func TestPrivateSourcesAreReadWithAToken(t *testing.T) {
	s := serveStore(t)
	report := "/" + s.privateAt.Report + "/README.md"
	for why, authorization := range map[string]string{
		"bearer": "Bearer " + goodToken, "bearer in lower case": "bearer  " + goodToken,
		"password": basicAuth("x", goodToken), "password without a user": basicAuth("", goodToken),
	} {
		t.Run(why, func(t *testing.T) {
			for _, c := range []struct {
				path   string
				header []string
				want   []byte
			}{
				{"/tenant/main/index.yaml", nil, nil},
				{"/tenant/main/charts/web-1.0.0.tgz", nil, s.private.Archive},
				{report, nil, s.private.Reports["README.md"]},
				{"/static-index.yaml", []string{"X-Market-Source", "tenant/main"}, nil},
				{"/static-index.yaml", []string{"X-Market-Source", "main", "X-Market-User", "tenant"}, nil},
				{"/charts/web-1.0.0.tgz", []string{"X-Market-Source", "tenant/main"}, s.private.Archive},
				{"/charts/web-1.0.0.tgz", []string{"X-Market-Source", "main", "X-Market-User", "tenant"}, s.private.Archive},
			} {
				g := NewWithT(t)
				header := append(c.header, "Authorization", authorization)
				response, body := s.doRequest(t, http.MethodGet, c.path, header...)
				g.Expect(response.StatusCode).To(Equal(http.StatusOK), c.path)
				g.Expect(response.Header.Get("Cache-Control")).To(Equal("private, no-cache"), c.path)
				g.Expect(response.Header.Get("Vary")).To(ContainSubstring("Authorization"), c.path)
				if c.want != nil {
					g.Expect(bytes.Equal(body, c.want)).To(BeTrue(), c.path)
				} else {
					g.Expect(string(body)).To(ContainSubstring(strings.TrimPrefix(s.private.Digest, "sha256:")), c.path)
				}
				same, _ := s.doRequest(t, http.MethodGet, c.path, append(header, "If-None-Match", response.Header.Get("ETag"))...)
				g.Expect(same.StatusCode).To(Equal(http.StatusNotModified), c.path)
				refused, _ := s.doRequest(t, http.MethodGet, c.path, append(c.header, "If-None-Match", response.Header.Get("ETag"))...)
				g.Expect(refused.StatusCode).NotTo(Equal(http.StatusNotModified), "an ETag does not replace a token: %s", c.path)
			}
		})
	}
}

func TestAdministratorGetsNotFoundForMissingSource(t *testing.T) {
	s := serveStore(t)
	for _, request := range privateRequests(s) {
		response, _ := s.getAuthorized(t, request.absent, request.header, "none", "Bearer "+allToken)
		NewWithT(t).Expect(response.StatusCode).To(Equal(http.StatusNotFound), request.absent)
	}
}

// TestSharedSourcesNeedNoToken checks that a token makes no difference where none is
// required, and that it is not reviewed.
func TestSharedSourcesNeedNoToken(t *testing.T) {
	s := serveStore(t)
	for _, path := range []string{
		"/", "/index.yaml", "/static-index.yaml", "/charts/index.yaml", "/charts/web-3.0.0.tgz", "/market/main/index.yaml",
		"/market/main/charts/web-1.0.0.tgz", "/" + s.smallAt.Report + "/values.yaml", "/values/web/3.0.0/values.yaml",
		"/healthz", "/readyz", "/version", "/status",
	} {
		g := NewWithT(t)
		open, body := s.doRequest(t, http.MethodGet, path)
		g.Expect(open.StatusCode).To(Equal(http.StatusOK), path)
		for _, authorization := range []string{"Bearer nonsense", "Bearer " + lostToken, basicAuth("x", otherToken)} {
			response, same := s.doRequest(t, http.MethodGet, path, "Authorization", authorization)
			g.Expect(response.StatusCode).To(Equal(http.StatusOK), path)
			g.Expect(response.Header.Get("Cache-Control")).To(Equal(open.Header.Get("Cache-Control")), path)
			g.Expect(bytes.Equal(same, body)).To(BeTrue(), path)
		}
		g.Expect(string(body)).NotTo(ContainSubstring("tenant/main"), path)
	}
	response, _ := s.doRequest(t, http.MethodGet, "/market/main/charts/none-1.0.0.tgz")
	NewWithT(t).Expect(response.StatusCode).To(Equal(http.StatusNotFound), "missing chart of a shared source")
}

// TestSourceNameSelectsOwnOrSharedSource checks which source X-Market-Source selects if a
// private source of the user and a shared source have the same name.
func TestSourceNameSelectsOwnOrSharedSource(t *testing.T) {
	s := serveStore(t)
	for _, c := range []struct {
		why, authorization string
		status             int
		want               []byte
	}{
		{"no token", "", http.StatusOK, s.small.Archive},
		{"without the right", "Bearer " + otherToken, http.StatusOK, s.small.Archive},
		{"with the right", "Bearer " + goodToken, http.StatusOK, s.private.Archive},
		{"an invalid token", "Bearer nonsense", http.StatusUnauthorized, nil},
		{"no API server", "Bearer " + lostToken, http.StatusServiceUnavailable, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			header := []string{"X-Market-Source", "main", "X-Market-User", "tenant"}
			if c.authorization != "" {
				header = append(header, "Authorization", c.authorization)
			}
			response, body := s.doRequest(t, http.MethodGet, "/charts/web-1.0.0.tgz", header...)
			g.Expect(response.StatusCode).To(Equal(c.status))
			if c.want != nil {
				g.Expect(bytes.Equal(body, c.want)).To(BeTrue())
			}
		})
	}
}

// TestReportIsReadableWithAccessToOneSource publishes the same reports for two private
// sources and then for a shared one.
func TestReportIsReadableWithAccessToOneSource(t *testing.T) {
	g := NewWithT(t)
	store := openStore(t, t.TempDir(), nil)
	handler := chartrepo.Handler(store, chartrepo.HandlerOptions{
		Shared: func(owner hydrate.Owner) bool { return owner == main }, Access: decideAccess,
	})
	hidden := hydrate.Owner{Namespace: "another", Source: "main"}
	at := publishAll(t, store, newPublication(t, hidden, "web", "1.0.0"), newPublication(t, tenantOwner, "web", "1.0.0"))
	g.Expect(at[0].Report).To(Equal(at[1].Report))
	path := "/" + at[0].Report + "/values.yaml"
	g.Expect(getPath(t, handler, path).Code).To(Equal(http.StatusUnauthorized))
	g.Expect(getPath(t, handler, path, "Authorization", "Bearer "+otherToken).Code).To(Equal(http.StatusForbidden))
	answer := getPath(t, handler, path, "Authorization", "Bearer "+goodToken)
	g.Expect(answer.Code).To(Equal(http.StatusOK), "the caller can read one of the two sources")
	g.Expect(answer.Header().Get("Cache-Control")).To(Equal("private, no-cache"))

	publishAll(t, store, newPublication(t, main, "web", "1.0.0"))
	answer = getPath(t, handler, path)
	g.Expect(answer.Code).To(Equal(http.StatusOK), "a shared source has published it")
	g.Expect(answer.Header().Get("Cache-Control")).To(HavePrefix("public"))
	g.Expect(store.Remove(main, "web")).To(Succeed())
	g.Expect(getPath(t, handler, path).Code).To(Equal(http.StatusUnauthorized))
	g.Expect(store.Remove(tenantOwner, "web")).To(Succeed())
	g.Expect(store.Remove(hidden, "web")).To(Succeed())
	g.Expect(getPath(t, handler, path, "Authorization", "Bearer "+allToken).Code).To(Equal(http.StatusNotFound), "no record references it")
}

// TestUnsharedSourceIsDeniedImmediately checks that access does not depend on the age of the
// aggregate index.
func TestUnsharedSourceIsDeniedImmediately(t *testing.T) {
	g := NewWithT(t)
	store := openStore(t, t.TempDir(), nil)
	var shared atomic.Bool
	shared.Store(true)
	handler := chartrepo.Handler(store, chartrepo.HandlerOptions{Shared: func(hydrate.Owner) bool { return shared.Load() }})
	at := publishAll(t, store, newPublication(t, main, "web", "1.0.0"))[0]
	paths := map[string]int{
		"/market/main/index.yaml": http.StatusUnauthorized, "/market/main/charts/web-1.0.0.tgz": http.StatusUnauthorized,
		"/" + at.Report + "/values.yaml": http.StatusUnauthorized,
		"/charts/web-1.0.0.tgz":          http.StatusNotFound, "/values/web/1.0.0/values.yaml": http.StatusNotFound,
	}
	for path := range paths {
		g.Expect(getPath(t, handler, path).Code).To(Equal(http.StatusOK), path)
	}
	shared.Store(false)
	for path, status := range paths {
		g.Expect(getPath(t, handler, path).Code).To(Equal(status), path)
	}
	g.Expect(getPath(t, handler, "/charts/web-1.0.0.tgz", "X-Market-Source", "main").Code).To(Equal(http.StatusNotFound))
}

// TestInvalidNamesAreNotReviewed checks that the owners that are reviewed, and then cached,
// are bounded.
func TestInvalidNamesAreNotReviewed(t *testing.T) {
	g := NewWithT(t)
	store := openStore(t, t.TempDir(), nil)
	var reviewed []hydrate.Owner
	handler := chartrepo.Handler(store, chartrepo.HandlerOptions{
		Shared: func(hydrate.Owner) bool { return false },
		Access: recordOwners(&reviewed),
	})
	for _, path := range []string{
		"/" + strings.Repeat("a", 5000) + "/main/index.yaml", "/tenant/" + strings.Repeat("a", 254) + "/index.yaml",
		"/a%20b/main/index.yaml", "//main/index.yaml", "/tenant//index.yaml", "/../main/index.yaml",
	} {
		g.Expect(getPath(t, handler, path, "Authorization", "Bearer "+goodToken).Code).To(Equal(http.StatusForbidden), path)
	}
	g.Expect(reviewed).To(HaveEach(hydrate.Owner{}))
	g.Expect(reviewed).To(HaveLen(6))
}

// recordOwners returns decideAccess, which also records the reviewed owners.
func recordOwners(asked *[]hydrate.Owner) chartrepo.Access {
	return func(ctx context.Context, token string, owner hydrate.Owner) (access.Decision, error) {
		*asked = append(*asked, owner)
		return decideAccess(ctx, token, owner)
	}
}

// TestMissesDoNotWaitForWriters requests reports that do not exist while a version is being
// published and its lock is held.
func TestMissesDoNotWaitForWriters(t *testing.T) {
	g := NewWithT(t)
	reached, goOn := make(chan struct{}), make(chan struct{})
	store := openStoreWith(t, t.TempDir(), chartrepo.Options{Now: func() time.Time {
		close(reached)
		<-goOn
		return noon
	}})
	handler := chartrepo.Handler(store, chartrepo.HandlerOptions{Access: decideAccess})
	published := make(chan error, 1)
	go func() {
		_, err := store.Publish(t.Context(), newPublication(t, main, "web", "1.0.0"))
		published <- err
	}()
	<-reached
	answered := make(chan int, 1)
	go func() {
		for i := range 100 {
			path := fmt.Sprintf("/reports/%064x/values.yaml", i)
			answered <- getPath(t, handler, path, "Authorization", "Bearer "+allToken).Code
		}
		close(answered)
	}()
	for range 100 {
		g.Eventually(answered).Should(Receive(Equal(http.StatusNotFound)))
	}
	close(goOn)
	g.Eventually(published).Should(Receive(BeNil()))
}

// TestNothingIsServedBeforeSharingIsKnown checks that requests are neither denied nor
// answered with an empty index until the sources have been listed.
func TestNothingIsServedBeforeSharingIsKnown(t *testing.T) {
	g := NewWithT(t)
	store := openStore(t, t.TempDir(), nil)
	publishAll(t, store, newPublication(t, main, "web", "1.0.0"))
	var ready atomic.Bool
	handler := chartrepo.Handler(store, chartrepo.HandlerOptions{Ready: ready.Load})
	for _, path := range []string{"/", "/index.yaml", "/market/main/index.yaml", "/charts/web-1.0.0.tgz", "/status"} {
		answer := getPath(t, handler, path)
		g.Expect(answer.Code).To(Equal(http.StatusServiceUnavailable), path)
		g.Expect(answer.Header().Get("Retry-After")).NotTo(BeEmpty(), path)
	}
	for _, path := range []string{"/healthz", "/readyz", "/version"} {
		g.Expect(getPath(t, handler, path).Code).To(Equal(http.StatusOK), path)
	}
	ready.Store(true)
	g.Expect(getPath(t, handler, "/market/main/index.yaml").Code).To(Equal(http.StatusOK))
	g.Expect(getPath(t, handler, "/index.yaml").Body.String()).To(ContainSubstring("web-1.0.0.tgz"))
}
