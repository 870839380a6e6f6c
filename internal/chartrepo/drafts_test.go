package chartrepo_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/chartrepo"
)

// TestDrafts publishes a listed app and a draft of a source that is shared with all namespaces.
func TestDrafts(t *testing.T) {
	g := NewWithT(t)
	var isListed atomic.Bool
	store := openStoreWith(t, t.TempDir(), chartrepo.Options{
		Indexed: func(_ hydrate.Owner, app, _ string) bool { return app != "draft" || isListed.Load() },
	})
	owner := hydrate.Owner{Namespace: "market", Source: "main"}
	publication := newPublication(t, owner, "draft", "1.0.0")
	publication.Reports = map[string][]byte{"values.yaml": []byte("draft: true\n")}
	published := publishAll(t, store, newPublication(t, owner, "web", "1.0.0"), publication)[1]
	handler := chartrepo.Handler(store, chartrepo.HandlerOptions{
		Review: func(_ context.Context, token string, of hydrate.Owner, app string) (access.Decision, error) {
			switch {
			case token == goodToken && of == owner && app == "draft":
				return access.Allowed, nil
			case token == "":
				return access.Unauthenticated, nil
			}
			return access.Forbidden, nil
		},
	})
	get := func(path, token string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodGet, path, nil)
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		return response
	}
	indexes := []string{"/market/main/index.yaml", "/index.yaml", "/static-index.yaml", "/charts/index.yaml"}
	archive, report := "/"+published.Chart, "/"+published.Report+"/values.yaml"
	for _, path := range indexes {
		g.Expect(get(path, goodToken).Body.String()).To(And(ContainSubstring("web"), Not(ContainSubstring("draft"))), path)
	}
	for _, path := range []string{archive, report} {
		g.Expect(get(path, "").Code).To(Equal(http.StatusUnauthorized), path)
		g.Expect(get(path, otherToken).Code).To(Equal(http.StatusForbidden), path)
		reviewed := get(path, goodToken)
		g.Expect(reviewed.Code).To(Equal(http.StatusOK), path)
		g.Expect(reviewed.Header().Get("Cache-Control")).To(ContainSubstring("private"), path)
	}
	for _, path := range []string{"/charts/draft-1.0.0.tgz", "/values/draft/1.0.0/values.yaml"} {
		g.Expect(get(path, goodToken).Code).To(Equal(http.StatusNotFound), path)
	}

	isListed.Store(true)
	store.RefreshIndex(owner)
	for _, path := range indexes {
		g.Expect(get(path, "").Body.String()).To(ContainSubstring("draft"), path)
	}
	for _, path := range []string{archive, report, "/charts/draft-1.0.0.tgz", "/values/draft/1.0.0/values.yaml"} {
		g.Expect(get(path, "").Code).To(Equal(http.StatusOK), path)
	}
}
