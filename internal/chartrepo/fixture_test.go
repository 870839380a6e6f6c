package chartrepo_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chartrepo"
)

var (
	main  = hydrate.Owner{Namespace: "market", Source: "main"}
	extra = hydrate.Owner{Namespace: "market", Source: "extra"}
	noon  = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
)

// damageRecorder records the damage that a store reports.
type damageRecorder struct {
	mu       sync.Mutex
	recorder []chartrepo.DamagedRecord
}

func (r *damageRecorder) recordDamage(d chartrepo.DamagedRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recorder = append(r.recorder, d)
}

// damagedApps returns the damaged apps, each as "<app> <version>".
func (r *damageRecorder) damagedApps() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	apps := []string{}
	for _, d := range r.recorder {
		apps = append(apps, d.App+" "+d.Version)
	}
	return apps
}

// appRecorder records the apps that a store passes to OnWritable.
type appRecorder struct {
	mu   sync.Mutex
	apps []string
}

func (r *appRecorder) recordApp(owner hydrate.Owner, app string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.apps = append(r.apps, owner.Source+"/"+app)
}

func (r *appRecorder) recordedApps() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.apps...)
}

// fixedTime is the clock of stores.
func fixedTime() time.Time { return noon }

// openStore opens a store on a volume with a fixed clock.
func openStore(t testing.TB, dir string, recorder *damageRecorder) *chartrepo.Store {
	t.Helper()
	return volumeKind.openStore(t, dir, recorder)
}

func openStoreWith(t testing.TB, dir string, options chartrepo.Options) *chartrepo.Store {
	t.Helper()
	return volumeKind.openStoreWith(t, dir, options)
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// newPublication returns a publication of the app; its content is derived from the name.
func newPublication(t testing.TB, owner hydrate.Owner, app, version string) hydrate.PublishRequest {
	t.Helper()
	return newPublicationWith(t, owner, app, version, []byte("archive of "+app+" "+version+strings.Repeat(".", 2000)))
}

func newPublicationWith(t testing.TB, owner hydrate.Owner, app, version string, archive []byte) hydrate.PublishRequest {
	t.Helper()
	fields := map[string]any{
		"apiVersion": "v2", "name": app, "version": version, "appVersion": "1.10",
		"description": "An app: \"" + app + "\"\nof two lines", "keywords": []string{"on", "a"},
	}
	body, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return hydrate.PublishRequest{
		Owner: owner, App: app, Version: version, Chart: body, Archive: archive, Digest: digestOf(archive),
		Reports: map[string][]byte{
			"values.yaml": []byte("# of " + app + "\na: 1\n"),
			"README.md":   []byte(strings.Repeat("About "+app+".\n", 200)),
		},
	}
}

func publishAll(t testing.TB, store *chartrepo.Store, publications ...hydrate.PublishRequest) []hydrate.Published {
	t.Helper()
	var all []hydrate.Published
	for _, p := range publications {
		published, err := store.Publish(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, published)
	}
	return all
}

// readFiles returns the content of all files below dir, by path.
func readFiles(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		found[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// publishedNames returns the published versions, each as "<source>/<app> <version>".
func publishedNames(store *chartrepo.Store) []string {
	all := []string{}
	for _, e := range store.Entries() {
		all = append(all, e.Owner.Source+"/"+e.App+" "+e.Version)
	}
	return all
}

func blobFile(dir, digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return filepath.Join(dir, "blobs", "sha256", hex[:2], hex)
}

func recordFile(dir string, p hydrate.PublishRequest) string {
	return filepath.Join(dir, "records", p.Owner.Namespace, p.Owner.Source, p.App, p.Version+".json")
}

// flipByte changes one bit of a file and keeps its size and modification time.
func flipByte(t testing.TB, path string) {
	t.Helper()
	g := gomega.NewWithT(t)
	info, err := os.Stat(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	data, err := os.ReadFile(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	data[len(data)/2] ^= 1
	g.Expect(os.WriteFile(path, data, 0o644)).To(gomega.Succeed())
	g.Expect(os.Chtimes(path, info.ModTime(), info.ModTime())).To(gomega.Succeed())
}

// listenLocally serves the handler as the operator does, and returns its URL.
func listenLocally(t testing.TB, handler http.Handler) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	service := &chartrepo.Service{Server: chartrepo.NewServer("", handler), Listener: listener}
	go func() { ended <- service.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}
