package pages_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/pages"
)

// TestPagesCannotBeFramed checks the header that browsers use against clickjacking.
func TestPagesCannotBeFramed(t *testing.T) {
	s := startSite(t, true)
	b := s.signInAsAdmin(t)
	for _, path := range []string{"/apps", "/parts/apps", "/login", "/link?code=x", "/nothing", "/healthz", "/live"} {
		policy := b.get(t, path).Header.Get("Content-Security-Policy")
		for _, rule := range []string{"frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'", "default-src 'none'"} {
			NewWithT(t).Expect(policy).To(ContainSubstring(rule), path)
		}
	}
}

// TestRedirectsStayOnTheServer signs in with addresses that browsers read as another server.
func TestRedirectsStayOnTheServer(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, true)
	staysHere := func(answer answer, why string) {
		location := answer.Header.Get("Location")
		if location == "" {
			return
		}
		target, err := url.Parse(location)
		g.Expect(err).NotTo(HaveOccurred(), why)
		g.Expect([]string{target.Scheme, target.Host}).To(Equal([]string{"", ""}), why)
		g.Expect(location).To(MatchRegexp(`^/([^/\\]|$)`), why)
	}
	for _, next := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "/%09/evil.example"} {
		b := s.newBrowser(t)
		code := s.link.Renew(time.Now())
		query := "?next=" + url.QueryEscape(next) + "&redirect=" + url.QueryEscape(next)
		g.Expect(b.get(t, "/link"+query+"&code="+code).text).NotTo(ContainSubstring("evil.example"))
		answer := b.post(t, "/link"+query, url.Values{"code": {code}, "next": {next}, "redirect": {next}})
		g.Expect(answer.StatusCode).To(Equal(http.StatusSeeOther))
		staysHere(answer, next)
	}
	b, signedIn := s.newBrowser(t), s.signInAsAdmin(t)
	for _, path := range []string{"//evil.example", "//evil.example/..", "/%2fevil.example", `/%5cevil.example`, "/apps//evil.example/x/y", "/login//evil.example", "/parts//evil.example"} {
		staysHere(b.get(t, path), path)
		staysHere(signedIn.get(t, path), path)
	}
}

// TestCredentialsAreNotLogged signs in and fails in each way, and searches the log.
func TestCredentialsAreNotLogged(t *testing.T) {
	g := NewWithT(t)
	var mu sync.Mutex
	var log bytes.Buffer
	keep := func(o *pages.Options) {
		o.Log = funcr.New(func(prefix, arguments string) {
			mu.Lock()
			defer mu.Unlock()
			log.WriteString(prefix + arguments + "\n")
		}, funcr.Options{Verbosity: 10})
	}
	s := startSite(t, false, keep)
	namespace := s.Namespace(t, nil)
	b := s.signIn(t, namespace, "jane", viewer)
	token := s.tokenFor(t, namespace, "jane")
	b.post(t, "/login", url.Values{"token": {token}})
	b.post(t, "/login", url.Values{"token": {token + "CANARY"}})
	b.post(t, "/login?token="+token, nil)
	b.get(t, "/instances/"+namespace+"/none?token="+token)
	s.reports.Close() // The repository does not respond.
	s.addApp(t, namespace, "samples", "wiki", v1alpha1.AppSummary{})
	g.Expect(b.get(t, "/apps/"+namespace+"/samples/wiki").text).To(ContainSubstring("does not respond"))
	local := startSite(t, true, keep)
	code := local.link.Renew(time.Now())
	local.newBrowser(t).get(t, "/link?code="+code)
	local.newBrowser(t).post(t, "/link", url.Values{"code": {code}})
	local.newBrowser(t).post(t, "/link", url.Values{"code": {code}})
	mu.Lock()
	defer mu.Unlock()
	g.Expect(log.String()).To(ContainSubstring("Signed in"))
	g.Expect(log.String()).To(ContainSubstring("Cannot fetch a report"))
	for name, secret := range map[string]string{"token": token[strings.LastIndex(token, ".")+1:], "part of the token": strings.Split(token, ".")[1][:40], "changed token": "CANARY", "code": code} {
		g.Expect(log.String()).NotTo(ContainSubstring(secret), name)
	}
}

// TestAssetsAreFilesOfThePages requests files outside of the assets.
func TestAssetsAreFilesOfThePages(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, true)
	b := s.newBrowser(t)
	page := b.get(t, "/login").text
	start := strings.Index(page, "/assets/")
	folder := page[start : start+len("/assets/")+12]
	g.Expect(b.get(t, folder+"/app.css").StatusCode).To(Equal(http.StatusOK))
	for _, path := range []string{
		folder + "/../../etc/passwd", folder + "/%2e%2e/%2e%2e/etc/passwd", folder + "/..%2fassets.go", folder + "/%2e%2e/app.css", folder + "/x/app.css",
		folder + "/", folder, "/assets/", "/assets/app.css", "/assets/000000000000/app.css", folder + "/assets.go", folder + "/app.css%00", folder + "//app.css/../app.css/x",
	} {
		answer := b.get(t, path)
		g.Expect(answer.StatusCode).NotTo(Equal(http.StatusOK), path)
		g.Expect(answer.text).NotTo(Or(ContainSubstring("root:"), ContainSubstring("package assets"), ContainSubstring("<pre>")), path)
	}
}

// TestIconsOfChartsAreNotLoaded gives apps icons that run or load something.
func TestIconsOfChartsAreNotLoaded(t *testing.T) {
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	for i, icon := range []string{
		"https://evil.example/icon.svg", "//evil.example/icon.png", "javascript:alert(1)", "data:image/svg+xml,<svg onload=alert(1)>", "http://169.254.169.254/latest",
	} {
		name := "icon" + string(rune('a'+i))
		w.addApp(t, w.market, "icons", name, v1alpha1.AppSummary{Icon: icon})
		page := shows(t, b, "/apps?source=icons", "/icons/"+name)
		for _, text := range []string{page.text, b.get(t, "/apps/"+w.market+"/icons/"+name).text} {
			NewWithT(t).Expect(text).NotTo(ContainSubstring(icon))
			NewWithT(t).Expect(activeMarkup(t, text)).To(BeEmpty())
		}
	}
}

// TestSessionsAreOfOneServer uses the cookie of a server at another one, as browsers do, because they
// do not separate cookies by port.
func TestSessionsAreOfOneServer(t *testing.T) {
	g := NewWithT(t)
	first, second := startSite(t, true), startSite(t, true)
	signedIn := first.signInAsAdmin(t)
	g.Expect(signedIn.get(t, "/apps").StatusCode).To(Equal(http.StatusOK))
	other := second.newBrowser(t)
	other.Jar = signedIn.Jar
	g.Expect(other.get(t, "/apps").Header.Get("Location")).To(Equal("/login"))
}

// TestForbiddenNamespaceIsNotRemembered looks at the namespace of another tenant and returns.
func TestForbiddenNamespaceIsNotRemembered(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	other := w.Namespace(t, nil)
	b := w.signIn(t, w.tenant, "jane", viewer)
	g.Expect(b.get(t, "/instances?namespace="+other).StatusCode).To(Equal(http.StatusForbidden))
	g.Expect(b.get(t, "/instances").StatusCode).To(Equal(http.StatusOK))
	g.Expect(b.get(t, "/instances?namespace="+w.tenant).StatusCode).To(Equal(http.StatusOK))
	shows(t, b, "/tasks", "1 task")
}

// TestCompression compresses pages for requests of the pages themselves only.
func TestCompression(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	for site, encoding := range map[string]string{"same-origin": "gzip", "none": "gzip", "cross-site": "", "same-site": "", "": ""} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+"/apps", nil)
		g.Expect(err).NotTo(HaveOccurred())
		request.Header.Set("Accept-Encoding", "gzip")
		if site != "" {
			request.Header.Set("Sec-Fetch-Site", site)
		}
		answer := b.send(t, request)
		g.Expect(answer.StatusCode).To(Equal(http.StatusOK), site)
		g.Expect(answer.Header.Get("Content-Encoding")).To(Equal(encoding), site)
	}
}
