package registry_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/registry"
)

const (
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	someDigest   = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	configDigest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
)

// serveManifests responds to each request for a manifest, and with 200 to other requests.
func serveManifests(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			answer(w, r)
		}
	}
}

func serveBody(mediaType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = io.WriteString(w, text)
	}
}

func serveStatus(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}
}

func serveRedirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) }
}

func serveChallenge(realm string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q,service=\"s\"", realm))
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// serveEndless sends more than the limit and counts the bytes.
func serveEndless(sent *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", manifestType)
		block := make([]byte, 1<<20)
		for range 64 {
			n, err := w.Write(block)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
}

func manifestWithLayers(sizes ...int64) string {
	var list []string
	for _, size := range sizes {
		list = append(list, fmt.Sprintf(`{"mediaType":"x","digest":%q,"size":%d}`, someDigest, size))
	}
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"x","digest":%q,"size":2},"layers":[%s]}`,
		manifestType, configDigest, strings.Join(list, ","))
}

func indexWithEntries(n int) string {
	one := fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":2,"platform":{"os":"linux","architecture":"amd64"}}`, manifestType, someDigest)
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, indexType, strings.TrimSuffix(strings.Repeat(one+",", n), ","))
}

// serveImageWithConfig serves an image with the configuration.
func serveImageWithConfig(config string) http.HandlerFunc {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(config)))
	manifest := fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"x","digest":%q,"size":%d},"layers":[]}`, digest, len(config))
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			_, _ = io.WriteString(w, config)
			return
		}
		serveManifests(serveBody(manifestType, manifest))(w, r)
	}
}

func TestMalformedResponses(t *testing.T) {
	var sent atomic.Int64
	cases := []struct {
		why    string
		server http.HandlerFunc
		kind   error
	}{
		{"server error", serveStatus(500, "boom at 12:00"), registry.ErrUnusableResponse},
		{"server error for manifests only", serveManifests(serveStatus(503, "")), registry.ErrUnusableResponse},
		{"rate limit", serveStatus(429, ""), registry.ErrRateLimited},
		{"rate limit, by error code only", serveManifests(serveStatus(400, `{"errors":[{"code":"TOOMANYREQUESTS"}]}`)), registry.ErrRateLimited},
		{"unauthorized without a challenge", serveStatus(401, ""), registry.ErrDenied},
		{"forbidden", serveManifests(serveStatus(403, `{"errors":[{"code":"DENIED"}]}`)), registry.ErrDenied},
		{"not a registry", serveStatus(404, "<html>"), registry.ErrUnusableResponse},
		{"a web page instead of a manifest", serveManifests(serveBody("text/html", "<html>")), registry.ErrUnusableResponse},
		{"an endless manifest", serveManifests(serveEndless(&sent)), registry.ErrUnusableResponse},
		{"an endless error", serveEndless(&sent), registry.ErrUnusableResponse},
		{"a length that is too large", serveManifests(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000000")
			w.WriteHeader(http.StatusOK)
		}), registry.ErrUnusableResponse},
		{"an index of too many entries", serveManifests(serveBody(indexType, indexWithEntries(registry.MaxIndexEntries+1))), registry.ErrUnusableResponse},
		{"an empty index", serveManifests(serveBody(indexType, indexWithEntries(0))), registry.ErrUnusableResponse},
		{"an index with entries of another digest", serveManifests(serveBody(indexType, indexWithEntries(1))), registry.ErrUnusableResponse},
		{"an index with invalid entries", serveManifests(serveBody(indexType, `{"manifests":"all"}`)), registry.ErrUnusableResponse},
		{"layers of negative size", serveManifestText(manifestWithLayers(10, -20)), registry.ErrUnusableResponse},
		{"layers whose sum overflows", serveManifestText(manifestWithLayers(1<<62, 1<<62)), registry.ErrUnusableResponse},
		{"a configuration that is not JSON", serveImageWithConfig("<html>"), registry.ErrUnusableResponse},
		{"a platform with a long name", serveImageWithConfig(`{"os":"` + strings.Repeat("x", 1000) + `"}`), registry.ErrUnusableResponse},
		{"an artifact that is not an image", serveManifests(serveBody(manifestType, `{"schemaVersion":2}`)), registry.ErrUnusableResponse},
		{"an image of the oldest format", serveManifests(serveBody("application/vnd.docker.distribution.manifest.v1+json", `{"schemaVersion":1}`)), registry.ErrUnusableResponse},
		{"a connection that breaks", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, registry.ErrUnreachable},
		{"a body that breaks", serveManifests(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		}), registry.ErrUnreachable},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			server := newServer(t, c.server)

			_, err := newClient(t, server).Inspect(t.Context(), host+"/web:1")

			expectUnavailable(g, err, c.kind)
			_, again := newClient(t, newServer(t, c.server)).Inspect(t.Context(), host+"/web:1")
			g.Expect(again).To(MatchError(err.Error()), "the text is the same for each attempt and port")
		})
	}
	NewWithT(t).Expect(sent.Load()).To(BeNumerically("<", 64<<20), "long responses are not read completely")
}

// serveManifestText serves a manifest whose configuration is the empty object.
func serveManifestText(manifest string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			_, _ = io.WriteString(w, "{}")
			return
		}
		serveManifests(serveBody(manifestType, manifest))(w, r)
	}
}

func expectUnavailable(g *WithT, err, kind error) {
	g.Expect(err).To(MatchError(kind))
	g.Expect(outcome.IsStalled(err)).To(BeFalse(), "an unavailable registry is not a property of the image")
	g.Expect(err.Error()).To(HavePrefix("registry " + host + ": "))
	g.Expect(err.Error()).NotTo(Or(ContainSubstring("127.0.0.1"), ContainSubstring("12:00"), ContainSubstring("\n")))
	g.Expect(len(err.Error())).To(BeNumerically("<", 150))
}

func TestForbiddenAddressesAreNeverConnectedTo(t *testing.T) {
	const metadata = "169.254.169.254/latest/meta-data/"
	cases := []struct {
		why    string
		server http.HandlerFunc
	}{
		{"a manifest that redirects", serveManifests(serveRedirect("http://" + metadata))},
		{"a manifest that redirects over https", serveManifests(serveRedirect("https://" + metadata))},
		{"the first response redirects", serveRedirect("http://" + metadata)},
		{"the address in IPv6 notation", serveRedirect("https://[::ffff:169.254.169.254]/")},
		{"the link-local address of IPv6", serveRedirect("https://[fe80::1]/")},
		{"the unspecified address", serveRedirect("https://0.0.0.0/")},
		{"a token realm", serveChallenge("http://" + metadata)},
		{"a token realm over https", serveChallenge("https://" + metadata)},
		{"plain http to a host without permission", serveRedirect("http://other.example/")},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)

			_, err := newClient(t, newServer(t, c.server)).Inspect(t.Context(), host+"/web:1")

			expectUnavailable(g, err, registry.ErrUnusableResponse)
		})
	}
}

func TestRegistryThatHangs(t *testing.T) {
	g := NewWithT(t)
	server := newServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	client := newClient(t, server, func(o *registry.Options) { o.Timeout = 50 * time.Millisecond })

	_, err := client.Inspect(t.Context(), host+"/web:1")

	expectUnavailable(g, err, registry.ErrUnreachable)
}

func TestRegistryThatIsDown(t *testing.T) {
	g := NewWithT(t)
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()

	_, err := newClient(t, server).Inspect(t.Context(), host+"/web:1")

	expectUnavailable(g, err, registry.ErrUnreachable)
}

func TestCanceledCallerIsNotAnErrorOfTheRegistry(t *testing.T) {
	g := NewWithT(t)
	ctx, cancel := context.WithCancel(t.Context())
	server := newServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))

	_, err := newClient(t, server).Inspect(ctx, host+"/web:1")

	g.Expect(err).To(MatchError(context.Canceled))
	g.Expect(err).NotTo(MatchError(registry.ErrUnreachable))
}
