package pages_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/uploads"
	"github.com/appmarket/operator/internal/uploads/server"
	"github.com/appmarket/operator/test/testenv"
	"github.com/appmarket/operator/ui/pages"
)

// publisher is the rule of the role appmarket-publisher for uploads.
var publisher = rbacv1.PolicyRule{APIGroups: []string{"appmarket.io"}, Resources: []string{"marketsources/upload"}, Verbs: []string{"get", "create", "delete"}}

// chartReader reads charts as a worker does.
type chartReader struct{}

func (chartReader) ReadMetadata(_ context.Context, _ string, archive []byte) (chart.Metadata, error) {
	files, err := chart.Unpack(archive)
	if err != nil {
		return chart.Metadata{}, err
	}
	return chart.ReadMetadata(files)
}

// uploadServer serves uploads to every source, and reviews tokens at the API server.
type uploadServer struct {
	*httptest.Server

	// user is an instance that has installed every chart, nil if there is none.
	user atomic.Pointer[types.NamespacedName]
	// received counts the requests.
	received atomic.Int32
}

func startUploads(t *testing.T) *uploadServer {
	t.Helper()
	g, s := NewWithT(t), &uploadServer{}
	reviewer, err := access.New(testenv.Start(t).Config, access.Options{Audience: "appmarket.io"})
	g.Expect(err).NotTo(HaveOccurred())
	store, err := uploads.Open(t.TempDir(), uploads.Options{Reader: chartReader{}})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = store.Close() })
	repository := server.Handler(server.Options{
		Store: store, Review: reviewer.Review, Log: logr.Discard(), Ready: func() bool { return true },
		Source: func(context.Context, hydrate.Owner) (uploads.Limits, bool, error) { return uploads.Limits{}, true, nil },
		Users: func(context.Context, hydrate.Owner, string, string) ([]types.NamespacedName, error) {
			if user := s.user.Load(); user != nil {
				return []types.NamespacedName{*user}, nil
			}
			return nil, nil
		},
		Changed: func(context.Context, hydrate.Owner) error { return nil },
	}, http.NotFoundHandler())
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.received.Add(1)
		repository.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// addUploadSource creates a source of type Upload.
func (w world) addUploadSource(t *testing.T, namespace, name string) {
	t.Helper()
	w.Create(t, &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeUpload, Upload: &v1alpha1.UploadSource{}},
	})
}

// uploadWorld is a world with the source team of type Upload.
type uploadWorld struct {
	world

	uploads *uploadServer
}

func newUploadWorld(t *testing.T, local bool) uploadWorld {
	t.Helper()
	s := startUploads(t)
	w := uploadWorld{newWorld(t, local, func(o *pages.Options) { o.RepositoryURL = s.URL }), s}
	w.addUploadSource(t, w.market, "team")
	return w
}

// page returns the path of the page that uploads charts.
func (w uploadWorld) page() string { return "/sources/" + w.market + "/team/upload" }

// newArchive returns the archive of version 1.0.0 of the chart web, whose content differs by the text.
func newArchive(t *testing.T, text string) []byte {
	t.Helper()
	archive, err := chart.Pack("web", []chart.File{
		{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")}, {Name: "templates/a.yaml", Data: []byte("# " + text + "\n")},
	})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return archive
}

// newUpload returns the request that a browser sends for the form.
func (b *browser) newUpload(t *testing.T, path, account, file string, content []byte) *http.Request {
	t.Helper()
	g := NewWithT(t)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if account != "" {
		g.Expect(form.WriteField("account", account)).To(Succeed())
	}
	part, err := form.CreateFormFile("chart", file)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = part.Write(content)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(form.Close()).To(Succeed())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+path, &body)
	g.Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", form.FormDataContentType())
	return request
}

func TestChartIsUploadedListedAndDeleted(t *testing.T) {
	g, w := NewWithT(t), newUploadWorld(t, false)
	b := w.signIn(t, w.market, "admin", append(marketAdmin[:2:2], publisher)...)
	shows(t, b, "/sources/"+w.market+"/team", "Upload charts")
	shows(t, b, w.page(), "No chart was uploaded", `enctype="multipart/form-data"`, "kubectl market push web-1.0.0.tgz --to team", "/"+w.market+"/team")

	archive := newArchive(t, "a")
	known := w.page() + "/known?" + url.Values{"file": {"web-1.0.0.tgz"}, "digest": {chart.Digest(archive)}}.Encode()
	g.Expect(b.get(t, known).text).To(BeEmpty())
	uploaded := b.send(t, b.newUpload(t, w.page(), "", "web-1.0.0.tgz", archive))
	g.Expect(uploaded.StatusCode).To(Equal(http.StatusSeeOther), uploaded.text)
	next := uploaded.Header.Get("Location")
	g.Expect(b.get(t, next).text).To(And(ContainSubstring("web-1.0.0.tgz was uploaded"), ContainSubstring("Delete web-1.0.0.tgz")))
	g.Expect(b.get(t, w.page()+"?uploaded=web-9.9.9.tgz").text).NotTo(ContainSubstring("web-9.9.9.tgz"), "a link cannot announce a chart that does not exist")

	next = b.get(t, known).text
	g.Expect(next).To(HavePrefix(w.page()+"?"), "known bytes are not sent again")
	g.Expect(b.get(t, next).text).To(ContainSubstring("already has web-1.0.0.tgz"))
	again := b.send(t, b.newUpload(t, w.page(), "", "web-1.0.0.tgz", archive))
	g.Expect(again.Header.Get("Location")).To(Equal(next), "without JavaScript, the server asks the repository")
	changed := b.send(t, b.newUpload(t, w.page(), "", "web-1.0.0.tgz", newArchive(t, "b")))
	g.Expect(changed.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(changed.text).To(ContainSubstring("allowOverwrite"), "the message of the repository")

	deletion := "/sources/" + w.market + "/team/charts/web-1.0.0.tgz/delete"
	g.Expect(b.get(t, deletion).text).To(ContainSubstring("<h1>Delete web-1.0.0.tgz</h1>"))
	w.uploads.user.Store(&types.NamespacedName{Namespace: w.market, Name: "wiki"})
	refused := b.post(t, deletion, nil)
	g.Expect(refused.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(refused.text).To(ContainSubstring("installed by " + w.market + "/wiki"))
	w.uploads.user.Store(nil)
	g.Expect(b.post(t, deletion, nil).Header.Get("Location")).To(Equal(w.page()))
	g.Expect(b.get(t, w.page()).text).To(ContainSubstring("No chart was uploaded"))
}

func TestUploadsThatAreNotAccepted(t *testing.T) {
	w := newUploadWorld(t, false)
	b := w.signIn(t, w.market, "admin", append(marketAdmin[:2:2], publisher)...)
	reader := w.signIn(t, w.market, "reader", viewer)
	archive := newArchive(t, "a")
	for _, c := range []struct {
		why     string
		from    *browser
		request func(*testing.T) *http.Request
		status  int
		text    string
	}{
		{"no file", b, func(t *testing.T) *http.Request { return b.newUpload(t, w.page(), "", "", nil) }, http.StatusUnprocessableEntity, "Select the archive"},
		{"an empty file", b, func(t *testing.T) *http.Request { return b.newUpload(t, w.page(), "", "web-1.0.0.tgz", nil) }, http.StatusUnprocessableEntity, "Select the archive"},
		{"another file", b, func(t *testing.T) *http.Request { return b.newUpload(t, w.page(), "", "web.zip", archive) }, http.StatusUnprocessableEntity, "name of the file"},
		{"a name with a query", b, func(t *testing.T) *http.Request {
			return b.newUpload(t, w.page(), "", "web-1.0.0.tgz?digest=x", archive)
		}, http.StatusUnprocessableEntity, "name of the file"},
		{"a large file", b, func(t *testing.T) *http.Request {
			return b.newUpload(t, w.page(), "", "web-1.0.0.tgz", make([]byte, 16<<20+1))
		}, http.StatusUnprocessableEntity, "larger than 16 MiB"},
		{"an empty body", b, func(t *testing.T) *http.Request {
			request := b.newUpload(t, w.page(), "", "web-1.0.0.tgz", archive)
			request.Body, request.ContentLength = http.NoBody, 0
			return request
		}, http.StatusUnprocessableEntity, "Select the archive"},
		{"a form of another type", b, func(t *testing.T) *http.Request {
			request := b.newUpload(t, w.page(), "", "web-1.0.0.tgz", archive)
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return request
		}, http.StatusBadRequest, "form"},
		{"another site", b, func(t *testing.T) *http.Request {
			request := b.newUpload(t, w.page(), "", "web-1.0.0.tgz", archive)
			request.Header.Set("Origin", "https://evil.example")
			return request
		}, http.StatusForbidden, "cross-origin"},
		{"a user without the permission", reader, func(t *testing.T) *http.Request {
			return b.newUpload(t, w.page(), "", "web-1.0.0.tgz", archive)
		}, http.StatusUnprocessableEntity, "--clusterrole=appmarket-publisher"},
		{"a user without the permission who does not send the archive", reader, func(t *testing.T) *http.Request {
			request := b.newUpload(t, w.page(), "", "web-1.0.0.tgz", archive)
			request.Body, request.ContentLength = readCloser{func([]byte) (int, error) {
				<-request.Context().Done()
				return 0, io.EOF
			}}, -1
			return request
		}, http.StatusUnprocessableEntity, "--clusterrole=appmarket-publisher"},
		{"a user who is not signed in", w.newBrowser(t), func(t *testing.T) *http.Request {
			return b.newUpload(t, w.page(), "", "web-1.0.0.tgz", archive)
		}, http.StatusUnauthorized, "sign in"},
		{"a source of another type", b, func(t *testing.T) *http.Request {
			return b.newUpload(t, "/sources/"+w.market+"/samples/upload", "", "web-1.0.0.tgz", archive)
		}, http.StatusNotFound, "not of type Upload"},
		{"an archive that is not a chart", b, func(t *testing.T) *http.Request {
			return b.newUpload(t, w.page(), "", "web-1.0.0.tgz", []byte("text"))
		}, http.StatusUnprocessableEntity, "archive"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			got := c.from.send(t, c.request(t))
			g.Expect(got.StatusCode).To(Equal(c.status), got.text)
			g.Expect(got.text).To(ContainSubstring(c.text))
			g.Expect(b.get(t, w.page()).text).To(ContainSubstring("No chart was uploaded"))
		})
	}
	g := NewWithT(t)
	before := w.uploads.received.Load()
	g.Expect(b.post(t, "/sources/"+w.market+"/team/charts/web%2F..%2F..%2Fother/delete", nil).StatusCode).To(Equal(http.StatusNotFound), "a file that is a path")
	g.Expect(w.uploads.received.Load()).To(Equal(before), "the repository is not asked")
	g.Expect(reader.get(t, w.page()).text).To(ContainSubstring("marketsources/upload is missing"))
}

// TestUploadWithAServiceAccount uploads as a user without a token, with the token of a service account.
func TestUploadWithAServiceAccount(t *testing.T) {
	g, w := NewWithT(t), newUploadWorld(t, true)
	w.Allow(t, w.market, "publisher", publisher)
	b, archive := w.signInAsAdmin(t), newArchive(t, "a")
	shows(t, b, w.page(), "Enter a service account")
	for account, text := range map[string]string{"": "Enter a service account.", "absent": `&#34;absent&#34; not found`, "../../pods/x": "Enter a service account."} {
		got := b.send(t, b.newUpload(t, w.page(), account, "web-1.0.0.tgz", archive))
		g.Expect(got.StatusCode).To(Equal(http.StatusUnprocessableEntity), account)
		g.Expect(got.text).To(ContainSubstring(text))
	}
	uploaded := b.send(t, b.newUpload(t, w.page(), "publisher", "web-1.0.0.tgz", archive))
	g.Expect(uploaded.StatusCode).To(Equal(http.StatusSeeOther), uploaded.text)
	g.Expect(b.get(t, uploaded.Header.Get("Location")).text).To(And(ContainSubstring("web-1.0.0.tgz was uploaded"), ContainSubstring("/delete?account=publisher")))
}

// TestOneUploadOfAUser starts an upload that does not end, and then another one in another session of the user.
func TestOneUploadOfAUser(t *testing.T) {
	g, w := NewWithT(t), newUploadWorld(t, false)
	b := w.signIn(t, w.market, "admin", append(marketAdmin[:2:2], publisher)...)
	// The API server learns of the new permissions a moment after they were written.
	g.Eventually(func() int {
		return b.send(t, b.newUpload(t, w.page(), "", "web-1.0.0.tgz", newArchive(t, "a"))).StatusCode
	}).WithTimeout(30 * time.Second).Should(Equal(http.StatusSeeOther))
	slow := b.newUpload(t, w.page(), "", "web-1.0.0.tgz", newArchive(t, "a"))
	reading, ctx := make(chan struct{}), slow.Context()
	ended := make(chan error, 1)
	slow.Body, slow.ContentLength = readCloser{func(p []byte) (int, error) {
		select {
		case reading <- struct{}{}:
			return copy(p, "--"), nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}}, -1 // With a length, the client would wait for more bytes before it sends any.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		response, err := b.Do(slow.WithContext(ctx))
		if err == nil {
			err = fmt.Errorf("unexpected status %d", response.StatusCode)
			_ = response.Body.Close()
		}
		ended <- err
	}()
	for range 2 { // The first part was sent when the second one is read.
		<-reading
	}
	time.Sleep(time.Second) // If the other upload were received first, the slow one would be refused.
	second := w.newBrowser(t)
	g.Expect(second.post(t, "/login", url.Values{"token": {w.tokenFor(t, w.market, "admin")}}).StatusCode).To(Equal(http.StatusSeeOther))
	refused := second.send(t, second.newUpload(t, w.page(), "", "web-1.0.0.tgz", newArchive(t, "a")))
	g.Expect(refused.StatusCode).To(Equal(http.StatusTooManyRequests))
	g.Expect(refused.text).To(ContainSubstring("Too many uploads"), "the limit of uploads, not of requests")
	cancel()
	g.Expect((<-ended).Error()).To(ContainSubstring("context canceled"))
	g.Eventually(func() int {
		return b.send(t, b.newUpload(t, w.page(), "", "web-1.0.0.tgz", newArchive(t, "a"))).StatusCode
	}).WithTimeout(30*time.Second).Should(Equal(http.StatusSeeOther), "the slot is free again")
	// The requests before may have reached the limit of the session.
	g.Eventually(func() int { return strings.Count(b.get(t, w.page()).text, "Delete web-1.0.0.tgz") }).WithTimeout(30 * time.Second).Should(Equal(1))
}

// readCloser is a body that is read by a function.
type readCloser struct{ read func([]byte) (int, error) }

func (r readCloser) Read(p []byte) (int, error) { return r.read(p) }
func (readCloser) Close() error                 { return nil }
