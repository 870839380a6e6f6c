package pages_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	testissuer "github.com/appmarket/operator/test/issuer"
	"github.com/appmarket/operator/test/testenv"
	"github.com/appmarket/operator/ui/issuer"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/pages"
)

// issuerSite is the pages with sign-in at an issuer that the API server trusts.
type issuerSite struct {
	*site

	issuer *testissuer.Server
	// namespace is where the group team can read instances.
	namespace string
}

// newIssuer returns the client of a test issuer.
func newIssuer(t *testing.T, at *testissuer.Server, public string) *issuer.Issuer {
	t.Helper()
	created, err := issuer.New(issuer.Options{
		URL: at.URL, ClientID: testissuer.ClientID, SecretFile: at.SecretFile(t), CAFile: at.CAFile, Scopes: []string{"groups"}, PublicURL: public,
	})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return created
}

// startIssuerSite starts an issuer, an API server that trusts it, and the pages.
func startIssuerSite(t *testing.T) *issuerSite {
	t.Helper()
	i := &issuerSite{issuer: testissuer.Start(t)}
	env := testenv.StartWith(t, map[string]string{
		"oidc-issuer-url": i.issuer.URL, "oidc-client-id": testissuer.ClientID, "oidc-ca-file": i.issuer.CAFile,
		"oidc-signing-algs": "ES256", "oidc-username-prefix": "oidc:", "oidc-groups-claim": "groups", "oidc-groups-prefix": "oidc:",
	})
	i.site = startSiteOf(t, env, false, func(s *site, o *pages.Options) {
		o.Issuer = newIssuer(t, i.issuer, "http://"+s.server.Listener.Addr().String())
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	})
	i.namespace = i.Namespace(t, nil)
	i.grant(t, i.namespace, rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "oidc:team"}, viewer)
	g := NewWithT(t)
	token, err := i.issuer.SignToken("")
	g.Expect(err).NotTo(HaveOccurred())
	cluster, err := kube.New(i.Config, func(kube.Change) {})
	g.Expect(err).NotTo(HaveOccurred())
	user, err := cluster.UserWithToken(token)
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(func() error { // The API server fetches the keys of the issuer after its start.
		_, err := user.FetchName(t.Context())
		return err
	}).WithTimeout(60 * time.Second).WithPolling(500 * time.Millisecond).Should(Succeed())
	return i
}

// grant grants permissions in a namespace to a user or a group.
func (s *site) grant(t *testing.T, namespace string, subject rbacv1.Subject, rules ...rbacv1.PolicyRule) {
	t.Helper()
	name := metav1.ObjectMeta{Namespace: namespace, Name: "granted"}
	s.Create(t, &rbacv1.Role{ObjectMeta: name, Rules: rules}, &rbacv1.RoleBinding{
		ObjectMeta: name, Subjects: []rbacv1.Subject{subject}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "granted"},
	})
}

// beginSignIn follows the pages to the issuer, and returns the address to which the issuer sends the user
// back.
func (i *issuerSite) beginSignIn(t *testing.T, b *browser) string {
	t.Helper()
	g := NewWithT(t)
	sent := b.get(t, "/login/oidc")
	g.Expect(sent.StatusCode).To(Equal(http.StatusSeeOther), sent.text)
	g.Expect(sent.Header.Get("Location")).To(HavePrefix(i.issuer.URL + "/authorize?"))
	client := i.issuer.Client()
	client.CheckRedirect = b.CheckRedirect
	response, err := client.Get(sent.Header.Get("Location"))
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	back := response.Header.Get("Location")
	g.Expect(back).To(HavePrefix(b.base + "/login/callback?"))
	return strings.TrimPrefix(back, b.base)
}

func (i *issuerSite) signInAtIssuer(t *testing.T) *browser {
	t.Helper()
	b := i.newBrowser(t)
	response := b.get(t, i.beginSignIn(t, b))
	NewWithT(t).Expect(response.StatusCode).To(Equal(http.StatusSeeOther), response.text)
	NewWithT(t).Expect(response.Header.Get("Location")).To(Equal("/"))
	return b
}

// TestSignInAtAnIssuer signs in as a user does, and in each way that an attacker, a wrong configuration or a
// failed issuer can disturb. All parts share an API server.
func TestSignInAtAnIssuer(t *testing.T) {
	i := startIssuerSite(t)
	t.Run("user", func(t *testing.T) { i.testUser(t) })
	t.Run("callbacks", func(t *testing.T) { i.testCallbacks(t) })
	t.Run("tokens", func(t *testing.T) { i.testTokens(t) })
	t.Run("failures", func(t *testing.T) { i.testFailures(t) })
	t.Run("limit", func(t *testing.T) { i.testLimit(t) })
	t.Run("refresh", func(t *testing.T) { i.testRefresh(t) })
	t.Run("sign out", func(t *testing.T) { i.testSignOut(t) })
}

func (i *issuerSite) testUser(t *testing.T) {
	g := NewWithT(t)
	b := i.newBrowser(t)
	g.Expect(b.get(t, "/instances").Header.Get("Location")).To(Equal("/login"))
	page := b.get(t, "/login")
	g.Expect(page.text).To(ContainSubstring(`href="/login/oidc"`))
	g.Expect(page.text).NotTo(ContainSubstring(`name="token"`))
	g.Expect(b.post(t, "/login", url.Values{"token": {"x"}}).StatusCode).To(Equal(http.StatusForbidden), "a server with an issuer takes no tokens")
	b = i.signInAtIssuer(t)
	about := b.get(t, "/about")
	g.Expect(about.StatusCode).To(Equal(http.StatusOK))
	g.Expect(about.text).To(ContainSubstring("oidc:jane"))
	g.Expect(about.text).NotTo(ContainSubstring("eyJ"), "no token is in a page")
	g.Eventually(func() int { return b.get(t, "/instances?namespace="+i.namespace).StatusCode }).Should(Equal(http.StatusOK))
	other := i.Namespace(t, nil)
	g.Expect(b.get(t, "/instances?namespace="+other).StatusCode).To(Equal(http.StatusForbidden))

	// Another user of the same issuer has other rights.
	i.issuer.Configure(func(c *testissuer.Config) { c.Subject, c.Groups = "john", nil })
	t.Cleanup(func() { i.issuer.Configure(nil) })
	john := i.signInAtIssuer(t)
	g.Expect(john.get(t, "/about").text).To(ContainSubstring("oidc:john"))
	g.Expect(john.get(t, "/instances?namespace="+i.namespace).StatusCode).To(Equal(http.StatusForbidden))
}

// testCallbacks sends the callbacks that an attacker can send or have a browser send.
func (i *issuerSite) testCallbacks(t *testing.T) {
	for name, change := range map[string]func(b *browser, back string) string{
		"wrong state":       func(_ *browser, back string) string { return replaceParameter(back, "state", "other") },
		"no state":          func(_ *browser, back string) string { return replaceParameter(back, "state", "") },
		"no code":           func(_ *browser, back string) string { return replaceParameter(back, "code", "") },
		"a long code":       func(_ *browser, back string) string { return replaceParameter(back, "code", strings.Repeat("x", 5000)) },
		"another issuer":    func(_ *browser, back string) string { return back + "&iss=https://evil.example" },
		"another browser":   func(b *browser, back string) string { *b = *i.newBrowser(t); return back },
		"a changed cookie":  func(b *browser, back string) string { b.changeCookie(t, "appmarket-flow"); return back },
		"another sign-in":   func(b *browser, back string) string { i.beginSignIn(t, b); return back },
		"a code of another": func(_ *browser, back string) string { return replaceParameter(back, "code", "guessed") },
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			b := i.newBrowser(t)
			back := change(b, i.beginSignIn(t, b))
			asked := i.issuer.Calls("/token")
			response := b.get(t, back)
			want := http.StatusBadRequest
			if name == "a code of another" {
				want, asked = http.StatusUnauthorized, asked+1
			}
			g.Expect(response.StatusCode).To(Equal(want), response.text)
			g.Expect(response.text).To(ContainSubstring(`role="alert"`))
			g.Expect(i.issuer.Calls("/token")).To(Equal(asked), "a code is sent to the issuer only if the state is right")
			g.Expect(b.get(t, "/apps").Header.Get("Location")).To(Equal("/login"))
		})
	}
	t.Run("the same again", func(t *testing.T) {
		g := NewWithT(t)
		b := i.newBrowser(t)
		back := i.beginSignIn(t, b)
		base, err := url.Parse(b.base)
		g.Expect(err).NotTo(HaveOccurred())
		before := b.Jar.Cookies(base)
		g.Expect(b.get(t, back).StatusCode).To(Equal(http.StatusSeeOther))
		g.Expect(b.get(t, back).StatusCode).To(Equal(http.StatusBadRequest), "the cookie was removed")
		g.Expect(b.get(t, "/about").StatusCode).To(Equal(http.StatusOK), "the user is still signed in")
		thief := i.newBrowser(t)
		thief.Jar.SetCookies(base, before)
		g.Expect(thief.get(t, back).StatusCode).To(Equal(http.StatusUnauthorized), "the issuer accepts a code once")
	})
	t.Run("an error of the issuer", func(t *testing.T) {
		g := NewWithT(t)
		b := i.newBrowser(t)
		back, err := url.Parse(i.beginSignIn(t, b))
		g.Expect(err).NotTo(HaveOccurred())
		query := url.Values{"state": {back.Query().Get("state")}, "error": {"access_denied"}, "error_description": {"<b>text</b> of the issuer"}}
		response := b.get(t, "/login/callback?"+query.Encode())
		g.Expect(response.StatusCode).To(Equal(http.StatusForbidden))
		g.Expect(response.text).To(ContainSubstring("you canceled the sign-in"))
		g.Expect(response.text).NotTo(ContainSubstring("of the issuer</"), "texts of the address are not shown")
	})
	t.Run("addresses to return to", func(t *testing.T) {
		b := i.newBrowser(t)
		for _, query := range []string{"?redirect_uri=https://evil.example", "?return=//evil.example", "?next=https://evil.example"} {
			location := b.get(t, "/login/oidc"+query).Header.Get("Location")
			NewWithT(t).Expect(location).To(HavePrefix(i.issuer.URL + "/authorize?"))
			NewWithT(t).Expect(location).NotTo(ContainSubstring("evil"))
		}
	})
}

// replaceParameter returns an address with another parameter.
func replaceParameter(address, name, value string) string {
	path, text, _ := strings.Cut(address, "?")
	query, _ := url.ParseQuery(text)
	query.Set(name, value)
	return path + "?" + query.Encode()
}

// changeCookie changes one character of a cookie.
func (b *browser) changeCookie(t *testing.T, name string) {
	t.Helper()
	base, err := url.Parse(b.base)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, cookie := range b.Jar.Cookies(base) {
		if cookie.Name == name {
			changed := []byte(cookie.Value)
			changed[len(changed)/2] ^= 1
			b.Jar.SetCookies(base, []*http.Cookie{{Name: name, Value: string(changed), Path: "/"}})
			return
		}
	}
	t.Fatalf("no cookie %s", name)
}

// testTokens has the issuer issue tokens that are not for the user of this browser, or not for the pages.
func (i *issuerSite) testTokens(t *testing.T) {
	t.Cleanup(func() { i.issuer.Configure(nil) })
	for _, c := range []struct {
		why, text string
		change    func(*testissuer.Config)
	}{
		{"a wrong nonce", "not valid for these pages", func(c *testissuer.Config) { c.Claims = map[string]any{"nonce": "other"} }},
		{"no nonce", "not valid for these pages", func(c *testissuer.Config) { c.Claims = map[string]any{"nonce": ""} }},
		{"another audience", "not valid for these pages", func(c *testissuer.Config) { c.Claims = map[string]any{"aud": "other"} }},
		{"another issuer", "not valid for these pages", func(c *testissuer.Config) { c.Claims = map[string]any{"iss": "https://evil.example"} }},
		{"an expired token", "not valid for these pages", func(c *testissuer.Config) { c.Lifetime = -time.Minute }},
		{"no identity token", "not valid for these pages", func(c *testissuer.Config) { c.NoIDToken = true }},
		{"a user that the API server does not accept", "does not accept its identity token", func(c *testissuer.Config) { c.Claims = map[string]any{"groups": map[string]int{"a": 1}} }},
		{"a token that is too long", "too long", func(c *testissuer.Config) { c.Groups = []string{strings.Repeat("x", 9000)} }},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			b := i.newBrowser(t)
			back := i.beginSignIn(t, b)
			i.issuer.Configure(c.change)
			response := b.get(t, back)
			g.Expect(response.StatusCode).To(BeElementOf(http.StatusUnauthorized, http.StatusBadRequest), response.text)
			g.Expect(response.text).To(ContainSubstring(c.text))
			g.Expect(response.text).NotTo(ContainSubstring("eyJ"))
			g.Expect(b.get(t, "/apps").Header.Get("Location")).To(Equal("/login"))
		})
	}
}
