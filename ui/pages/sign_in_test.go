package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestSignInWithAToken(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, false)
	namespace := s.Namespace(t, nil)
	s.Allow(t, namespace, "jane", viewer)
	b := s.newBrowser(t)
	g.Expect(b.get(t, "/apps").Header.Get("Location")).To(Equal("/login"))
	g.Expect(b.get(t, "/login").text).To(ContainSubstring(`name="token" type="password"`))
	token := s.tokenFor(t, namespace, "jane")
	for _, c := range []struct {
		why, token string
		status     int
	}{
		{"nothing", "", http.StatusBadRequest},
		{"two lines", token + "\n" + token, http.StatusBadRequest},
		{"nonsense", "nonsense", http.StatusUnauthorized},
		{"a changed token", token[:len(token)-8] + "AAAAAAAA", http.StatusUnauthorized},
	} {
		response := b.post(t, "/login", url.Values{"token": {c.token}})
		g.Expect(response.StatusCode).To(Equal(c.status), c.why)
		g.Expect(response.text).To(ContainSubstring(`role="alert"`))
		if c.token != "" {
			g.Expect(response.text).NotTo(ContainSubstring(c.token), "the token is not in the page")
		}
		g.Expect(b.get(t, "/apps").StatusCode).To(Equal(http.StatusSeeOther), c.why)
	}
	response := b.post(t, "/login", url.Values{"token": {"  " + token + "\n"}})
	g.Expect(response.StatusCode).To(Equal(http.StatusSeeOther))
	page := b.get(t, "/about")
	g.Expect(page.StatusCode).To(Equal(http.StatusOK))
	g.Expect(page.text).To(ContainSubstring("system:serviceaccount:" + namespace + ":jane"))
	g.Expect(page.text).NotTo(ContainSubstring(token))

	signedOut := b.post(t, "/logout", nil)
	g.Expect(signedOut.Header.Get("Location")).To(Equal("/login"))
	g.Expect(signedOut.Header.Get("Clear-Site-Data")).To(Equal(`"cache"`))
	g.Expect(b.get(t, "/about").Header.Get("Location")).To(Equal("/login"))
}

func TestSessionsEndWithTheAccount(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, false)
	namespace := s.Namespace(t, nil)
	b := s.signIn(t, namespace, "jane", viewer)
	g.Expect(b.get(t, "/instances?namespace="+namespace).StatusCode).To(Equal(http.StatusOK))
	g.Expect(s.Client.Delete(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "jane"}})).To(Succeed())
	g.Eventually(func() string { return b.get(t, "/instances/"+namespace+"/x").Header.Get("Location") }).
		WithTimeout(30 * time.Second).WithPolling(time.Second).Should(Equal("/login"))
	g.Expect(b.get(t, "/about").Header.Get("Location")).To(Equal("/login"), "the cookie is removed")
}

func TestOneTimeLink(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, true)
	b := s.newBrowser(t)
	code := s.link.Renew(time.Now())
	for range 2 {
		page := b.get(t, "/link?code="+code)
		g.Expect(page.text).To(ContainSubstring(`value="`+code+`"`), "looking at the link does not use it up")
	}
	g.Expect(b.post(t, "/link", url.Values{"code": {"other"}}).StatusCode).To(Equal(http.StatusForbidden))
	g.Expect(b.post(t, "/link", url.Values{"code": {code}}).Header.Get("Location")).To(Equal("/"))
	g.Expect(b.get(t, "/apps").StatusCode).To(Equal(http.StatusOK))
	other := s.newBrowser(t)
	g.Expect(other.post(t, "/link", url.Values{"code": {code}}).StatusCode).To(Equal(http.StatusForbidden), "the second time")
	g.Expect(other.get(t, "/apps").StatusCode).To(Equal(http.StatusSeeOther))
	late := s.link.Renew(time.Now().Add(-5 * time.Minute))
	g.Expect(other.post(t, "/link", url.Values{"code": {late}}).StatusCode).To(Equal(http.StatusForbidden), "after 5 minutes")
	g.Expect(other.post(t, "/login", url.Values{"token": {"x"}}).StatusCode).To(Equal(http.StatusForbidden), "a local server takes no tokens")
}

// TestLocalServerAnswersToItsNameOnly sends requests as a page does whose name an attacker has
// pointed at this machine.
func TestLocalServerAnswersToItsNameOnly(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, true)
	b := s.newBrowser(t)
	port := s.server.URL[strings.LastIndex(s.server.URL, ":")+1:]
	for host, status := range map[string]int{
		"127.0.0.1:" + port: http.StatusOK, "localhost:" + port: http.StatusOK, "[::1]:" + port: http.StatusOK,
		"evil.example:" + port: http.StatusMisdirectedRequest, "127.0.0.1": http.StatusMisdirectedRequest,
		"127.0.0.1:1": http.StatusMisdirectedRequest, "127.0.0.1.evil.example:" + port: http.StatusMisdirectedRequest,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+"/login", nil)
		g.Expect(err).NotTo(HaveOccurred())
		request.Host = host
		g.Expect(b.send(t, request).StatusCode).To(Equal(status), host)
	}
}

// TestForeignRequestsAreRefused sends forms as pages of other origins can.
func TestForeignRequestsAreRefused(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, true)
	b := s.signInAsAdmin(t)
	for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
		for _, path := range []string{"/logout", "/login", "/link"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+path, strings.NewReader("code=x"))
			g.Expect(err).NotTo(HaveOccurred())
			request.Header.Set("Content-Type", "text/plain")
			request.Header.Set(name, value)
			g.Expect(b.send(t, request).StatusCode).To(Equal(http.StatusForbidden), name+" "+path)
		}
	}
	g.Expect(b.get(t, "/apps").StatusCode).To(Equal(http.StatusOK), "the user is still signed in")
	g.Expect(b.get(t, "/logout").StatusCode).NotTo(Equal(http.StatusSeeOther), "signing out is no GET")
	g.Expect(b.get(t, "/apps").StatusCode).To(Equal(http.StatusOK))
}

func TestLargeRequestsAreRefused(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, false)
	response := s.newBrowser(t).post(t, "/login", url.Values{"token": {strings.Repeat("x", 2<<20)}})
	g.Expect(response.StatusCode).To(Equal(http.StatusBadRequest))
	g.Expect(len(response.text)).To(BeNumerically("<", 10000))
}

func TestRequestsOfASessionAreLimited(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, true)
	b := s.signInAsAdmin(t)
	refused := 0
	for range 400 { // Requests that need no answer of the API server.
		if b.get(t, "/live").StatusCode == http.StatusTooManyRequests {
			refused++
		}
	}
	g.Expect(refused).To(BeNumerically(">", 0))
}

// TestRequestsAfterTheEndOfASession expects that a browser shows the page for signing in, and that a script loads the
// page again.
func TestRequestsAfterTheEndOfASession(t *testing.T) {
	s := startSite(t, false)
	b := s.newBrowser(t)
	for _, c := range []struct {
		why, method, path, header, value string
		status                           int
	}{
		{"a page", http.MethodGet, "/apps", "Accept", "text/html,*/*", http.StatusSeeOther},
		{"a form", http.MethodPost, "/sources/new", "Accept", "text/html,*/*", http.StatusSeeOther},
		{"a check by a script", http.MethodPost, "/sources/new", "Accept", "*/*", http.StatusUnauthorized},
		{"a preview", http.MethodPost, "/sources/new", "HX-Request", "true", http.StatusUnauthorized},
		{"a part", http.MethodGet, "/parts/apps", "Accept", "text/html", http.StatusUnauthorized},
		{"a log", http.MethodGet, "/instances/a/b/log/stream", "Accept", "text/event-stream", http.StatusUnauthorized},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			request, err := http.NewRequestWithContext(t.Context(), c.method, b.base+c.path, nil)
			g.Expect(err).NotTo(HaveOccurred())
			request.Header.Set(c.header, c.value)
			answer := b.send(t, request)
			g.Expect(answer.StatusCode).To(Equal(c.status), answer.text)
			if c.status == http.StatusSeeOther {
				g.Expect(answer.Header.Get("Location")).To(Equal("/login"))
			}
		})
	}
}
