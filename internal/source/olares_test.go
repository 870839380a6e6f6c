package source_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/test/appstore"
)

// appStore is an app store that is served.
type appStore struct {
	*appstore.Store
	url string
}

func startAppStore(t *testing.T) *appStore {
	store := appstore.New()
	return &appStore{store, startServer(t, store.ServeHTTP).URL}
}

func (s *appStore) open(t *testing.T, change func(*source.Config)) source.Source {
	t.Helper()
	cfg := source.Config{Olares: &source.OlaresConfig{URL: s.url + "/store/", SystemVersion: "1.12.6"}, Network: netguard.Policy{Loopback: true}}
	if change != nil {
		change(&cfg)
	}
	opened, err := source.Open(cfg)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return opened
}

func TestOlaresListsInBatches(t *testing.T) {
	g := NewWithT(t)
	store := startAppStore(t)
	for i := range 23 {
		name := fmt.Sprintf("app%02d", i)
		store.AddApp(name, "1.0.0", packTree(t, map[string]string{name + "/Chart.yaml": chartText(name, "1.0.0")}))
	}
	store.Apps["id-app03"]["appLabels"] = []any{"Suspend", 7}
	store.Apps["id-app04"]["appLabels"] = []any{"remove"}
	store.Apps["id-app05"]["missing"] = true
	store.Apps["id-app06"]["version"] = "latest"
	store.Apps["id-app07"]["name"] = "../../etc"
	opened := store.open(t, func(cfg *source.Config) { cfg.Exclude = []string{"app2*"} })
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	requests, _ := store.TakeRequests()
	g.Expect(requests).To(Equal([]string{
		"GET /store/api/v1/appstore/hash?version=1.12.6", "GET /store/api/v1/appstore/info?version=1.12.6",
		"POST /store/api/v1/applications/info", "POST /store/api/v1/applications/info",
	}))
	g.Expect(listing.Apps).To(HaveLen(16))
	g.Expect(listing.Unwanted).To(Equal(3))
	g.Expect(listing.ETag).To(Equal(store.Hash))
	for _, app := range listing.Apps {
		g.Expect(app.Withdrawn).To(Equal(app.Name == "app03"), app.Name)
	}
	g.Expect(listing.Skipped).To(ConsistOf(HaveField("Name", "id-app05"), HaveField("Name", "app06"), HaveField("Name", "../../etc")))

	cursor := hydrate.Cursor{Revision: listing.Revision, ETag: listing.ETag}
	unchanged, err := opened.List(t.Context(), cursor)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(unchanged.NotModified).To(BeTrue())
	requests, sent := store.TakeRequests()
	g.Expect(requests).To(HaveLen(1))
	g.Expect(sent).To(BeNumerically("<", 200))

	content, err := opened.Fetch(t.Context(), listing.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content.Archive).To(Equal(store.Charts["app00-1.0.0.tgz"]))
	requests, _ = store.TakeRequests()
	g.Expect(requests).To(Equal([]string{"GET /store/api/v1/applications/app00/chart?fileName=app00-1.0.0.tgz&version=1.0.0"}))

	// The same version is published again.
	store.AddApp("app00", "1.0.0", packTree(t, map[string]string{"app00/Chart.yaml": chartText("app00", "1.0.0") + "description: new\n"}))
	changed, err := opened.List(t.Context(), cursor)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(changed.NotModified).To(BeFalse())
	g.Expect(changed.Apps[0].Offers[0].URL).NotTo(Equal(listing.Apps[0].Offers[0].URL), "the chart is fetched again")
	g.Expect(changed.Apps[1]).To(Equal(listing.Apps[1]))
}

func TestOlaresCredentials(t *testing.T) {
	g := NewWithT(t)
	store := startAppStore(t)
	store.AddApp("web", "1.0.0", packTree(t, map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")}))
	opened := store.open(t, func(cfg *source.Config) { cfg.Olares.Token = "tk" })
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = opened.Fetch(t.Context(), listing.Apps[0].Offers[0])
	g.Expect(err).NotTo(HaveOccurred())
	requests, _ := store.TakeRequests()
	g.Expect(requests).To(HaveLen(4))
	g.Expect(requests).To(HaveEach(HaveSuffix(" Bearer tk")))

	sent := "none"
	other := startServer(t, func(_ http.ResponseWriter, r *http.Request) { sent = r.Header.Get("Authorization") })
	store.Before = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		return true
	}
	_, err = opened.List(t.Context(), hydrate.Cursor{})
	expectOutcome(g, err, true, v1alpha1.ReasonInvalidIndex)
	g.Expect(sent).To(BeEmpty(), "another server receives no credentials")
	for _, cfg := range []source.OlaresConfig{{URL: "https://me:pw@store.example"}, {URL: "ftp://store.example"}, {URL: "https://store.example", Token: "a", Username: "b"}} {
		_, err := source.Open(source.Config{Olares: &cfg})
		expectOutcome(g, err, true, v1alpha1.ReasonInvalidSpec)
	}
}

func TestHostileAppStores(t *testing.T) {
	respond := func(part, body string) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, part) {
				return false
			}
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	for _, c := range []struct {
		why     string
		before  func(w http.ResponseWriter, r *http.Request) bool
		stalled bool
		reason  string
		says    string
	}{
		{"a web page", respond("/hash", "<html>s3cr3t"), true, v1alpha1.ReasonInvalidIndex, "not a document of the app-store protocol"},
		{"a long hash", respond("/hash", `{"hash": "`+strings.Repeat("a", 257)+`"}`), true, v1alpha1.ReasonInvalidIndex, "longer than 256 bytes"},
		{"a large hash", respond("/hash", `{"hash": "`+strings.Repeat("a", 65<<10)+`"}`), true, v1alpha1.ReasonLimitExceeded, "larger than 65536 bytes"},
		{"a large overview", respond("/info", strings.Repeat(" ", 33<<20)), true, v1alpha1.ReasonLimitExceeded, "larger than 33554432 bytes"},
		{"many apps", respond("appstore/info", manyApps(source.MaxApps+1)), true, v1alpha1.ReasonLimitExceeded, "more than 50000 apps"},
		{"nested documents", respond("appstore/info", strings.Repeat(`{"data":`, 100_000)), true, v1alpha1.ReasonInvalidIndex, "not a document"},
		{"large details", respond("applications/info", `{"apps": {"id-web": {"name": "`+strings.Repeat("a", 5<<20)+`"}}}`), true, v1alpha1.ReasonLimitExceeded, "larger than 4194304 bytes"},
		{"rejected credentials", func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusForbidden)
			return true
		}, false, v1alpha1.ReasonUnauthorized, "spec.olares.secretRef"},
		{"apps that are still loaded", func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusAccepted)
			return true
		}, false, v1alpha1.ReasonFetchFailed, "202"},
		{"a redirect to a metadata service", func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
			return true
		}, true, v1alpha1.ReasonNotAllowed, "link-local"},
		{"a server that does not respond", func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		}, false, v1alpha1.ReasonFetchFailed, "did not respond in time"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			store := startAppStore(t)
			store.AddApp("web", "1.0.0", nil)
			store.Before = c.before
			_, err := store.open(t, func(cfg *source.Config) {
				if strings.Contains(c.says, "in time") {
					cfg.Olares.Timeout = 200 * time.Millisecond
				}
			}).List(t.Context(), hydrate.Cursor{})
			expectOutcome(g, err, c.stalled, c.reason)
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
		})
	}
}

// manyApps returns an overview with a number of apps.
func manyApps(number int) string {
	var apps strings.Builder
	for i := range number {
		fmt.Fprintf(&apps, `,"%d":{}`, i)
	}
	return `{"data": {"apps": {` + apps.String()[1:] + `}}}`
}

func TestHostileChartsOfAppStores(t *testing.T) {
	store := startAppStore(t)
	store.Charts["page"] = []byte("<html>s3cr3t")
	opened := store.open(t, nil)
	for location, reason := range map[string]string{
		"https://other.example/api/v1/applications/x/chart": v1alpha1.ReasonFetchFailed, "//other.example/api/v1/applications/x": v1alpha1.ReasonFetchFailed,
		"api/v1/users": v1alpha1.ReasonFetchFailed, "api/v1/applications/x/chart?fileName=none": v1alpha1.ReasonNotFound,
		"api/v1/applications/x/chart?fileName=page": v1alpha1.ReasonInvalidArchive,
	} {
		t.Run(location, func(t *testing.T) {
			_, err := opened.Fetch(t.Context(), hydrate.Offer{URL: location})
			expectOutcome(NewWithT(t), err, true, reason)
		})
	}
}

// TestRealCatalogOfAnAppStore serves the charts of a folder by the protocol, and compares the listing with
// their Chart.yaml.
func TestRealCatalogOfAnAppStore(t *testing.T) {
	folder := os.Getenv("MARKET_CATALOG")
	if folder == "" {
		t.Skip("skipped: MARKET_CATALOG is not set")
	}
	g := NewWithT(t)
	store := startAppStore(t)
	names, err := filepath.Glob(filepath.Join(folder, "*", "Chart.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	var want []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		g.Expect(err).NotTo(HaveOccurred())
		var head struct{ Name, Version string }
		g.Expect(yaml.Unmarshal(text, &head)).To(Succeed())
		files := map[string]string{}
		root := filepath.Dir(name)
		g.Expect(filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			files[strings.TrimPrefix(path, filepath.Dir(root)+"/")] = string(content)
			return err
		})).To(Succeed())
		store.AddApp(head.Name, head.Version, packTree(t, files))
		want = append(want, head.Name+" "+head.Version)
	}
	opened := store.open(t, nil)
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(listing)).To(ConsistOf(want))
	g.Expect(listing.Skipped).To(BeEmpty())
	requests, _ := store.TakeRequests()
	g.Expect(requests).To(HaveLen(2+(len(want)+9)/10), "batches of ten")
	for _, app := range listing.Apps {
		content, err := opened.Fetch(t.Context(), app.Offers[0])
		g.Expect(err).NotTo(HaveOccurred())
		_, err = chart.Unpack(content.Archive)
		g.Expect(err).NotTo(HaveOccurred(), app.Name)
	}
}
