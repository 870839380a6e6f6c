package pages_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/ui/pages"
	"github.com/appmarket/operator/ui/session"
)

// getWith requests a page with headers, each in the form "name: value".
func (b *browser) getWith(t *testing.T, path string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+path, nil)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Add(name, value)
	}
	return b.send(t, request)
}

// startProxySite starts the pages behind a proxy at a loopback address.
func startProxySite(t *testing.T) *site {
	t.Helper()
	return startSite(t, false, func(o *pages.Options) {
		o.Proxy, o.SignOutURL = &session.Proxy{Loopback: true}, "/oauth2/sign_out"
	})
}

// TestUsersOfAProxy sends the headers of a proxy. Users have the permissions of their name and their groups,
// and nothing else.
func TestUsersOfAProxy(t *testing.T) {
	g := NewWithT(t)
	s := startProxySite(t)
	byName, byGroup := s.Namespace(t, nil), s.Namespace(t, nil)
	s.grant(t, byName, rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "jane@example.com"}, viewer)
	s.grant(t, byGroup, rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "team"}, viewer)
	b := s.newBrowser(t)
	const jane, team = "X-Forwarded-User: jane@example.com", "X-Forwarded-Groups: other, team"
	status := func(namespace string, headers ...string) func() int {
		return func() int { return b.getWith(t, "/instances?namespace="+namespace, headers...).StatusCode }
	}
	g.Eventually(status(byName, jane)).Should(Equal(http.StatusOK))
	g.Eventually(status(byGroup, jane, team), "10s").Should(Equal(http.StatusOK))
	g.Expect(status(byGroup, jane)()).To(Equal(http.StatusForbidden), "without the group")
	g.Expect(status(byName, "X-Forwarded-User: john")()).To(Equal(http.StatusForbidden), "another user")
	g.Expect(status(byName, "X-Forwarded-User: john", "X-Forwarded-Groups: jane@example.com")()).To(Equal(http.StatusForbidden), "a group with the name of a user")

	page := b.getWith(t, "/about", jane)
	g.Expect(page.text).To(ContainSubstring("jane@example.com"))
	g.Expect(page.text).To(ContainSubstring("<dd>proxy</dd>"))
	g.Expect(page.Cookies()).To(BeEmpty(), "no session is needed")
	g.Expect(b.get(t, "/about").StatusCode).To(Equal(http.StatusUnauthorized), "nothing is remembered")
	signedOut := b.post(t, "/logout", nil)
	g.Expect(signedOut.StatusCode).To(Equal(http.StatusOK))
	g.Expect(signedOut.text).To(ContainSubstring(`href="/oauth2/sign_out"`))
	g.Expect(b.get(t, "/login").text).To(ContainSubstring("at the proxy in front of these pages"))
	g.Expect(b.post(t, "/login", nil).StatusCode).To(Equal(http.StatusForbidden))
}

// TestTokensOfAProxy sends tokens, which are passed through whatever other headers say.
func TestTokensOfAProxy(t *testing.T) {
	g := NewWithT(t)
	s := startProxySite(t)
	namespace := s.Namespace(t, nil)
	s.Allow(t, namespace, "jane", viewer)
	b := s.newBrowser(t)
	token := "Authorization: Bearer " + s.tokenFor(t, namespace, "jane")
	page := b.getWith(t, "/about", token, "X-Forwarded-User: admin", "X-Forwarded-Groups: system:masters")
	g.Expect(page.StatusCode).To(Equal(http.StatusOK), page.text)
	g.Expect(page.text).To(ContainSubstring("system:serviceaccount:" + namespace + ":jane"))
	g.Expect(page.text).NotTo(ContainSubstring("eyJ"))
	g.Expect(b.getWith(t, "/instances?namespace="+namespace, token).StatusCode).To(Equal(http.StatusOK))

	refused := b.getWith(t, "/about", "Authorization: Bearer nonsense")
	g.Expect(refused.StatusCode).To(Equal(http.StatusUnauthorized))
	g.Expect(refused.text).To(ContainSubstring("does not accept the token"))
	part := b.getWith(t, "/parts/about", "Authorization: Bearer nonsense")
	g.Expect(part.StatusCode).To(Equal(http.StatusUnauthorized))
	g.Expect(part.text).NotTo(ContainSubstring("<"))

	// A token that expires: the account is deleted.
	g.Expect(s.Client.Delete(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "jane"}})).To(Succeed())
	g.Eventually(func() int { return b.getWith(t, "/about", token).StatusCode }).WithTimeout(60 * time.Second).WithPolling(time.Second).
		Should(BeElementOf(http.StatusUnauthorized, http.StatusSeeOther))
}

// TestForgedUsersAreRefused sends headers that no proxy sends, and headers of clients that are no proxy.
func TestForgedUsersAreRefused(t *testing.T) {
	g := NewWithT(t)
	s := startProxySite(t)
	b := s.newBrowser(t)
	for name, headers := range map[string][]string{
		"system:masters":       {"X-Forwarded-User: jane", "X-Forwarded-Groups: team, system:masters"},
		"system:admin":         {"X-Forwarded-User: system:admin"},
		"two users":            {"X-Forwarded-User: jane", "X-Forwarded-User: admin"},
		"two lists of groups":  {"X-Forwarded-User: jane", "X-Forwarded-Groups: team", "X-Forwarded-Groups: admins"},
		"groups without users": {"X-Forwarded-Groups: team"},
	} {
		for _, path := range []string{"/apps", "/parts/apps", "/live?t=appinfos//", "/instances/a/b"} {
			response := b.getWith(t, path, headers...)
			g.Expect(response.StatusCode).To(Equal(http.StatusForbidden), name+" "+path)
			g.Expect(response.Header.Get("Content-Security-Policy")).NotTo(BeEmpty())
		}
		g.Expect(b.getWith(t, "/apps", headers...).text).To(ContainSubstring(`role="alert"`))
	}
	g.Expect(b.getWith(t, "/about", "X-Forwarded-User: jane", "Impersonate-User: admin", "Impersonate-Group: system:masters").text).
		To(And(ContainSubstring("jane"), Not(ContainSubstring("admin"))), "headers of the request are not sent to the API server")

	outside := startSite(t, false, func(o *pages.Options) {
		o.Proxy = &session.Proxy{Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, ClientCAFile: "missing"}
	})
	refused := outside.newBrowser(t).getWith(t, "/apps", "X-Forwarded-User: jane")
	g.Expect(refused.StatusCode).To(Equal(http.StatusForbidden))
	g.Expect(refused.text).To(ContainSubstring("127.0.0.1 is not in --trusted-proxies"))
}
