package uploadclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/uploadclient"
	"github.com/appmarket/operator/internal/uploads"
	"github.com/appmarket/operator/internal/uploads/server"
)

// reader reads charts as a worker does.
type reader struct{}

func (reader) ReadMetadata(_ context.Context, _ string, archive []byte) (chart.Metadata, error) {
	files, err := chart.Unpack(archive)
	if err != nil {
		return chart.Metadata{}, err
	}
	return chart.ReadMetadata(files)
}

// startSource serves the uploads of the source market/team for the token "token".
func startSource(t *testing.T) string {
	t.Helper()
	store, err := uploads.Open(t.TempDir(), uploads.Options{Reader: reader{}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	s := httptest.NewServer(server.Handler(server.Options{
		Store: store, Log: logr.Discard(), Ready: func() bool { return true },
		Review: func(_ context.Context, token string, _ access.Right) (access.Decision, error) {
			if token != "token" {
				return access.Forbidden, nil
			}
			return access.Allowed, nil
		},
		Source: func(context.Context, hydrate.Owner) (uploads.Limits, bool, error) { return uploads.Limits{}, true, nil },
		Users:  func(context.Context, hydrate.Owner, string, string) ([]types.NamespacedName, error) { return nil, nil },
		Changed: func(context.Context, hydrate.Owner) error {
			return nil
		},
	}, http.NotFoundHandler()))
	t.Cleanup(func() {
		s.Close()
		_ = store.Close()
	})
	return s.URL + "/upload/market/team/"
}

func newArchive(t *testing.T, text string) []byte {
	t.Helper()
	archive, err := chart.Pack("web", []chart.File{
		{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")}, {Name: "README.md", Data: []byte(text)},
	})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return archive
}

// cuttingTransport cuts the content of the first requests with content, and counts the bytes that it
// sends.
type cuttingTransport struct{ cuts, sent int }

func (c *cuttingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		limit := r.ContentLength
		if c.cuts > 0 {
			c.cuts--
			limit /= 2
		}
		r = r.Clone(r.Context())
		r.Body = &cutBody{from: r.Body, left: limit, cut: limit < r.ContentLength, sent: &c.sent}
	}
	return http.DefaultTransport.RoundTrip(r)
}

type cutBody struct {
	from io.ReadCloser
	left int64
	cut  bool
	sent *int
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.cut && b.left == 0 {
		return 0, errors.New("the connection is cut")
	}
	if b.cut {
		p = p[:min(int64(len(p)), b.left)]
	}
	n, err := b.from.Read(p)
	b.left -= int64(n)
	*b.sent += n
	return n, err
}

func (b *cutBody) Close() error { return b.from.Close() }

func TestPush(t *testing.T) {
	g := NewWithT(t)
	url, archive := startSource(t), newArchive(t, "text")
	var shown []string
	cutting := &cuttingTransport{cuts: 3}
	c := &uploadclient.Client{
		URL: url, Token: "token", HTTP: uploadclient.NewHTTPClient(cutting), Delay: time.Millisecond,
		Progress: func(sent, total int) { shown = append(shown, fmt.Sprint(sent, "/", total)) },
	}
	g.Expect(c.Push(t.Context(), "web-1.0.0.tgz", archive)).To(Equal(uploadclient.Created), "in spite of three interruptions")
	g.Expect(cutting.cuts).To(BeZero())
	g.Expect(shown[len(shown)-1]).To(Equal(fmt.Sprint(len(archive), "/", len(archive))))
	sent := cutting.sent
	g.Expect(c.Push(t.Context(), "web-1.0.0.tgz", archive)).To(Equal(uploadclient.Unchanged))
	g.Expect(cutting.sent).To(Equal(sent), "known bytes are not sent again")

	_, err := c.Push(t.Context(), "web-1.0.0.tgz", newArchive(t, "other"))
	g.Expect(err).To(MatchError(ContainSubstring("allowOverwrite")))
	_, err = c.Push(t.Context(), "api-1.0.0.tgz", newArchive(t, "other"))
	g.Expect(err).To(MatchError(ContainSubstring("api-1.0.0.tgz")))
	c.Token = "another"
	_, err = c.Push(t.Context(), "web-1.0.0.tgz", archive)
	g.Expect(err).To(MatchError(HavePrefix("forbidden")))
}

func TestPushEndsIfTheServerIsNotAvailable(t *testing.T) {
	g := NewWithT(t)
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	c := &uploadclient.Client{URL: s.URL + "/", HTTP: uploadclient.NewHTTPClient(http.DefaultTransport), Delay: time.Millisecond}
	_, err := c.Push(t.Context(), "web-1.0.0.tgz", newArchive(t, "text"))
	g.Expect(err).To(MatchError(ContainSubstring("after 5 attempts")))
}

func TestChartsAreListedAndDeleted(t *testing.T) {
	g := NewWithT(t)
	url, archive := startSource(t), newArchive(t, "text")
	c := &uploadclient.Client{URL: url, Token: "token", HTTP: uploadclient.NewHTTPClient(http.DefaultTransport)}
	g.Expect(c.List(t.Context())).To(BeEmpty())
	g.Expect(c.Push(t.Context(), "web-1.0.0.tgz", archive)).To(Equal(uploadclient.Created))
	digest := chart.Digest(archive)
	g.Expect(c.List(t.Context())).To(ConsistOf(And(
		HaveField("File", "web-1.0.0.tgz"), HaveField("Name", "web"), HaveField("Version", "1.0.0"), HaveField("Digest", digest), HaveField("Size", BeEquivalentTo(len(archive))))))
	g.Expect(c.Has(t.Context(), "web-1.0.0.tgz", digest)).To(BeTrue())
	g.Expect(c.Has(t.Context(), "web-1.0.0.tgz", chart.Digest(nil))).To(BeFalse(), "another digest")
	_, err := c.Has(t.Context(), "web-1.0.0.tgz?digest=x", digest)
	g.Expect(err).To(HaveOccurred(), "a name that contains a query")
	g.Expect(c.Delete(t.Context(), "../team/web-1.0.0.tgz")).NotTo(Succeed(), "a name that contains a path")
	g.Expect(c.Delete(t.Context(), "web-1.0.0.tgz")).To(Succeed())
	g.Expect(c.Delete(t.Context(), "web-1.0.0.tgz")).To(MatchError("not found"))

	c.Token = "another"
	_, err = c.List(t.Context())
	g.Expect(err).To(MatchError(HavePrefix("forbidden")))
	_, err = c.Has(t.Context(), "web-1.0.0.tgz", digest)
	g.Expect(err).To(HaveOccurred())
}
