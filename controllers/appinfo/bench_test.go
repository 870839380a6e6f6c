package appinfo_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/ginkgo/v2"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/tools/events"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/controllers/appinfo"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/helm"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/registry"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/test/conformance"
	"github.com/appmarket/operator/test/testenv"
)

const repositoryURL = "http://market.example.com"

// bench is the app web of a source, and the reconciler.
type bench struct {
	*shop
	ctx        context.Context
	client     client.WithWatch
	writes     *testenv.Writes
	said       []string // messages of Reconciling that were written
	reconciler *appinfo.Reconciler
	events     chan string
	dir        string
	store      *chartrepo.Store
	source     *v1alpha1.MarketSource
	app        *v1alpha1.AppInfo
}

// newBench creates a source and its app, which has no versions yet.
func newBench() *bench {
	GinkgoHelper()
	b := &bench{events: make(chan string, 1000), shop: shops.open(), ctx: GinkgoT().Context(), dir: GinkgoT().TempDir()}
	var counted client.WithWatch
	counted, b.writes = testenv.CountWrites(objects)
	b.client = interceptor.NewClient(counted, interceptor.Funcs{SubResourcePatch: b.listen})
	var err error
	b.store, err = chartrepo.Open(b.dir, chartrepo.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(b.store.Close)
	b.restart()
	namespace := server.Namespace(GinkgoTB(), nil)
	b.source = &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main"},
		Spec:       v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: b.url()}},
	}
	b.app = &v1alpha1.AppInfo{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main.web"},
		Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "main"}, App: "web"},
	}
	server.Create(GinkgoTB(), b.source, b.app)
	return b
}

// restart creates a new reconciler, as a restart does.
func (b *bench) restart() {
	GinkgoHelper()
	inspector, err := registry.New(registry.Options{Network: netguard.Policy{Loopback: true}})
	Expect(err).NotTo(HaveOccurred())
	b.reconciler = &appinfo.Reconciler{
		Client: b.client, Recorder: &events.FakeRecorder{Events: b.events}, Open: b.open, Repository: b.store, RepositoryURL: repositoryURL,
		Process: rand.String(10),
		Turns:   fairlimiter.NewForShortWork(8, noone), Suspects: fairlimiter.New(1, noone),
		Profiles: catalog.Profiles{v1alpha1.ProfileHelm: olares.HelmProfile{}, v1alpha1.ProfileOlares: olares.Profile{}},
		Pipeline: hydrate.Pipeline{Observer: appinfo.Metrics{}, Steps: []hydrate.Step{
			hydrate.Analysis{Worker: hydrate.InProcess{Renderer: helm.Engine{}, Reader: olares.Reader{}}, Observer: appinfo.Metrics{}},
			hydrate.ImageAnalysis{Inspector: inspector},
			hydrate.RepoUpdate{Publisher: b.store},
		}},
	}
}

// noone is not notified of free slots, because the test reconciles again itself.
func noone(types.NamespacedName) {}

func (b *bench) open(_ context.Context, of *v1alpha1.MarketSource) (hydrate.Fetcher, error) {
	return source.Open(source.Config{Helm: &source.HelmConfig{URL: of.Spec.Helm.URL}, Network: netguard.Policy{Loopback: true}})
}

// listen records the messages of the Reconciling condition.
func (b *bench) listen(ctx context.Context, c client.Client, name string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
	if app, ok := o.(*v1alpha1.AppInfo); ok {
		if going := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReconciling); going != nil {
			b.said = append(b.said, going.Message)
		}
	}
	return c.SubResource(name).Patch(ctx, o, p, opts...)
}

// list writes the listing of the shop to the app, as its source does.
func (b *bench) list() {
	GinkgoHelper()
	shop, err := source.Open(source.Config{Helm: &source.HelmConfig{URL: b.url()}, Network: netguard.Policy{Loopback: true}})
	Expect(err).NotTo(HaveOccurred())
	listing, err := shop.List(b.ctx, hydrate.Mark{})
	Expect(err).NotTo(HaveOccurred())
	b.edit(func(app *v1alpha1.AppInfo) {
		app.Spec.Offers = nil
		for _, o := range listing.Apps[0].Offers {
			app.Spec.Offers = append(app.Spec.Offers, v1alpha1.Offer{Version: o.Version, URL: o.URL, Digest: o.Digest})
		}
	})
}

// edit changes the app as another client does.
func (b *bench) edit(change func(*v1alpha1.AppInfo)) {
	GinkgoHelper()
	b.read()
	before := client.MergeFrom(b.app.DeepCopy())
	change(b.app)
	Expect(server.Client.Patch(b.ctx, b.app, before)).To(Succeed())
}

// editStatus changes the status of the app.
func (b *bench) editStatus(change func(*v1alpha1.AppInfoStatus)) {
	GinkgoHelper()
	b.read()
	before := client.MergeFrom(b.app.DeepCopy())
	change(&b.app.Status)
	Expect(server.Client.Status().Patch(b.ctx, b.app, before)).To(Succeed())
}

// editSource changes the source.
func (b *bench) editSource(change func(*v1alpha1.MarketSourceSpec)) {
	GinkgoHelper()
	before := client.MergeFrom(b.source.DeepCopy())
	change(&b.source.Spec)
	Expect(server.Client.Patch(b.ctx, b.source, before)).To(Succeed())
}

func (b *bench) read() {
	GinkgoHelper()
	app := &v1alpha1.AppInfo{}
	Expect(server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.app), app)).To(Succeed())
	b.app = app
}

// reconcile reconciles the app once and checks the status contract.
func (b *bench) reconcile() (ctrl.Result, error) {
	GinkgoHelper()
	b.read()
	b.said = nil
	result, err := b.reconciler.Reconcile(b.ctx, b.app)
	b.read()
	conformance.ExpectContract(Default, b.app)
	return result, err
}

// served reconciles and expects the app to be ready, and the next reconcile to write
// nothing.
func (b *bench) served(versions ...string) {
	GinkgoHelper()
	_, err := b.reconcile()
	Expect(err).NotTo(HaveOccurred())
	Expect(meta.IsStatusConditionTrue(b.app.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "%+v", b.app.Status.Conditions)
	Expect(b.versions()).To(Equal(versions))
	for _, v := range b.app.Status.Versions {
		Expect(b.store.Has(b.owner(), "web", v.Version, v.Digest)).To(BeTrue(), "%s is in the repository", v.Version)
	}
	b.quiet()
}

// age makes all conditions a minute older, so that a condition that a reconcile removes and
// sets again causes a write.
func (b *bench) age() {
	GinkgoHelper()
	b.editStatus(func(status *v1alpha1.AppInfoStatus) {
		for i := range status.Conditions {
			c := &status.Conditions[i]
			c.LastTransitionTime = metav1.NewTime(c.LastTransitionTime.Add(-time.Minute))
		}
	})
}

// quiet expects another reconcile to write nothing.
func (b *bench) quiet() {
	GinkgoHelper()
	b.age()
	b.writes.Take()
	_, _ = b.reconcile() // the result is checked by the caller
	Expect(b.writes.Take()).To(BeEmpty(), "%+v", b.app.Status.Conditions)
}

func (b *bench) owner() hydrate.Owner {
	return hydrate.Owner{Namespace: b.app.Namespace, Source: "main"}
}

func (b *bench) versions() []string {
	var names []string
	for _, v := range b.app.Status.Versions {
		names = append(names, v.Version)
	}
	return names
}

// published returns the versions in the repository.
func (b *bench) published() []string {
	var names []string
	for _, e := range b.store.Entries() {
		names = append(names, e.Version)
	}
	slices.Sort(names)
	return names
}

// condition returns the status and the reason of a condition of the app.
func (b *bench) condition(kind string) string {
	if c := meta.FindStatusCondition(b.app.Status.Conditions, kind); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

// says returns the message of a condition.
func (b *bench) says(kind string) string {
	if c := meta.FindStatusCondition(b.app.Status.Conditions, kind); c != nil {
		return c.Message
	}
	return ""
}

// jam makes writes to the volume fail, and unjam restores it.
func (b *bench) jam() {
	GinkgoHelper()
	Expect(os.Rename(filepath.Join(b.dir, "blobs"), filepath.Join(b.dir, "away"))).To(Succeed())
	Expect(os.WriteFile(filepath.Join(b.dir, "blobs"), nil, 0o600)).To(Succeed())
}

func (b *bench) unjam() {
	GinkgoHelper()
	Expect(os.Remove(filepath.Join(b.dir, "blobs"))).To(Succeed())
	Expect(os.Rename(filepath.Join(b.dir, "away"), filepath.Join(b.dir, "blobs"))).To(Succeed())
}

// lose deletes the archive of a version from the volume.
func (b *bench) lose(version string) {
	GinkgoHelper()
	for _, v := range b.app.Status.Versions {
		if digest := strings.TrimPrefix(v.Digest, "sha256:"); v.Version == version {
			Expect(os.Remove(filepath.Join(b.dir, "blobs", "sha256", digest[:2], digest))).To(Succeed())
			return
		}
	}
	Fail("version " + version + " is not published")
}

// told returns the events since the last call.
func (b *bench) told() []string {
	var told []string
	for len(b.events) > 0 {
		told = append(told, <-b.events)
	}
	return told
}

// values returns the values.yaml of the newest published version.
func (b *bench) values() string {
	GinkgoHelper()
	archive, err := b.store.Archive(b.app.Status.Versions[0].Digest)
	Expect(err).NotTo(HaveOccurred())
	files, err := chart.Unpack(archive)
	Expect(err).NotTo(HaveOccurred())
	text, ok := (&hydrate.Draft{Files: files}).File("values.yaml")
	Expect(ok).To(BeTrue())
	return string(text)
}

// report returns a report of the newest version, as the repository serves it.
func (b *bench) report(name string) string {
	GinkgoHelper()
	handler := chartrepo.Handler(b.store, chartrepo.HandlerOptions{})
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, b.app.Status.Versions[0].ReportURL+"/"+name, nil))
	Expect(answer.Code).To(Equal(http.StatusOK))
	return answer.Body.String()
}
