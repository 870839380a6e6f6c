package story_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// shopAddress begins every URL of a shop.
var shopAddress = regexp.MustCompile(`http://127\.0\.0\.1:\d+/`)

// A shop is a Helm repository that a story fills and breaks. It notes its visits.
type shop struct {
	*httptest.Server
	// otherwise answers for what is not among the pages.
	otherwise http.Handler

	mu     sync.Mutex
	pages  map[string]http.HandlerFunc
	visits []visit
}

// visit is one request and how it was answered.
type visit struct {
	path, etag    string
	status, bytes int
}

// newShop opens a shop without pages.
func newShop() *shop {
	GinkgoHelper()
	return newShopAt("127.0.0.1:0")
}

// newShopAt opens one at an address.
func newShopAt(address string) *shop {
	GinkgoHelper()
	s := &shop{pages: map[string]http.HandlerFunc{}, otherwise: http.NotFoundHandler()}
	listener, err := net.Listen("tcp", address)
	Expect(err).NotTo(HaveOccurred())
	s.Server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: s}}
	s.Start()
	DeferCleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	page := s.pages[r.URL.Path]
	s.mu.Unlock()
	if page == nil {
		page = s.otherwise.ServeHTTP
	}
	counted := &counter{ResponseWriter: w, status: http.StatusOK}
	page(counted, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visits = append(s.visits, visit{r.URL.Path, r.Header.Get("If-None-Match"), counted.status, counted.bytes})
}

// put answers a path in some way from now on.
func (s *shop) put(path string, page http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = page
}

// since are the visits after the first n.
func (s *shop) since(n int) []visit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.visits[n:])
}

// counter counts what is written.
type counter struct {
	http.ResponseWriter
	status, bytes int
}

func (c *counter) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes += n
	return n, err
}

// Ways to answer.

func gives(content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		tag := fmt.Sprintf(`"%x"`, sha256.Sum256(content))
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(content) // The reader may have seen enough.
	}
}

func givesPage(html string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, html)
	}
}

func answers(status int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		http.Error(w, http.StatusText(status), status)
	}
}

// hangs says nothing until whoever asks gives up.
func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// offered is one version in an index.
type offered struct {
	name, version, url, digest string
}

// offers is an offer of an archive with its digest.
func offers(name, version, url string, archive []byte) offered {
	return offered{name, version, url, fmt.Sprintf("%x", sha256.Sum256(archive))}
}

// indexOf is the index.yaml of what is offered.
func indexOf(all ...offered) []byte {
	var text strings.Builder
	text.WriteString("apiVersion: v1\nentries:\n")
	slices.SortStableFunc(all, func(a, b offered) int { return strings.Compare(a.name, b.name) })
	for i, o := range all {
		if i == 0 || all[i-1].name != o.name {
			fmt.Fprintf(&text, "  %s:\n", o.name)
		}
		fmt.Fprintf(&text, "  - apiVersion: v2\n    name: %s\n    version: %s\n    urls:\n    - %s\n", o.name, o.version, o.url)
		if o.digest != "" {
			fmt.Fprintf(&text, "    digest: %s\n", o.digest)
		}
	}
	return []byte(text.String())
}

// sourceOf makes a source of a shop.
func sourceOf(ctx context.Context, ns, name, url string, change ...func(*v1alpha1.MarketSourceSpec)) *v1alpha1.MarketSource {
	GinkgoHelper()
	source := &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec:       v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: url}},
	}
	for _, c := range change {
		c(&source.Spec)
	}
	Expect(cluster.Create(ctx, source)).To(Succeed())
	return source
}

func sharedByAll(s *v1alpha1.MarketSourceSpec) {
	s.Sharing = &v1alpha1.Sharing{From: v1alpha1.SharingAll}
}

func asOlares(s *v1alpha1.MarketSourceSpec) {
	s.Platform = &v1alpha1.Platform{Profile: v1alpha1.ProfileOlares}
}

// often is the shortest interval there is.
func often(s *v1alpha1.MarketSourceSpec) { s.Interval = "10s" }

// impatient gives up on a request soon.
func impatient(s *v1alpha1.MarketSourceSpec) { s.Timeout = "2s" }
