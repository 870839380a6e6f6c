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

// manifests answers every question for a manifest in the same way and says yes to
// the ping before it.
func manifests(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			answer(w, r)
		}
	}
}

func body(mediaType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = io.WriteString(w, text)
	}
}

func status(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) }
}

func challenge(realm string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q,service=\"s\"", realm))
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// endless sends more than anybody should read, and notes how far it came.
func endless(sent *atomic.Int64) http.HandlerFunc {
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

func layers(sizes ...int64) string {
	var list []string
	for _, size := range sizes {
		list = append(list, fmt.Sprintf(`{"mediaType":"x","digest":%q,"size":%d}`, someDigest, size))
	}
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"x","digest":%q,"size":2},"layers":[%s]}`,
		manifestType, configDigest, strings.Join(list, ","))
}

func entries(n int) string {
	one := fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":2,"platform":{"os":"linux","architecture":"amd64"}}`, manifestType, someDigest)
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, indexType, strings.TrimSuffix(strings.Repeat(one+",", n), ","))
}

// withConfig serves an image whose configuration is the text.
func withConfig(config string) http.HandlerFunc {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(config)))
	manifest := fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"x","digest":%q,"size":%d},"layers":[]}`, digest, len(config))
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			_, _ = io.WriteString(w, config)
			return
		}
		manifests(body(manifestType, manifest))(w, r)
	}
}

func TestRegistryThatDoesNotAnswerAsItShould(t *testing.T) {
	var sent atomic.Int64
	cases := []struct {
		why    string
		server http.HandlerFunc
		kind   error
	}{
		{"the server has an error of its own", status(500, "boom at 12:00"), registry.ErrAnswer},
		{"the server has an error for manifests only", manifests(status(503, "")), registry.ErrAnswer},
		{"asked too often", status(429, ""), registry.ErrRateLimited},
		{"asked too often, with a code only", manifests(status(400, `{"errors":[{"code":"TOOMANYREQUESTS"}]}`)), registry.ErrRateLimited},
		{"credentials wanted and no way to give them", status(401, ""), registry.ErrDenied},
		{"forbidden", manifests(status(403, `{"errors":[{"code":"DENIED"}]}`)), registry.ErrDenied},
		{"not a registry at all", status(404, "<html>"), registry.ErrAnswer},
		{"a web page in the place of a manifest", manifests(body("text/html", "<html>")), registry.ErrAnswer},
		{"a manifest that never ends", manifests(endless(&sent)), registry.ErrAnswer},
		{"an error that never ends", endless(&sent), registry.ErrAnswer},
		{"a length that is too large", manifests(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000000")
			w.WriteHeader(http.StatusOK)
		}), registry.ErrAnswer},
		{"an index of too many entries", manifests(body(indexType, entries(registry.MaxIndexEntries+1))), registry.ErrAnswer},
		{"an index of nothing", manifests(body(indexType, entries(0))), registry.ErrAnswer},
		{"an index whose entries are not what their digest says", manifests(body(indexType, entries(1))), registry.ErrAnswer},
		{"an index of another type inside", manifests(body(indexType, `{"manifests":"all"}`)), registry.ErrAnswer},
		{"layers of negative size", withLayers(layers(10, -20)), registry.ErrAnswer},
		{"layers whose sum overflows", withLayers(layers(1<<62, 1<<62)), registry.ErrAnswer},
		{"a configuration that is not JSON", withConfig("<html>"), registry.ErrAnswer},
		{"a platform that fills a status", withConfig(`{"os":"` + strings.Repeat("x", 1000) + `"}`), registry.ErrAnswer},
		{"an artifact that is no image", manifests(body(manifestType, `{"schemaVersion":2}`)), registry.ErrAnswer},
		{"an image of the oldest format", manifests(body("application/vnd.docker.distribution.manifest.v1+json", `{"schemaVersion":1}`)), registry.ErrAnswer},
		{"a connection that breaks", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, registry.ErrUnreachable},
		{"a body that breaks", manifests(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		}), registry.ErrUnreachable},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			server := serve(t, c.server)

			_, err := clientOf(t, server).Inspect(t.Context(), host+"/web:1")

			expectSilence(g, err, c.kind)
			_, again := clientOf(t, serve(t, c.server)).Inspect(t.Context(), host+"/web:1")
			g.Expect(again).To(MatchError(err.Error()), "the text is the same at every attempt and on every port")
		})
	}
	NewWithT(t).Expect(sent.Load()).To(BeNumerically("<", 64<<20), "what is too long is not read to its end")
}

// withLayers serves a manifest whose configuration is the empty object.
func withLayers(manifest string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			_, _ = io.WriteString(w, "{}")
			return
		}
		manifests(body(manifestType, manifest))(w, r)
	}
}

func expectSilence(g *WithT, err, kind error) {
	g.Expect(err).To(MatchError(kind))
	g.Expect(outcome.IsStalled(err)).To(BeFalse(), "a registry that does not answer says nothing of the image")
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
		{"a manifest that redirects", manifests(redirect("http://" + metadata))},
		{"a manifest that redirects over https", manifests(redirect("https://" + metadata))},
		{"the first answer redirects", redirect("http://" + metadata)},
		{"the address in IPv6 notation", redirect("https://[::ffff:169.254.169.254]/")},
		{"the link-local address of IPv6", redirect("https://[fe80::1]/")},
		{"no address", redirect("https://0.0.0.0/")},
		{"a token realm", challenge("http://" + metadata)},
		{"a token realm over https", challenge("https://" + metadata)},
		{"plain http to a host that was not allowed", redirect("http://other.example/")},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)

			_, err := clientOf(t, serve(t, c.server)).Inspect(t.Context(), host+"/web:1")

			expectSilence(g, err, registry.ErrAnswer)
		})
	}
}

func TestRegistryThatHangs(t *testing.T) {
	g := NewWithT(t)
	server := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	client := clientOf(t, server, func(o *registry.Options) { o.Timeout = 50 * time.Millisecond })

	_, err := client.Inspect(t.Context(), host+"/web:1")

	expectSilence(g, err, registry.ErrUnreachable)
}

func TestRegistryThatIsDown(t *testing.T) {
	g := NewWithT(t)
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()

	_, err := clientOf(t, server).Inspect(t.Context(), host+"/web:1")

	expectSilence(g, err, registry.ErrUnreachable)
}

func TestCallerWhoGivesUpBlamesNoRegistry(t *testing.T) {
	g := NewWithT(t)
	ctx, cancel := context.WithCancel(t.Context())
	server := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))

	_, err := clientOf(t, server).Inspect(ctx, host+"/web:1")

	g.Expect(err).To(MatchError(context.Canceled))
	g.Expect(err).NotTo(MatchError(registry.ErrUnreachable))
}
