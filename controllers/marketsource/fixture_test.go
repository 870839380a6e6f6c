package marketsource_test

import (
	"context"
	"errors"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/controllers/marketsource"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/test/conformance"
	"github.com/appmarket/operator/test/testenv"
)

const repositoryURL = "http://market.example.com"

// marketFixture is a source that lists a shop, and the reconciler.
type marketFixture struct {
	*helmServer
	ctx        context.Context
	client     client.WithWatch
	writes     *testenv.Writes
	reconciler *marketsource.Reconciler
	source     *v1alpha1.MarketSource
	// cursors are the cursors of all listings.
	cursors []hydrate.Cursor
}

// recordingLister records the cursors of its listings.
type recordingLister struct {
	marketsource.Lister
	fixture *marketFixture
}

func (l recordingLister) List(ctx context.Context, since hydrate.Cursor) (hydrate.Listing, error) {
	l.fixture.cursors = append(l.fixture.cursors, since)
	return l.Lister.List(ctx, since)
}

// newMarketFixture creates a source named main.
func newMarketFixture(change ...func(*v1alpha1.MarketSourceSpec)) *marketFixture {
	GinkgoHelper()
	b := &marketFixture{helmServer: shops.openServer(), ctx: GinkgoT().Context()}
	b.client, b.writes = testenv.CountWrites(server.Client)
	b.restartReconciler()
	b.source = &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace(GinkgoTB(), nil), Name: "main"},
		Spec:       v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: b.baseURL()}},
	}
	for _, c := range change {
		c(&b.source.Spec)
	}
	server.Create(GinkgoTB(), b.source)
	return b
}

// restartReconciler creates a new reconciler, as a restart does.
func (b *marketFixture) restartReconciler() {
	b.reconciler = &marketsource.Reconciler{
		Client: b.client, Recorder: &events.FakeRecorder{}, Open: b.openLister, RepositoryURL: repositoryURL, Process: rand.String(10),
		Turns: fairlimiter.NewForShortWork(4, ignoreFreeSlot), Suspects: fairlimiter.New(1, ignoreFreeSlot),
	}
}

// ignoreFreeSlot is not notified of free slots, because the test reconciles again itself.
func ignoreFreeSlot(types.NamespacedName) {}

func (b *marketFixture) openLister(ctx context.Context, of *v1alpha1.MarketSource) (marketsource.Lister, error) {
	cfg := source.Config{Helm: &source.HelmConfig{URL: of.Spec.Helm.URL}, Network: netguard.Policy{Loopback: true}}
	if filter := of.Spec.Filter; filter != nil {
		cfg.Include, cfg.Exclude, cfg.MaxVersions = filter.Include, filter.Exclude, int(filter.MaxVersions)
	}
	if ref := of.Spec.Helm.SecretRef; ref != nil {
		secret := &corev1.Secret{}
		err := server.Client.Get(ctx, types.NamespacedName{Namespace: of.Namespace, Name: ref.Name}, secret)
		if apierrors.IsNotFound(err) {
			return nil, outcome.Stalled(v1alpha1.ReasonReferenceNotFound, errors.New("there is no secret "+ref.Name))
		}
		if err != nil {
			return nil, err
		}
		cfg.Helm.Token = string(secret.Data["token"])
	}
	opened, err := source.Open(cfg)
	return recordingLister{opened, b}, err
}

// editSource changes the source as a user does.
func (b *marketFixture) editSource(change func(*v1alpha1.MarketSource)) {
	GinkgoHelper()
	b.readSource()
	before := client.MergeFrom(b.source.DeepCopy())
	change(b.source)
	Expect(server.Client.Patch(b.ctx, b.source, before)).To(Succeed())
}

// editStatus changes the status of the source.
func (b *marketFixture) editStatus(change func(*v1alpha1.MarketSourceStatus)) {
	GinkgoHelper()
	b.readSource()
	before := client.MergeFrom(b.source.DeepCopy())
	change(&b.source.Status)
	Expect(server.Client.Status().Patch(b.ctx, b.source, before)).To(Succeed())
}

// requestReconcile requests a reconcile of the source.
func (b *marketFixture) requestReconcile(when string) {
	GinkgoHelper()
	b.editSource(func(s *v1alpha1.MarketSource) {
		s.Annotations = map[string]string{v1alpha1.ReconcileRequestAnnotation: when}
	})
}

func (b *marketFixture) readSource() {
	GinkgoHelper()
	s := &v1alpha1.MarketSource{}
	Expect(server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.source), s)).To(Succeed())
	b.source = s
}

// reconcileSource reconciles the source once and checks the status contract. The interval can be
// one that the API server does not accept.
func (b *marketFixture) reconcileSource(interval ...v1alpha1.Duration) (ctrl.Result, error) {
	GinkgoHelper()
	b.readSource()
	for _, i := range interval {
		b.source.Spec.Interval = i
	}
	result, err := b.reconciler.Reconcile(b.ctx, b.source)
	b.readSource()
	conformance.ExpectContract(Default, b.source)
	return result, err
}

// expectSuccess reconciles and expects no error.
func (b *marketFixture) expectSuccess(interval ...v1alpha1.Duration) ctrl.Result {
	GinkgoHelper()
	result, err := b.reconcileSource(interval...)
	Expect(err).NotTo(HaveOccurred())
	return result
}

// ageConditions makes all conditions a minute older.
func (b *marketFixture) ageConditions() {
	GinkgoHelper()
	b.editStatus(func(status *v1alpha1.MarketSourceStatus) { testenv.AgeConditions(status.Conditions) })
}

// expectNoWrites expects another reconcile to write nothing and to send no request to the shop.
func (b *marketFixture) expectNoWrites() {
	GinkgoHelper()
	b.ageConditions()
	b.writes.Take()
	b.takeResponses()
	_, _ = b.reconcileSource() // the result is checked by the caller
	Expect(b.writes.Take()).To(BeEmpty(), "%+v", b.source.Status)
	Expect(b.takeResponses()).To(BeEmpty())
}

// syncAndServe lists the shop and makes every app ready.
func (b *marketFixture) syncAndServe() {
	GinkgoHelper()
	b.expectSuccess()
	for _, name := range b.appNames() {
		b.setServed(name)
	}
	b.expectSuccess()
	Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"), "%+v", b.source.Status)
	b.writes.Take()
	b.takeResponses()
}

// getApp returns the AppInfo of an app.
func (b *marketFixture) getApp(name string) *v1alpha1.AppInfo {
	GinkgoHelper()
	app := &v1alpha1.AppInfo{}
	Expect(server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.source.Namespace, Name: "main." + name}, app)).To(Succeed())
	return app
}

// appNames returns the names of the apps with an AppInfo that is not being deleted.
func (b *marketFixture) appNames() []string {
	GinkgoHelper()
	var names []string
	list := &v1alpha1.AppInfoList{}
	Expect(server.Client.List(b.ctx, list, client.InNamespace(b.source.Namespace))).To(Succeed())
	for _, app := range list.Items {
		if app.DeletionTimestamp.IsZero() {
			names = append(names, app.Spec.App)
		}
	}
	slices.Sort(names)
	return names
}

// setServed sets the status of an AppInfo that is published.
func (b *marketFixture) setServed(name string) {
	GinkgoHelper()
	b.editAppStatus(name, func(app *v1alpha1.AppInfo) {
		app.Status.ObservedGeneration = app.Generation
		app.Status.Conditions = []metav1.Condition{b.newCondition(app, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "serving 1.0.0")}
	})
}

// setRenderFailed sets the status of an AppInfo that could not be rendered.
func (b *marketFixture) setRenderFailed(name, message string) {
	GinkgoHelper()
	b.editAppStatus(name, func(app *v1alpha1.AppInfo) {
		app.Status.ObservedGeneration = app.Generation
		app.Status.Conditions = []metav1.Condition{
			b.newCondition(app, v1alpha1.ConditionFetched, metav1.ConditionTrue, v1alpha1.ReasonFetched, ""),
			b.newCondition(app, v1alpha1.ConditionRendered, metav1.ConditionFalse, v1alpha1.ReasonRenderFailed, message),
			b.newCondition(app, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRenderFailed, message),
			b.newCondition(app, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRenderFailed, message),
		}
	})
}

func (b *marketFixture) newCondition(app *v1alpha1.AppInfo, kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: app.Generation, LastTransitionTime: metav1.NewTime(time.Unix(1, 0)),
	}
}

func (b *marketFixture) editAppStatus(name string, change func(*v1alpha1.AppInfo)) {
	GinkgoHelper()
	app := b.getApp(name)
	before := client.MergeFrom(app.DeepCopy())
	change(app)
	Expect(server.Client.Status().Patch(b.ctx, app, before)).To(Succeed())
}

// removeFinalizers removes the finalizers of deleted AppInfos, as their controller does.
func (b *marketFixture) removeFinalizers() {
	GinkgoHelper()
	list := &v1alpha1.AppInfoList{}
	Expect(server.Client.List(b.ctx, list, client.InNamespace(b.source.Namespace))).To(Succeed())
	for i := range list.Items {
		app := &list.Items[i]
		if !app.DeletionTimestamp.IsZero() {
			before := client.MergeFrom(app.DeepCopy())
			app.Finalizers = nil
			Expect(server.Client.Patch(b.ctx, app, before)).To(Succeed())
		}
	}
}

// conditionStatus returns the status and the reason of a condition of the source.
func (b *marketFixture) conditionStatus(kind string) string {
	if c := meta.FindStatusCondition(b.source.Status.Conditions, kind); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

// conditionMessage returns the message of a condition.
func (b *marketFixture) conditionMessage(kind string) string {
	if c := meta.FindStatusCondition(b.source.Status.Conditions, kind); c != nil {
		return c.Message
	}
	return ""
}
