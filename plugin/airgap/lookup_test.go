package airgap

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	registryserver "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/plugin/hydration"
)

// password is the password of the user in the docker config of the tests.
const password = "s3cret"

// startRegistry starts a registry, and returns its address.
func startRegistry(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func newRegistry() http.Handler {
	return registryserver.New(registryserver.Logger(log.New(io.Discard, "", 0)))
}

// pushImage pushes an image, and returns its digest.
func pushImage(t *testing.T, reference string) string {
	t.Helper()
	g := NewWithT(t)
	image, err := random.Image(1000, 2)
	g.Expect(err).NotTo(HaveOccurred())
	ref, err := name.ParseReference(reference)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(remote.Write(ref, image)).To(Succeed())
	digest, err := image.Digest()
	g.Expect(err).NotTo(HaveOccurred())
	return digest.String()
}

// requirePassword wraps a registry that requires the password.
func requirePassword(registry http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, got, _ := r.BasicAuth(); got != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		registry.ServeHTTP(w, r)
	})
}

// writeDockerConfig makes a file the docker config of the user, with the password for these registries.
func writeDockerConfig(t *testing.T, registries ...string) {
	t.Helper()
	var entries []string
	for _, registry := range registries {
		entries = append(entries, fmt.Sprintf(`%q: {"auth": %q}`, registry, base64.StdEncoding.EncodeToString([]byte("jane:"+password))))
	}
	writeUserFile(t, `{"auths": {`+strings.Join(entries, ",")+`}}`)
}

func writeUserFile(t *testing.T, config string) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("DOCKER_CONFIG", filepath.Join(home, ".docker"))
	NewWithT(t).Expect(os.Mkdir(filepath.Join(home, ".docker"), 0o700)).To(Succeed())
	NewWithT(t).Expect(os.WriteFile(filepath.Join(home, ".docker", "config.json"), []byte(config), 0o600)).To(Succeed())
}

// collectImages collects an app with images, and with images that it uses with other values.
func collectImages(t *testing.T, list string, other ...string) *Content {
	t.Helper()
	g := NewWithT(t)
	repository := files{}
	app := repository.add("web", "1.0.0", list, none)
	inspector, err := hydration.NewUserInspector()
	g.Expect(err).NotTo(HaveOccurred())
	c := Collector{
		Repository: repository, Inspector: inspector, Report: func(string, string) {}, ReportLookups: func(int) {},
		FindImages: func(context.Context, *Chart) ([]hydration.ValuesImages, error) {
			found := hydration.ValuesImages{File: "ci/a-values.yaml"}
			for _, name := range other {
				found.Images = append(found.Images, images.Image{Name: name})
			}
			return []hydration.ValuesImages{found}, nil
		},
	}
	content, err := c.Collect(t.Context(), []Request{{App: app}})
	g.Expect(err).NotTo(HaveOccurred())
	return content
}

func TestImagesAreLookedUp(t *testing.T) {
	g := NewWithT(t)
	open, closed := startRegistry(t, newRegistry()), newRegistry()
	public, pinned := pushImage(t, open+"/proxy:1"), pushImage(t, open+"/pinned:1")
	private := pushImage(t, startRegistry(t, closed)+"/team/db:1")
	guarded := startRegistry(t, requirePassword(closed))
	writeDockerConfig(t, guarded)
	known := "sha256:" + hexDigest("web")
	list := fmt.Sprintf(`[{"name":"unreachable.example/web:1","detail":{"digest":%q}},{"name":"%s/team/db:1","problem":"access denied"}]`, known, guarded)
	content := collectImages(t, list, open+"/proxy:1", open+"/missing:2", open+"/pinned@"+pinned)

	digests, problems := map[string]string{}, map[string]string{}
	for _, image := range content.Images {
		digests[image.Name] = image.Digest
		if image.Problem != "" {
			problems[image.Name] = image.Problem
		}
	}
	g.Expect(digests).To(Equal(map[string]string{
		"unreachable.example/web:1": known, guarded + "/team/db:1": private, open + "/proxy:1": public, open + "/missing:2": "", open + "/pinned@" + pinned: pinned,
	}), "the image whose digest the market knows is not looked up")
	g.Expect(problems).To(Equal(map[string]string{open + "/missing:2": "registry " + open + `: image "missing:2" not found; check its name and tag`}))
	g.Expect(content.ImageBytes).To(BeNumerically(">", 6000), "two layers of each of three images")
	g.Expect(content.Unsized).To(Equal(2), "the image of which the market knows only the digest, and the missing one")
	g.Expect(content.Readme()).To(ContainSubstring("images.lock.yml does not contain them:\n\n     " + open + "/missing:2\n       registry " + open))

	folder := filepath.Join(t.TempDir(), "bundle")
	g.Expect(content.Write(folder, false)).To(Succeed())
	lock, err := os.ReadFile(filepath.Join(folder, "images.lock.yml"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(lock)).To(And(ContainSubstring("image: "+open+"/proxy@"+public+"\n"), ContainSubstring("image: "+guarded+"/team/db@"+private+"\n"), Not(ContainSubstring("missing"))))
	var parsed struct {
		APIVersion, Kind string
		Images           []struct {
			Image       string
			Annotations map[string]string
		}
	}
	g.Expect(yaml.UnmarshalStrict(lock, &parsed)).To(Succeed(), "imgpkg rejects other fields")
	g.Expect(parsed.Images).To(HaveLen(4))
	for _, image := range parsed.Images {
		_, err := name.NewDigest(image.Image)
		g.Expect(err).NotTo(HaveOccurred(), "imgpkg rejects other references")
	}
	g.Expect(os.ReadFile(filepath.Join(folder, "hauler.yaml"))).To(ContainSubstring("  - name: " + open + "/missing:2\n"))
}

func TestFailedLookups(t *testing.T) {
	var mu sync.Mutex
	var leaked []string
	elsewhere := startRegistry(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		leaked = append(leaked, r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusNotFound)
	}))
	for _, c := range []struct {
		why     string
		handler http.HandlerFunc
		want    string
	}{
		{"a redirect to another server", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+elsewhere+r.URL.Path, http.StatusFound)
		}, `image "web:1" not found`},
		{"a large body", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			_, _ = io.Copy(w, strings.NewReader(strings.Repeat("a", 5<<20))) // The client closes the connection.
		}, "more than 4194304 bytes"},
		{"a rate limit", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, "rate limit exceeded"},
		{"an error with the password", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"errors": [{"code": "DENIED", "message": %q}]}`, r.Header.Get("Authorization")+password)
		}, `access to "web:1" denied with the credentials of the docker config, or the repository does not exist`},
		{"another digest", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("0", 64))
			fmt.Fprint(w, "{}")
		}, "response is not the requested manifest"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			registry := startRegistry(t, requirePassword(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v2/" {
					c.handler(w, r)
				}
			})))
			writeDockerConfig(t, registry)
			content := collectImages(t, "[]", registry+"/web:1")
			g.Expect(content.Images).To(HaveLen(1))
			g.Expect(content.Images[0].Digest).To(BeEmpty())
			g.Expect(content.Images[0].Problem).To(And(HavePrefix("registry "+registry+": "), ContainSubstring(c.want), Not(ContainSubstring(password))))
			g.Expect(content.Readme()).To(ContainSubstring(c.want))
		})
	}
	NewWithT(t).Expect(leaked).To(And(Not(BeEmpty()), HaveEach(BeEmpty())), "credentials are not sent to another server")
}

func TestLookupsWithoutCredentials(t *testing.T) {
	g := NewWithT(t)
	registry := startRegistry(t, requirePassword(newRegistry()))
	writeDockerConfig(t, "other.example")
	g.Expect(collectImages(t, "[]", registry+"/web:1").Images[0].Problem).To(HaveSuffix("requires credentials, or the repository does not exist; sign in with docker login"))
	writeUserFile(t, `{"auths": "`+password+`"}`)
	g.Expect(collectImages(t, "[]", registry+"/web:1").Images[0].Problem).To(
		Equal("read credentials for registry " + registry + ": the docker config or its credential helper cannot be read; run docker login"))
}

// countingInspector counts lookups, each of which fails.
type countingInspector struct {
	mu    sync.Mutex
	count int
}

func (i *countingInspector) Inspect(context.Context, string) (images.Detail, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count++
	return images.Detail{}, errors.New("no response")
}

func TestLookupsAreLimited(t *testing.T) {
	g := NewWithT(t)
	repository := files{}
	var list []string
	for i := range maxLookups + 10 {
		list = append(list, fmt.Sprintf("r.io/web:%04d", i))
	}
	inspector, reported := &countingInspector{}, 0
	c := Collector{Repository: repository, Inspector: inspector, Report: func(string, string) {}, ReportLookups: func(count int) { reported = count }}
	app := repository.add("web", "1.0.0", imageList(list...), none)
	content, err := c.Collect(t.Context(), []Request{{App: app}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]int{inspector.count, reported}).To(Equal([]int{maxLookups, maxLookups}))
	g.Expect(content.Undigested()).To(HaveLen(maxLookups + 10))
	g.Expect(content.Images[0].Problem).To(Equal("no response"))
	g.Expect(content.Images[maxLookups].Problem).To(Equal("only 500 images are looked up"))

	ended, end := context.WithCancel(t.Context())
	end()
	_, err = c.Collect(ended, []Request{{App: app}})
	g.Expect(err).To(MatchError(context.Canceled))
}
