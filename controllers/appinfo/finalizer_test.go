package appinfo_test

import (
	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/ginkgo/v2"

	. "github.com/onsi/gomega"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
)

var _ = Describe("An app", func() {
	var b *appFixture
	BeforeEach(func() {
		b = newAppFixture()
		b.addVersion("1.0.0", configMapFiles())
		b.writeListing()
	})

	It("waits while its source is gone", func() {
		Expect(server.Client.Delete(b.ctx, b.source)).To(Succeed())
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForSource"))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("Unknown WaitingForSource"))
		Expect(b.takeFetchCount("1.0.0")).To(BeZero())
		b.expectNoWrites()
	})

	It("is still served while its source is gone", func() {
		b.expectServed("1.0.0")
		Expect(server.Client.Delete(b.ctx, b.source)).To(Succeed())
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForSource"))
		Expect(b.repositoryVersions()).To(Equal([]string{"1.0.0"}))
		b.expectNoWrites()
	})

	It("is left alone while it is suspended, and taken up again", func() {
		b.expectServed("1.0.0")
		b.editApp(func(app *v1alpha1.AppInfo) { app.Spec.Suspend = new(true) })
		b.addVersion("1.1.0", configMapFiles())
		b.writeListing()
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"), "it is served")
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(BeEmpty())
		Expect(b.takeFetchCount("1.1.0")).To(BeZero())
		b.expectNoWrites()
		b.editApp(func(app *v1alpha1.AppInfo) { app.Spec.Suspend = nil })
		b.expectServed("1.1.0", "1.0.0")
	})

	It("is left alone while its source is suspended", func() {
		b.editSource(func(spec *v1alpha1.MarketSourceSpec) { spec.Suspend = new(true) })
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("Unknown Suspended"))
		Expect(b.takeFetchCount("1.0.0")).To(BeZero())
		b.expectNoWrites()
		b.editSource(func(spec *v1alpha1.MarketSourceSpec) { spec.Suspend = nil })
		b.expectServed("1.0.0")
	})

	It("goes together with its charts, and with no others", func() {
		b.expectServed("1.0.0")
		other := hydrate.Owner{Namespace: b.app.Namespace, Source: "other"}
		publishChart(b, other)
		Expect(b.app.Finalizers).To(Equal([]string{v1alpha1.Finalizer}))
		Expect(server.Client.Delete(b.ctx, b.app)).To(Succeed())
		b.readApp()
		_, err := b.reconciler.Reconcile(b.ctx, b.app)
		Expect(err).NotTo(HaveOccurred())
		err = server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.app), b.app)
		Expect(apierrors.IsNotFound(err)).To(BeTrue())
		Expect(b.store.Entries()).To(HaveLen(1))
		Expect(b.store.Entries()[0].Owner).To(Equal(other))
	})

	It("keeps its charts until no instance uses them, and names these instances", func() {
		b.expectServed("1.0.0")
		mine := b.installVersion("1.0.0")
		Expect(server.Client.Delete(b.ctx, b.app)).To(Succeed())
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True InUse"))
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(HaveSuffix("uninstall the instances " + mine.Namespace + "/mine"))
		Expect(b.repositoryVersions()).To(Equal([]string{"1.0.0"}))
		b.expectNoWrites()

		before := client.MergeFrom(mine.DeepCopy())
		mine.Status.Version = ""
		Expect(objects.Status().Patch(b.ctx, mine, before)).To(Succeed())
		b.readApp()
		_, err = b.reconciler.Reconcile(b.ctx, b.app)
		Expect(err).NotTo(HaveOccurred())
		Expect(apierrors.IsNotFound(server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.app), b.app))).To(BeTrue())
		Expect(b.repositoryVersions()).To(BeEmpty())
	})

	It("keeps a version that the history of an instance names", func() {
		b.expectServed("1.0.0")
		mine := b.installVersion("2.0.0")
		before := client.MergeFrom(mine.DeepCopy())
		mine.Status.History = []v1alpha1.HistoryEntry{{
			Operation: v1alpha1.Operation{Type: v1alpha1.OperationInstall, ChartDigest: b.app.Status.Versions[0].Digest, StartedAt: metav1.Now()},
			Outcome:   v1alpha1.OutcomeSucceeded, EndedAt: metav1.Now(),
		}}
		Expect(objects.Status().Patch(b.ctx, mine, before)).To(Succeed())
		b.addVersion("2.0.0", configMapFiles())
		b.removeVersion("1.0.0")
		b.writeListing()
		b.expectServed("2.0.0", "1.0.0")
		Expect(objects.Delete(b.ctx, mine)).To(Succeed())
		b.expectServed("2.0.0")
	})

	It("stays until its charts could be removed", func() {
		b.expectServed("1.0.0")
		Expect(server.Client.Delete(b.ctx, b.app)).To(Succeed())
		Expect(b.store.Close()).To(Succeed())
		_, err := b.reconcileApp()
		Expect(err).To(HaveOccurred())
		Expect(b.app.Finalizers).To(Equal([]string{v1alpha1.Finalizer}))
	})

	It("gives up a version that is no longer offered", func() {
		b.addVersion("1.1.0", configMapFiles())
		b.writeListing()
		b.expectServed("1.1.0", "1.0.0")
		b.removeVersion("1.0.0")
		b.writeListing()
		b.expectServed("1.1.0")
		Expect(b.repositoryVersions()).To(Equal([]string{"1.1.0"}))
	})

	It("keeps a version that an instance has, for as long as it has it", func() {
		b.expectServed("1.0.0")
		mine := b.installVersion("1.0.0")
		b.addVersion("2.0.0", configMapFiles())
		b.removeVersion("1.0.0")
		b.writeListing()
		b.expectServed("2.0.0", "1.0.0")
		Expect(b.app.Status.SelectedVersion).To(Equal("2.0.0"))
		Expect(objects.Delete(b.ctx, mine)).To(Succeed())
		b.expectServed("2.0.0")
		Expect(b.repositoryVersions()).To(Equal([]string{"2.0.0"}))
	})

	It("is described by what is offered, not by a newer version that an instance keeps", func() {
		b.addVersion("2.0.0", configMapFiles())
		b.writeListing()
		b.expectServed("2.0.0", "1.0.0")
		b.installVersion("2.0.0")
		b.removeVersion("2.0.0")
		b.writeListing()
		b.expectServed("2.0.0", "1.0.0")
		Expect(b.app.Status.SelectedVersion).To(Equal("1.0.0"))
		Expect(b.app.Status.Summary.AppVersion).To(Equal("v1.0.0"))
	})

	It("serves and describes nothing when nothing is offered any more", func() {
		b.expectServed("1.0.0")
		b.editApp(func(app *v1alpha1.AppInfo) { app.Spec.Offers = nil })
		b.expectServed()
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(Equal("the source does not offer any version"))
		Expect(b.app.Status.SelectedVersion).To(BeEmpty())
		Expect(b.app.Status.Summary).To(BeNil())
		Expect(b.repositoryVersions()).To(BeEmpty())
	})
})

// publishChart stores a chart of another source in the repository.
func publishChart(b *appFixture, owner hydrate.Owner) {
	GinkgoHelper()
	files := []chart.File{{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")}}
	archive, err := chart.Pack("web", files)
	Expect(err).NotTo(HaveOccurred())
	_, err = b.store.Publish(b.ctx, hydrate.PublishRequest{
		Owner: owner, App: "web", Version: "1.0.0", Chart: []byte(`{"apiVersion": "v2", "name": "web", "version": "1.0.0"}`),
		Archive: archive, Digest: chart.Digest(archive),
	})
	Expect(err).NotTo(HaveOccurred())
}
