package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/uploads"
	"github.com/appmarket/operator/internal/uploads/server"
)

var team = hydrate.Owner{Namespace: "market", Source: "team"}

// reader reads charts as a worker does.
type reader struct{}

func (reader) ReadMetadata(_ context.Context, _ string, archive []byte) (chart.Metadata, error) {
	files, err := chart.Unpack(archive)
	if err != nil {
		return chart.Metadata{}, err
	}
	return chart.ReadMetadata(files)
}

// market is a server for uploads to the source team. A token is a list of verbs, or the name of an
// account that can list the instances of a namespace.
type market struct {
	*testing.T
	url     string
	dir     string
	store   *uploads.Store
	limits  uploads.Limits
	users   []types.NamespacedName
	changed chan hydrate.Owner
	ready   bool
}

func reviewToken(_ context.Context, token string, right access.Right) (access.Decision, error) {
	switch {
	case token == "broken":
		return access.Unauthenticated, errors.New("the API server does not respond")
	case token == "":
		return access.Unauthenticated, nil
	case right.Resource == "appinstances" && strings.Contains(token, right.Namespace):
		return access.Allowed, nil
	case right.Group == "appmarket.io" && right.Resource == "marketsources" && right.Subresource == "upload" &&
		right.Namespace == "market" && strings.Contains(token, right.Verb):
		return access.Allowed, nil
	}
	return access.Forbidden, nil
}

func startMarket(t *testing.T) *market {
	t.Helper()
	return startMarketWithIdle(t, time.Minute)
}

// startMarketWithIdle is startMarket with a time between two reads of an upload.
func startMarketWithIdle(t *testing.T, idle time.Duration) *market {
	t.Helper()
	dir := t.TempDir()
	store, err := uploads.Open(dir, uploads.Options{Reader: reader{}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = store.Close() })
	m := &market{T: t, dir: dir, store: store, changed: make(chan hydrate.Owner, 100), ready: true}
	handler := server.NewHandler(server.Options{
		Store: store, Review: reviewToken, Log: logr.Discard(), Ready: func() bool { return m.ready },
		Source: func(_ context.Context, owner hydrate.Owner) (uploads.Limits, bool, error) {
			return m.limits, owner == team, nil
		},
		Users: func(context.Context, hydrate.Owner, string, string) ([]types.NamespacedName, error) {
			return m.users, nil
		},
		Changed: func(_ context.Context, owner hydrate.Owner) error {
			m.changed <- owner
			return nil
		},
	}, idle, http.NotFoundHandler())
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	m.url = s.URL
	return m
}

// response is a response that was read.
type response struct {
	status int
	header http.Header
	body   string
}

// send sends a request with a token.
func (m *market) send(method, path, token string, content []byte, headers ...string) response {
	m.Helper()
	g := NewWithT(m)
	request, err := http.NewRequestWithContext(m.Context(), method, m.url+path, bytes.NewReader(content))
	g.Expect(err).NotTo(HaveOccurred())
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	got, err := client.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = got.Body.Close() }()
	body, err := io.ReadAll(got.Body)
	g.Expect(err).NotTo(HaveOccurred())
	return response{got.StatusCode, got.Header, string(body)}
}

func newArchive(t *testing.T, name, version, text string) []byte {
	t.Helper()
	archive, err := chart.Pack(name, []chart.File{
		{Name: "Chart.yaml", Data: fmt.Appendf(nil, "apiVersion: v2\nname: %s\nversion: %s\n", name, version)},
		{Name: "templates/a.yaml", Data: []byte("# " + text + "\n")},
	})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return archive
}

const (
	webFile = "/upload/market/team/web-1.0.0.tgz"
	all     = "create,get,delete"
)

func newManifest(archive, config string) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":%q,"size":2},`+
		`"layers":[{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip","digest":%q,"size":9}]}`, config, archive)
}
