package appinfo_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/platform"
	"github.com/appmarket/operator/internal/registry"
	"github.com/appmarket/operator/internal/signature"
	"github.com/appmarket/operator/internal/signature/trustroot"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/test/conformance"
	"github.com/appmarket/operator/test/testenv"
)

const repositoryURL = "http://market.example.com"

// appFixture is the app web of a source, and the reconciler.
type appFixture struct {
	*helmServer
	ctx              context.Context
	client           client.WithWatch
	writes           *testenv.Writes
	progressMessages []string // messages of Reconciling that were written
	reconciler       *appinfo.Reconciler
	events           chan string
	dir              string
	store            *chartrepo.Store
	source           *v1alpha1.MarketSource
	app              *v1alpha1.AppInfo
}

// newAppFixture creates a source and its app, which has no versions yet.
func newAppFixture() *appFixture {
	GinkgoHelper()
	b := &appFixture{events: make(chan string, 1000), helmServer: shops.openServer(), ctx: GinkgoT().Context(), dir: GinkgoT().TempDir()}
	var counted client.WithWatch
	counted, b.writes = testenv.CountWrites(objects)
	b.client = interceptor.NewClient(counted, interceptor.Funcs{SubResourcePatch: b.recordMessages})
	var err error
	b.store, err = chartrepo.Open(b.dir, chartrepo.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(b.store.Close)
	b.restartReconciler()
	namespace := server.Namespace(GinkgoTB(), nil)
	b.source = &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main"},
		Spec:       v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: b.baseURL()}},
	}
	b.app = &v1alpha1.AppInfo{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main.web"},
		Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "main"}, App: "web"},
	}
	server.Create(GinkgoTB(), b.source, b.app)
	return b
}

// restartReconciler creates a new reconciler, as a restart does.
func (b *appFixture) restartReconciler() {
	GinkgoHelper()
	inspector, err := registry.New(registry.Options{Network: netguard.Policy{Loopback: true}})
	Expect(err).NotTo(HaveOccurred())
	b.reconciler = &appinfo.Reconciler{
		Client: b.client, Recorder: &events.FakeRecorder{Events: b.events}, Open: b.openSource, Repository: b.store, RepositoryURL: repositoryURL,
		Process: rand.String(10),
		Policy: func(ctx context.Context, source *v1alpha1.MarketSource) (*hydrate.SignaturePolicy, error) {
			return trustroot.PolicyFor(ctx, objects, source)
		},
		Inspector: func(context.Context, *v1alpha1.MarketSource) hydrate.Inspector { return inspector },
		Turns:     fairlimiter.NewForShortWork(8, ignoreFreeSlot), Suspects: fairlimiter.New(1, ignoreFreeSlot),
		Profiles: platform.Profiles{v1alpha1.ProfileHelm: olares.HelmProfile{}, v1alpha1.ProfileOlares: olares.Profile{}},
		Pipeline: hydrate.Pipeline{Observer: appinfo.Metrics{}, Steps: []hydrate.Step{
			hydrate.Analysis{Worker: hydrate.InProcess{Renderer: render.Engine{}, Reader: olares.Reader{}, Verifier: signature.Verifier{}}, Observer: appinfo.Metrics{}},
			hydrate.ImageAnalysis{},
			hydrate.RepoUpdate{Publisher: b.store},
		}},
	}
}

// ignoreFreeSlot is not notified of free slots, because the test reconciles again itself.
func ignoreFreeSlot(types.NamespacedName) {}

func (b *appFixture) openSource(_ context.Context, of *v1alpha1.MarketSource) (hydrate.Fetcher, error) {
	return source.Open(source.Config{Helm: &source.HelmConfig{URL: of.Spec.Helm.URL}, Network: netguard.Policy{Loopback: true}})
}

// recordMessages records the messages of the Reconciling condition.
func (b *appFixture) recordMessages(ctx context.Context, c client.Client, name string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
	if app, ok := o.(*v1alpha1.AppInfo); ok {
		if going := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReconciling); going != nil {
			b.progressMessages = append(b.progressMessages, going.Message)
		}
	}
	return c.SubResource(name).Patch(ctx, o, p, opts...)
}

// writeListing writes the listing of the shop to the app, as its source does.
func (b *appFixture) writeListing() {
	GinkgoHelper()
	shop, err := source.Open(source.Config{Helm: &source.HelmConfig{URL: b.baseURL()}, Network: netguard.Policy{Loopback: true}})
	Expect(err).NotTo(HaveOccurred())
	listing, err := shop.List(b.ctx, hydrate.Cursor{})
	Expect(err).NotTo(HaveOccurred())
	b.editApp(func(app *v1alpha1.AppInfo) {
		app.Spec.Offers = nil
		for _, o := range listing.Apps[0].Offers {
			app.Spec.Offers = append(app.Spec.Offers, v1alpha1.Offer{Version: o.Version, URL: o.URL, Digest: o.Digest})
		}
	})
}

// editApp changes the app as another client does.
func (b *appFixture) editApp(change func(*v1alpha1.AppInfo)) {
	GinkgoHelper()
	b.readApp()
	before := client.MergeFrom(b.app.DeepCopy())
	change(b.app)
	Expect(server.Client.Patch(b.ctx, b.app, before)).To(Succeed())
}

// installVersion creates an instance of the app with an installed version.
func (b *appFixture) installVersion(version string) *v1alpha1.AppInstance {
	GinkgoHelper()
	instance := &v1alpha1.AppInstance{
		ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace(GinkgoTB(), nil), Name: "mine"},
		Spec:       v1alpha1.AppInstanceSpec{AppRef: v1alpha1.AppReference{Source: "main", Name: "web", Namespace: b.app.Namespace}},
	}
	Expect(objects.Create(b.ctx, instance)).To(Succeed())
	before := client.MergeFrom(instance.DeepCopy())
	instance.Status.Version = version
	Expect(objects.Status().Patch(b.ctx, instance, before)).To(Succeed())
	return instance
}

// editStatus changes the status of the app.
func (b *appFixture) editStatus(change func(*v1alpha1.AppInfoStatus)) {
	GinkgoHelper()
	b.readApp()
	before := client.MergeFrom(b.app.DeepCopy())
	change(&b.app.Status)
	Expect(server.Client.Status().Patch(b.ctx, b.app, before)).To(Succeed())
}

// editSource changes the source.
func (b *appFixture) editSource(change func(*v1alpha1.MarketSourceSpec)) {
	GinkgoHelper()
	before := client.MergeFrom(b.source.DeepCopy())
	change(&b.source.Spec)
	Expect(server.Client.Patch(b.ctx, b.source, before)).To(Succeed())
}

func (b *appFixture) readApp() {
	GinkgoHelper()
	app := &v1alpha1.AppInfo{}
	Expect(server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.app), app)).To(Succeed())
	b.app = app
}

// reconcileApp reconciles the app once and checks the status contract.
func (b *appFixture) reconcileApp() (ctrl.Result, error) {
	GinkgoHelper()
	b.readApp()
	b.progressMessages = nil
	result, err := b.reconciler.Reconcile(b.ctx, b.app)
	b.readApp()
	conformance.ExpectContract(Default, b.app)
	return result, err
}

// expectServed reconciles and expects the app to be ready, and the next reconcile to write
// nothing.
func (b *appFixture) expectServed(versions ...string) {
	GinkgoHelper()
	_, err := b.reconcileApp()
	Expect(err).NotTo(HaveOccurred())
	Expect(meta.IsStatusConditionTrue(b.app.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "%+v", b.app.Status.Conditions)
	Expect(b.statusVersions()).To(Equal(versions))
	for _, v := range b.app.Status.Versions {
		Expect(b.store.Has(b.repositoryOwner(), "web", v.Version, v.Digest)).To(BeTrue(), "%s is in the repository", v.Version)
	}
	b.expectNoWrites()
}

// ageConditions makes all conditions a minute older.
func (b *appFixture) ageConditions() {
	GinkgoHelper()
	b.editStatus(func(status *v1alpha1.AppInfoStatus) { testenv.AgeConditions(status.Conditions) })
}

// expectNoWrites expects another reconcile to write nothing.
func (b *appFixture) expectNoWrites() {
	GinkgoHelper()
	b.ageConditions()
	b.writes.Take()
	_, _ = b.reconcileApp() // the result is checked by the caller
	Expect(b.writes.Take()).To(BeEmpty(), "%+v", b.app.Status.Conditions)
}

func (b *appFixture) repositoryOwner() hydrate.Owner {
	return hydrate.Owner{Namespace: b.app.Namespace, Source: "main"}
}

func (b *appFixture) statusVersions() []string {
	var names []string
	for _, v := range b.app.Status.Versions {
		names = append(names, v.Version)
	}
	return names
}

// repositoryVersions returns the versions in the repository.
func (b *appFixture) repositoryVersions() []string {
	var names []string
	for _, e := range b.store.Entries() {
		names = append(names, e.Version)
	}
	slices.Sort(names)
	return names
}

// conditionStatus returns the status and the reason of a condition of the app.
func (b *appFixture) conditionStatus(kind string) string {
	if c := meta.FindStatusCondition(b.app.Status.Conditions, kind); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

// conditionMessage returns the message of a condition.
func (b *appFixture) conditionMessage(kind string) string {
	if c := meta.FindStatusCondition(b.app.Status.Conditions, kind); c != nil {
		return c.Message
	}
	return ""
}

// blockWrites makes writes to the volume fail, and unjam restores it.
func (b *appFixture) blockWrites() {
	GinkgoHelper()
	Expect(os.Rename(filepath.Join(b.dir, "blobs"), filepath.Join(b.dir, "away"))).To(Succeed())
	Expect(os.WriteFile(filepath.Join(b.dir, "blobs"), nil, 0o600)).To(Succeed())
}

func (b *appFixture) unblockWrites() {
	GinkgoHelper()
	Expect(os.Remove(filepath.Join(b.dir, "blobs"))).To(Succeed())
	Expect(os.Rename(filepath.Join(b.dir, "away"), filepath.Join(b.dir, "blobs"))).To(Succeed())
}

// deleteArchive deletes the archive of a version from the volume.
func (b *appFixture) deleteArchive(version string) {
	GinkgoHelper()
	for _, v := range b.app.Status.Versions {
		if digest := strings.TrimPrefix(v.Digest, "sha256:"); v.Version == version {
			Expect(os.Remove(filepath.Join(b.dir, "blobs", "sha256", digest[:2], digest))).To(Succeed())
			return
		}
	}
	Fail("version " + version + " is not published")
}

// takeEvents returns the events since the last call.
func (b *appFixture) takeEvents() []string {
	var events []string
	for len(b.events) > 0 {
		events = append(events, <-b.events)
	}
	return events
}

// publishedValues returns the values.yaml of the newest published version.
func (b *appFixture) publishedValues() string {
	GinkgoHelper()
	archive, err := b.store.Archive(b.app.Status.Versions[0].Digest)
	Expect(err).NotTo(HaveOccurred())
	files, err := chart.Unpack(archive)
	Expect(err).NotTo(HaveOccurred())
	text, ok := (&hydrate.Draft{Files: files}).FindFile("values.yaml")
	Expect(ok).To(BeTrue())
	return string(text)
}

// getReport returns a report of the newest version, as the repository serves it.
func (b *appFixture) getReport(name string) string {
	GinkgoHelper()
	handler := chartrepo.Handler(b.store, chartrepo.HandlerOptions{})
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, b.app.Status.Versions[0].ReportURL+"/"+name, nil))
	Expect(answer.Code).To(Equal(http.StatusOK))
	return answer.Body.String()
}
