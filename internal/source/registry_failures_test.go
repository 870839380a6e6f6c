package source_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
)

func TestRegistryFailures(t *testing.T) {
	for _, c := range []struct {
		why    string
		before func(w http.ResponseWriter, r *http.Request) bool
		reason string
		text   string
	}{
		{"the repository does not exist", nil, v1alpha1.ReasonNotFound, "registry returned 404 Not Found: check spec.oci"},
		{"no access", func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/tags/list") {
				w.WriteHeader(http.StatusForbidden)
			}
			return strings.HasSuffix(r.URL.Path, "/tags/list")
		}, v1alpha1.ReasonUnauthorized, "check the credentials in the Secret of spec.oci.secretRef"},
		{"too many requests", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}, v1alpha1.ReasonRateLimited, "registry returned 429 Too Many Requests"},
		{"an endless list of tags", func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/tags/list") {
				return false
			}
			w.Header().Set("Link", `</v2/charts/web/tags/list?last=x>; rel="next"`)
			fmt.Fprintf(w, `{"tags":["%s1.0.0"]}`, strings.Repeat(`1.0.0","`, 5000))
			return true
		}, v1alpha1.ReasonLimitExceeded, "has more than 20000 tags"},
		{"a response that is too large", func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/tags/list") {
				return false
			}
			fmt.Fprint(w, `{"tags":["`)
			_, err := io.Copy(w, io.LimitReader(zeros{}, 8<<20))
			return err != nil || true
		}, v1alpha1.ReasonLimitExceeded, "the response is too large"},
		{"text that is not JSON", func(w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprint(w, "private text")
			return true
		}, v1alpha1.ReasonFetchFailed, "invalid response"},
		{"a token server of another domain", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://tokens.example/token",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}, v1alpha1.ReasonNotAllowed, "token server of another domain"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			r := startRegistry(t)
			r.before = c.before
			_, err := openRegistry(t, source.OCIConfig{URL: "oci://" + r.host + "/charts/web", Username: "me", Password: "pw"}).List(t.Context(), hydrate.Cursor{})
			g.Expect(err).To(MatchError(ContainSubstring(c.text)))
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
			g.Expect(err.Error()).NotTo(ContainSubstring("private"))
		})
	}
}

// zeros is an endless text.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func TestArchiveOfARegistryWithAnotherDigest(t *testing.T) {
	g := NewWithT(t)
	r := startRegistry(t)
	r.push(t, "charts/web", "1.0.0", web("1.0.0"))
	opened := openRegistry(t, source.OCIConfig{URL: "oci://" + r.host + "/charts/web"})
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	offer := listing.Apps[0].Offers[0]
	r.before = func(w http.ResponseWriter, request *http.Request) bool {
		if request.Method == http.MethodGet && strings.Contains(request.URL.Path, "/blobs/") {
			fmt.Fprint(w, "\x1f\x8bforged")
			return true
		}
		return false
	}
	_, err = opened.Fetch(t.Context(), offer)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonFetchFailed))

	offer.URL = "oci://" + r.host + "/secrets/other:1.0.0"
	_, err = opened.Fetch(t.Context(), offer)
	g.Expect(err).To(MatchError(ContainSubstring("does not belong to a repository of the source")))
}

func TestCredentialsOfARegistry(t *testing.T) {
	g := NewWithT(t)
	r := startRegistry(t)
	r.push(t, "charts/web", "1.0.0", web("1.0.0"))
	var elsewhere string
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		elsewhere += request.Header.Get("Authorization")
		fmt.Fprint(w, "stored")
	}))
	t.Cleanup(storage.Close)
	r.before = func(w http.ResponseWriter, request *http.Request) bool {
		user, password, ok := request.BasicAuth()
		switch {
		case !ok || user != "me" || password != "pw":
			w.Header().Set("WWW-Authenticate", `Basic realm="charts"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		case request.Method == http.MethodGet && strings.Contains(request.URL.Path, "/blobs/"):
			http.Redirect(w, request, storage.URL+"/blob", http.StatusTemporaryRedirect)
			return true
		}
		return false
	}
	_, err := openRegistry(t, source.OCIConfig{URL: "oci://" + r.host + "/charts/web"}).List(t.Context(), hydrate.Cursor{})
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonUnauthorized))

	_, err = openRegistry(t, source.OCIConfig{URL: "oci://" + r.host + "/charts/web", Username: "me", Password: "pw"}).List(t.Context(), hydrate.Cursor{})
	g.Expect(err).To(HaveOccurred(), "the content of the other server has another digest")
	g.Expect(elsewhere).To(BeEmpty(), "credentials are not sent to the server to which the registry redirects")
}

func TestInvalidRegistryURLs(t *testing.T) {
	for _, url := range []string{"https://registry.example/web", "oci://", "oci://web", "oci://registry.example/web:1.0.0", "oci://registry.example/web@sha256:0", "oci://registry.example/Web"} {
		_, err := source.Open(source.Config{OCI: &source.OCIConfig{URL: url}})
		NewWithT(t).Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidSpec), url)
	}
	_, err := source.Open(source.Config{OCI: &source.OCIConfig{URL: "oci://registry.example/charts", Charts: []string{"../web"}}})
	NewWithT(t).Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidSpec))
	_, err = source.Open(source.Config{OCI: &source.OCIConfig{URL: "oci://registry.example/web"}, Directory: &source.DirectoryConfig{Path: "/charts"}})
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("exactly one of helm, oci, git, olares, artifact, directory and upload must be set")))
}
