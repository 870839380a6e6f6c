package pages_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/test/testenv"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
	"github.com/appmarket/operator/ui/pages"
	"github.com/appmarket/operator/ui/reports"
	"github.com/appmarket/operator/ui/session"
)

func TestMain(m *testing.M) {
	// A session may send only a limited number of requests in a second.
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(50 * time.Millisecond)
	os.Exit(testenv.Run(m))
}

// viewer is the rule of the role appmarket-viewer.
var viewer = rbacv1.PolicyRule{
	APIGroups: []string{"appmarket.io"}, Resources: []string{"marketsources", "appinfos", "appinstances", "appinstalltasks"},
	Verbs: []string{"get", "list", "watch"},
}

// site is the pages, served for a real API server.
type site struct {
	*testenv.Env

	server  *httptest.Server
	hub     *live.Hub
	link    *session.Link
	reports *reportServer
	// taken contains the connections that handlers have taken from the server.
	taken sync.Map
}

// closeConnections breaks the connections of all browsers.
func (s *site) closeConnections() {
	s.server.CloseClientConnections()
	s.taken.Range(func(conn, _ any) bool {
		_ = conn.(net.Conn).Close() // It can be closed already.
		return true
	})
}

// reportServer serves reports by path, and counts the requests.
type reportServer struct {
	*httptest.Server

	mu     sync.Mutex
	texts  map[string]string
	tokens []string
}

func newReportServer(t *testing.T) *reportServer {
	r := &reportServer{texts: map[string]string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tokens = append(r.tokens, req.Header.Get("Authorization"))
		text, ok := r.texts[req.URL.Path]
		if !ok {
			http.NotFound(w, req)
			return
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *reportServer) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.tokens)
}

// startSite starts the pages with sign-in by token, or by a one-time link if local is set.
func startSite(t *testing.T, local bool, change ...func(*pages.Options)) *site {
	t.Helper()
	return startSiteOf(t, testenv.Start(t), local, func(_ *site, o *pages.Options) {
		for _, each := range change {
			each(o)
		}
	})
}

// startSiteOf starts the pages for an API server.
func startSiteOf(t *testing.T, env *testenv.Env, local bool, change func(*site, *pages.Options)) *site {
	t.Helper()
	g := NewWithT(t)
	s := &site{Env: env, hub: live.NewHub(100), reports: newReportServer(t)}
	cluster, err := kube.New(s.Config, s.hub.Notify)
	g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- cluster.Start(ctx) }()
	g.Expect(cluster.WaitForSync(ctx)).To(BeTrue())
	t.Cleanup(func() {
		cancel()
		NewWithT(t).Expect(<-done).To(Succeed())
	})

	fetcher, err := reports.New(s.reports.URL)
	g.Expect(err).NotTo(HaveOccurred())
	cookies, err := session.NewCookies("appmarket", false)
	g.Expect(err).NotTo(HaveOccurred())
	o := pages.Options{
		Cluster: cluster, Hub: s.hub, Reports: fetcher, Cookies: cookies, SessionMaxAge: time.Hour, Version: "1.2.3", Log: logr.Discard(),
	}
	s.server = httptest.NewUnstartedServer(nil)
	s.server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateHijacked {
			s.taken.Store(conn, nil)
		}
	}
	if local {
		s.link = &session.Link{}
		o.Link, o.LocalAuthority = s.link, s.server.Listener.Addr().String()
	}
	change(s, &o)
	s.server.Config.Handler, err = pages.New(o)
	g.Expect(err).NotTo(HaveOccurred())
	s.server.Start()
	t.Cleanup(func() {
		s.hub.Close()
		s.closeConnections()
		s.server.Close()
	})
	return s
}

// browser is a client with cookies that does not follow redirects.
type browser struct {
	*http.Client

	base string
}

func (s *site) newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return &browser{base: s.server.URL, Client: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a response that was read.
type answer struct {
	*http.Response

	text string
}

// commandWord matches the element that keeps a word of a command on one line. Tests compare commands without it.
var commandWord = regexp.MustCompile(`<span>([^<\s]*-[^<\s]*)</span>`)

func (b *browser) send(t *testing.T, request *http.Request) answer {
	t.Helper()
	g := NewWithT(t)
	response, err := b.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	g.Expect(err).NotTo(HaveOccurred())
	return answer{response, commandWord.ReplaceAllString(string(text), "$1")}
}

func (b *browser) get(t *testing.T, path string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+path, nil)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return b.send(t, request)
}

func (b *browser) post(t *testing.T, path string, form url.Values) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+path, strings.NewReader(form.Encode()))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(t, request)
}

// tokenFor returns a token of a service account.
func (s *site) tokenFor(t *testing.T, namespace, account string) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	o := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}}
	NewWithT(t).Expect(s.Client.SubResource("token").Create(t.Context(), o, request)).To(Succeed())
	return request.Status.Token
}

// signIn returns the browser of a service account that has rules in its namespace.
func (s *site) signIn(t *testing.T, namespace, account string, rules ...rbacv1.PolicyRule) *browser {
	t.Helper()
	s.Allow(t, namespace, account, rules...)
	b := s.newBrowser(t)
	response := b.post(t, "/login", url.Values{"token": {s.tokenFor(t, namespace, account)}})
	NewWithT(t).Expect(response.StatusCode).To(Equal(http.StatusSeeOther), response.text)
	return b
}

// signInAsAdmin returns the browser of the administrator of a local site.
func (s *site) signInAsAdmin(t *testing.T) *browser {
	t.Helper()
	b := s.newBrowser(t)
	response := b.post(t, "/link", url.Values{"code": {s.link.Renew(time.Now())}})
	NewWithT(t).Expect(response.StatusCode).To(Equal(http.StatusSeeOther), response.text)
	return b
}
