package command_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	registryserver "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/chartrepo"
)

// servedApps are the apps of a market whose repository has their charts.
type servedApps struct {
	p     *plugin
	store *chartrepo.Store
	// reports are further reports of the versions that are added.
	reports map[string]string
	// private contains the sources that are not shared with all namespaces.
	private map[string]bool
}

// newServedApps returns a market with a repository.
func (p *plugin) newServedApps() *servedApps {
	p.t.Helper()
	store, err := chartrepo.Open(p.t.TempDir(), chartrepo.Options{})
	NewWithT(p.t).Expect(err).NotTo(HaveOccurred())
	p.t.Cleanup(func() { NewWithT(p.t).Expect(store.Close()).To(Succeed()) })
	return &servedApps{p: p, store: store, private: map[string]bool{}}
}

// add publishes a version of an app of the source samples, and creates the app.
func (s *servedApps) add(namespace, app, version, images, manifest string) *v1alpha1.AppInfo {
	s.p.t.Helper()
	info := newApp(namespace, app, version, "")
	info.Status.Versions = []v1alpha1.PublishedVersion{s.publish(namespace, app, version, images, manifest)}
	s.p.createWithStatus(info)
	s.p.deleteAtEnd(info)
	return info
}

// addVersion publishes another version of an app.
func (s *servedApps) addVersion(info *v1alpha1.AppInfo, version, images string) {
	s.p.t.Helper()
	published := s.publish(info.Namespace, info.Spec.App, version, images, "null")
	setStatus(s.p, info, func(app *v1alpha1.AppInfo) { app.Status.Versions = append(app.Status.Versions, published) })
}

// publish publishes a version of an app.
func (s *servedApps) publish(namespace, app, version, images, manifest string) v1alpha1.PublishedVersion {
	s.p.t.Helper()
	archive := []byte("archive of " + app + " " + version)
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(archive))
	reports := map[string][]byte{"images.json": []byte(images), "app.json": []byte(manifest)}
	for name, text := range s.reports {
		reports[name] = []byte(text)
	}
	published, err := s.store.Publish(s.p.t.Context(), hydrate.PublishRequest{
		Owner: hydrate.Owner{Namespace: namespace, Source: "samples"}, App: app, Version: version, Archive: archive, Digest: digest,
		Chart:   []byte(fmt.Sprintf(`{"apiVersion":"v2","name":%q,"version":%q}`, app, version)),
		Reports: reports,
	})
	NewWithT(s.p.t).Expect(err).NotTo(HaveOccurred())
	return v1alpha1.PublishedVersion{Version: version, Digest: digest, ReportURL: "http://appmarket.example/" + published.Report}
}

// handler returns the handler of the repository.
func (s *servedApps) handler() http.Handler {
	return chartrepo.Handler(s.store, chartrepo.HandlerOptions{
		Shared: func(owner hydrate.Owner) bool { return !s.private[owner.Namespace] },
		Access: func(_ context.Context, token string, _ hydrate.Owner) (access.Decision, error) {
			if token == "token of jane" {
				return access.Allowed, nil
			}
			return access.Unauthenticated, nil
		},
	})
}

const samplesImages = `[{"reference":"web:1","name":"registry.example/web:1","where":[],"detail":{"digest":"sha256:%064d","platforms":[]}},{"reference":"x","name":"docker.io/library/db:2","where":[]}]`

func TestAirgap(t *testing.T) {
	g := NewWithT(t)
	p := newPlugin(t)
	s := p.newServedApps()
	namespace := p.namespace("airgap")
	s.add(namespace, "wiki", "2.4.0", fmt.Sprintf(samplesImages, 1), `{"Needs":[{"Name":"store","Type":"application","Mandatory":true}]}`)
	s.add(namespace, "store", "1.0.1", "[]", "null")
	p.env.Create(t, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "repository", Labels: map[string]string{"catalog.headlamp.dev/is-catalog": ""}},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	})
	requests := p.startGateway("/api/v1/namespaces/airgap/services/repository:http/proxy", s.handler())
	dir := t.TempDir()
	run := func(line string) result {
		r := p.run(strings.ReplaceAll(line, "--out ", "--out "+dir+"/"))
		for i := range r.arguments {
			r.arguments[i] = strings.ReplaceAll(r.arguments[i], dir, "DIR")
		}
		r.out, r.errOut = strings.ReplaceAll(r.out, dir, "DIR"), strings.ReplaceAll(r.errOut, dir, "DIR")
		return r
	}
	in := " --look-up=false --market airgap --operator-namespace airgap"
	expectGolden(t, "airgap",
		run("airgap wiki --out bundle"+in), run("airgap wiki --out bundle"+in), run("airgap wiki store --out bundle --force"+in), run("airgap wiki --version 9.0.0 --out other"+in),
		run("airgap nothing --out other"+in), run("airgap wiki store --version 1.0.0"+in), run("airgap"), run("airgap wiki --token-file x"),
		run("airgap wiki --out other --market airgap --operator-namespace missing"), run("airgap wiki store --values a.yaml"),
		run("airgap wiki --out other --ci-values"+in), run("airgap wiki --out other --values missing.yaml"+in))
	for _, request := range requests.take() {
		g.Expect(request).To(HavePrefix("GET "), "the command writes nothing")
	}
	var found []string
	g.Expect(filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, _ := filepath.Rel(dir, path)
			found = append(found, name)
		}
		return err
	})).To(Succeed())
	g.Expect(found).To(Equal([]string{
		"bundle/README.txt", "bundle/charts/store-1.0.1.tgz", "bundle/charts/wiki-2.4.0.tgz", "bundle/hauler.yaml", "bundle/images.lock.yml", "bundle/images.txt", "bundle/mirror.sh",
	}))
	g.Expect(os.ReadFile(dir + "/bundle/images.txt")).To(BeEquivalentTo("docker.io/library/db:2\nregistry.example/web:1\n"))
	g.Expect(os.ReadFile(dir + "/bundle/charts/wiki-2.4.0.tgz")).To(BeEquivalentTo("archive of wiki 2.4.0"))
	g.Expect(os.ReadFile(dir + "/bundle/mirror.sh")).To(ContainSubstring("copy 'docker.io/library/db:2' 'docker.io/library/db:2'\n" +
		"copy 'registry.example/web@sha256:" + fmt.Sprintf("%064d", 1) + "' 'registry.example/web:1'\n"))
	readme, err := os.ReadFile(dir + "/bundle/README.txt")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(readme)).To(ContainSubstring("--charts wiki,store"))
}

func TestAirgapFromAURL(t *testing.T) {
	g := NewWithT(t)
	p := newPlugin(t)
	s := p.newServedApps()
	namespace := p.namespace("airgap-url")
	info := s.add(namespace, "wiki", "2.4.0", fmt.Sprintf(samplesImages, 1), "null")
	s.private[namespace] = true
	server := httptest.NewServer(s.handler())
	t.Cleanup(server.Close)
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	g.Expect(os.WriteFile(token, []byte("token of jane\n"), 0o600)).To(Succeed())
	line := "airgap wiki --look-up=false --market airgap-url --out " + filepath.Join(dir, "bundle") + " --repository-url "
	denied := p.run(line + server.URL)
	g.Expect(denied.code).To(Equal(1))
	g.Expect(denied.errOut).To(ContainSubstring("give a token of an account that can get the MarketSource with --token-file"))
	g.Expect(p.run(line + "ftp://market.example").errOut).To(ContainSubstring("must be an http or https URL without credentials"))
	redirect := httptest.NewServer(http.RedirectHandler(server.URL, http.StatusFound))
	t.Cleanup(redirect.Close)
	g.Expect(p.run(line + redirect.URL + " --token-file " + token).errOut).To(ContainSubstring("the repository returned the status 302"))
	allowed := p.run(line + server.URL + " --token-file " + token)
	g.Expect(allowed.code).To(BeZero(), allowed.errOut)

	t.Log("an archive with another digest is refused")
	setStatus(p, info, func(app *v1alpha1.AppInfo) { app.Status.Versions[0].Digest = "sha256:" + strings.Repeat("0", 64) })
	forged := p.run(line + server.URL + " --force --token-file " + token)
	g.Expect(forged.errOut).To(ContainSubstring("the archive of version 2.4.0 has the digest"))
	g.Expect(forged.code).To(Equal(1))
}

// TestAirgapLooksUpImages collects an app with an image that the market has not looked up.
func TestAirgapLooksUpImages(t *testing.T) {
	g := NewWithT(t)
	p := newPlugin(t)
	s := p.newServedApps()
	registry := httptest.NewServer(registryserver.New(registryserver.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(registry.Close)
	image, err := random.Image(1000, 1)
	g.Expect(err).NotTo(HaveOccurred())
	address := strings.TrimPrefix(registry.URL, "http://")
	pushed, err := name.ParseReference(address + "/web:1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(remote.Write(pushed, image)).To(Succeed())
	digest, err := image.Digest()
	g.Expect(err).NotTo(HaveOccurred())
	s.add(p.namespace("airgap-lookup"), "wiki", "2.4.0", fmt.Sprintf(`[{"name": "%[1]s/web:1"}, {"name": "%[1]s/gone:1"}]`, address), "null")
	server := httptest.NewServer(s.handler())
	t.Cleanup(server.Close)
	t.Setenv("HOME", t.TempDir())
	folder := filepath.Join(t.TempDir(), "bundle")
	collected := p.run("airgap wiki --market airgap-lookup --out " + folder + " --repository-url " + server.URL)
	g.Expect(collected.code).To(BeZero(), collected.errOut)
	g.Expect(collected.errOut).To(And(ContainSubstring("Looking up 2 images in registries\n1 chart, 2 images ("),
		ContainSubstring("The digest of 1 image is not known: README.txt contains the reason, and images.lock.yml does not contain the image\n")))
	g.Expect(os.ReadFile(folder + "/images.lock.yml")).To(ContainSubstring("image: " + address + "/web@" + digest.String()))
	g.Expect(os.ReadFile(folder + "/README.txt")).To(ContainSubstring(address + "/gone:1\n       registry " + address + `: image "gone:1" not found`))
}
