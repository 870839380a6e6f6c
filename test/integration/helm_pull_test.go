package integration_test

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/test/appstore"
	"github.com/appmarket/operator/test/fixture"
	"github.com/appmarket/operator/test/fluxobjects"
	"github.com/appmarket/operator/test/testenv"
)

// chartOrigin is a place from which a source reads charts.
type chartOrigin struct {
	// spec is the type of the source and its member, in YAML.
	spec string
	// publish offers a chart, in addition to the earlier ones if the type has several versions.
	publish func(ctx context.Context, chart fixture.Chart)
	// takeRequests returns the number of requests and of the bytes of the responses since the last call. It is
	// nil for an origin without a server.
	takeRequests func() (requests, bytes int)
	// unchanged is the number of requests if nothing has changed.
	unchanged int
	// title is the title with which the source presents the chart, if it has one.
	title string
	// reports is set if the source notices a change without a synchronization.
	reports bool
}

// requestCounter counts requests, and the bytes of the bodies of the responses.
type requestCounter struct{ requests, bytes int }

// count returns a handler whose requests are counted, except those for the version of an API. Specs wait for the
// end of a synchronization before they read the numbers.
func (c *requestCounter) count(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			c.requests++
		}
		handler.ServeHTTP(&countedResponse{w, c}, r)
	})
}

func (c *requestCounter) take() (requests, bytes int) {
	requests, bytes = c.requests, c.bytes
	c.requests, c.bytes = 0, 0
	return requests, bytes
}

type countedResponse struct {
	http.ResponseWriter
	counter *requestCounter
}

// Write implements http.ResponseWriter.
func (r *countedResponse) Write(p []byte) (int, error) {
	r.counter.bytes += len(p)
	return r.ResponseWriter.Write(p)
}

func helmOrigin(context.Context, *fixture.Tenant) chartOrigin {
	repository := fixture.NewRepository()
	seen := 0
	return chartOrigin{
		spec: "type: Helm\n  helm: {url: '" + repository.URL + "'}", unchanged: 1,
		publish: func(_ context.Context, chart fixture.Chart) { repository.Add(chart) },
		takeRequests: func() (int, int) {
			all, bytes := repository.Requests(seen), 0
			for _, each := range all {
				bytes += each.Bytes
			}
			seen += len(all)
			return len(all), bytes
		},
	}
}

func ociOrigin(_ context.Context, t *fixture.Tenant) chartOrigin {
	counter := &requestCounter{}
	server := httptest.NewServer(counter.count(newRegistryHandler()))
	DeferCleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	return chartOrigin{
		spec: "type: OCI\n  oci: {url: 'oci://" + host + "/charts/site', insecure: true}", unchanged: 2, // The tags, and HEAD of the tag.
		publish:      func(ctx context.Context, chart fixture.Chart) { pushChart(ctx, t, chart, host+"/charts") },
		takeRequests: counter.take,
	}
}

func gitOrigin(ctx context.Context, t *fixture.Tenant) chartOrigin {
	repository, url, certificate := startGitServer()
	Expect(t.Client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "git"}, StringData: map[string]string{"ca.crt": certificate},
	})).To(Succeed())
	return chartOrigin{
		spec: "type: Git\n  git: {url: '" + url + "', certSecretRef: {name: git}}", unchanged: 1,
		publish: func(_ context.Context, chart fixture.Chart) { commitChart(repository, "site", chart) },
		takeRequests: func() (int, int) {
			requests, bytes := repository.TakeRequests()
			return len(requests), bytes
		},
	}
}

func directoryOrigin(_ context.Context, t *fixture.Tenant) chartOrigin {
	folder := filepath.Join(suite.Directory, t.Namespace)
	Expect(os.Mkdir(folder, 0o755)).To(Succeed())
	return chartOrigin{
		spec: "type: Directory\n  directory: {path: '" + folder + "'}",
		publish: func(_ context.Context, chart fixture.Chart) {
			Expect(os.WriteFile(filepath.Join(folder, "site-"+chart.Version+".tgz"), chart.Archive(), 0o600)).To(Succeed())
		},
	}
}

func uploadOrigin(_ context.Context, t *fixture.Tenant) chartOrigin {
	return chartOrigin{
		spec: "type: Upload\n  upload: {}", reports: true,
		publish: func(ctx context.Context, chart fixture.Chart) {
			status, body := sendUpload(ctx, t, http.MethodPut, "site-"+chart.Version+".tgz", chart.Archive())
			Expect(status).To(Equal(http.StatusCreated), body)
		},
	}
}

func olaresOrigin(context.Context, *fixture.Tenant) chartOrigin {
	store := appstore.New()
	server := httptest.NewServer(store)
	DeferCleanup(server.Close)
	return chartOrigin{
		spec: "type: Olares\n  olares: {url: '" + server.URL + "/store'}\n  platform: {profile: Helm}", unchanged: 1,
		title: "The site", publish: func(_ context.Context, chart fixture.Chart) {
			store.AddApp(chart.Name, chart.Version, chart.Archive())
			store.Apps["id-"+chart.Name]["title"] = map[string]any{"en-US": "The site"}
		},
		takeRequests: func() (int, int) {
			requests, bytes := store.TakeRequests()
			return len(requests), bytes
		},
	}
}

// artifactOrigin has an object of Flux whose status has the digest of an artifact, which a server offers.
func artifactOrigin(_ context.Context, t *fixture.Tenant) chartOrigin {
	env, counter := &testenv.Env{Client: cluster.Client}, &requestCounter{}
	fluxobjects.InstallKind(GinkgoTB(), env, "GitRepository")
	var object *unstructured.Unstructured
	var served []byte
	server := httptest.NewServer(counter.count(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", metav1.Now().Time, bytes.NewReader(served))
	})))
	DeferCleanup(server.Close)
	return chartOrigin{
		spec: "type: Artifact\n  artifact: {kind: GitRepository, name: charts}", reports: true,
		publish: func(_ context.Context, site fixture.Chart) {
			if object == nil {
				object = fluxobjects.CreateObject(GinkgoTB(), env, "GitRepository", t.Namespace, "charts")
			}
			served = fixture.TarGzip(fixture.TarEntry{Name: "site-" + site.Version + ".tgz", Text: string(site.Archive())})
			fluxobjects.SetStatus(GinkgoTB(), env, object, fluxobjects.ReadyStatus(server.URL+"/"+site.Version+".tar.gz", chart.Digest(served)))
		},
		takeRequests: counter.take,
	}
}

// pullArchive pulls a version of a chart from the repository of the operator with helm, and returns its digest.
func pullArchive(ctx context.Context, t *fixture.Tenant, name, version string) string {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	out, err := runHelm(ctx, t, "pull", name, "--version", version, "--repo", t.Source.Status.RepositoryURL, "--destination", folder)
	Expect(err).NotTo(HaveOccurred(), out)
	archive, err := os.ReadFile(filepath.Join(folder, name+"-"+version+".tgz"))
	Expect(err).NotTo(HaveOccurred())
	return chart.Digest(archive)
}

var _ = DescribeTable("A chart is applied with kubectl and pulled with helm", func(ctx SpecContext, open func(context.Context, *fixture.Tenant) chartOrigin) {
	t := newMarketTenant(ctx)
	origin := open(ctx, t)
	apply := func() {
		t.Apply(ctx, "apiVersion: appmarket.io/v1alpha1\nkind: MarketSource\nmetadata: {name: charts}\nspec:\n  "+origin.spec+"\n  allowedNamespaces: {from: All}\n")
		t.Source = &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "charts"}}
	}
	expectPulled := func(version string) {
		Eventually(func(g Gomega) {
			app := &v1alpha1.AppInfo{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "charts.site"}}
			g.Expect(t.Client.Get(ctx, client.ObjectKeyFromObject(app), app)).To(Succeed())
			g.Expect(app.Status.SelectedVersion).To(Equal(version))
			g.Expect(meta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
		}).WithContext(ctx).Should(Succeed())
		Expect(pullArchive(ctx, t, "site", version)).To(Equal(t.App(ctx, "site").Status.Versions[0].Digest))
	}

	By("applying the source")
	if strings.HasPrefix(origin.spec, "type: Upload") {
		t.Grant(ctx, publishCharts)
		apply()
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		origin.publish(ctx, siteChart("1.0.0"))
	} else {
		origin.publish(ctx, siteChart("1.0.0"))
		apply()
	}
	t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
	expectPulled("1.0.0")
	Expect(t.App(ctx, "site").Status.Summary.Title).To(Equal(cmp.Or(origin.title, "site")))

	if origin.takeRequests != nil {
		By("synchronizing without a change")
		origin.takeRequests()
		t.Sync(ctx)
		requests, size := origin.takeRequests()
		Expect(requests).To(Equal(origin.unchanged))
		Expect(size).To(BeNumerically("<", 1000), "no index, pack or archive is sent")
	}

	By("publishing another version")
	origin.publish(ctx, siteChart("1.1.0"))
	if !origin.reports {
		t.Sync(ctx)
	}
	expectPulled("1.1.0")
},
	Entry("from a Helm repository", helmOrigin),
	Entry("from a registry", ociOrigin),
	Entry("from a git repository", gitOrigin),
	Entry("from a directory", directoryOrigin),
	Entry("from an upload", uploadOrigin),
	Entry("from an app store of Olares", olaresOrigin),
	Entry("from an artifact of Flux", artifactOrigin),
)
