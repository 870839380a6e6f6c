package appinstance_test

import (
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/taskrecord"
	"github.com/appmarket/operator/internal/transitions"
)

var _ = Describe("Restarting", func() {
	var b *instanceFixture
	first, second := metav1.NewTime(time.Unix(1_800_000_000, 0)), metav1.NewTime(time.Unix(1_800_000_060, 0))
	web := func() *appsv1.Deployment {
		GinkgoHelper()
		d := &appsv1.Deployment{}
		Expect(server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.instance.Namespace, Name: "mine"}, d)).To(Succeed())
		return d
	}
	restartedAt := func() string {
		GinkgoHelper()
		return web().Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"]
	}
	text := func(at metav1.Time) string { return at.UTC().Format(time.RFC3339) }
	request := func(at *metav1.Time) {
		GinkgoHelper()
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.RestartRequestedAt = at })
	}
	// requestByTask requests a restart, or reverts it, as a task does.
	requestByTask := func(at *metav1.Time, reason string) {
		GinkgoHelper()
		b.editInstance(func(i *v1alpha1.AppInstance) {
			i.Spec.RestartRequestedAt = at
			Expect(taskrecord.WriteRecord(i, taskrecord.Record{Task: "restart", UID: "uid", Hash: "hash", RevertReason: reason})).To(Succeed())
			i.Annotations[v1alpha1.ReconcileRequestAnnotation] = "uid" + reason
		})
	}
	becomeReady := func() {
		GinkgoHelper()
		b.setWorkloadReady(true)
		_, err := b.reconcileUntil("True Ready, True Healthy")
		Expect(err).NotTo(HaveOccurred())
	}
	// restart requests a restart and waits until the instance is ready again.
	restart := func(at metav1.Time) {
		GinkgoHelper()
		request(&at)
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(restartedAt()).To(Equal(text(at)))
		becomeReady()
	}

	BeforeEach(func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", workloadFiles())
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version, spec.DriftPolicy = "1.0.0", v1alpha1.DriftCorrect })
		_, _ = b.reconcileUntilObserved() // it waits for its Pods
		becomeReady()
	})

	It("replaces the pods, and waits for them", func() {
		request(&first)
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(restartedAt()).To(Equal(text(first)))
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True WaitingForObjects"))
		becomeReady()
		Expect(b.releaseRevision("mine")).To(Equal(1))
		Expect(b.historySummary()).To(Equal([]string{"Restart 1.0.0 Succeeded", "Install 1.0.0 Succeeded"}))
		Expect(b.instance.Status.RestartedAt.Equal(&first)).To(BeTrue())
		Expect(transitions.StateOf(b.instance)).To(Equal(transitions.Running))
		b.expectNoWrites()

		By("correcting drift without it")
		Expect(b.instance.Status.Drift).To(BeEmpty())
		Expect(restartedAt()).To(Equal(text(first)))

		By("restarting again, and only for another time")
		restart(second)
		Expect(b.historySummary()[:2]).To(Equal([]string{"Restart 1.0.0 Succeeded", "Restart 1.0.0 Succeeded"}))
		request(nil)
		_, err = b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(restartedAt()).To(Equal(text(second)), "a user who removes the request does not restart the workloads")
	})

	It("leaves a newer chart of the same version and missing objects for another request", func() {
		files := workloadFiles()
		files["templates/more.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n"
		b.PublishVersion("1.0.0", files)
		requestByTask(&first, "")
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		becomeReady()
		Expect(b.releaseRevision("mine")).To(Equal(1))
		Expect(b.instance.Status.LastHandledReconcileAt).To(Equal("uid"))
	})

	It("needs no app that is still there", func() {
		Expect(server.Client.Delete(b.ctx, b.App)).To(Succeed())
		restart(first)
		b.expectNoWrites()
	})

	It("is upgraded afterwards, and keeps the time", func() {
		restart(first)
		b.PublishVersion("1.1.0", workloadFiles())
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Version = "1.1.0" })
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.releaseRevision("mine")).To(Equal(2))
		Expect(restartedAt()).To(Equal(text(first)))
		Expect(b.historySummary()[0]).To(Equal("Upgrade 1.1.0 Succeeded"))
	})

	It("does not restart a stopped instance when it is resumed", func() {
		b.editInstance(func(i *v1alpha1.AppInstance) {
			i.Spec.DesiredState, i.Spec.RestartRequestedAt = v1alpha1.StateStopped, &first
		})
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.historySummary()[0]).To(Equal("Stop 1.0.0 Succeeded"))
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateRunning })
		_, err = b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		becomeReady()
		Expect(b.historySummary()[0]).To(Equal("Resume 1.0.0 Succeeded"))
		Expect(restartedAt()).To(BeEmpty())
		b.expectNoWrites()
	})

	It("continues with the same time after an interruption", func() {
		b.setFakeHelmClient(func(f *fakeHelmClient) { f.restart = func() error { return errors.New("connection refused") } })
		request(&first)
		_, err := b.reconcileInstance()
		Expect(err).To(HaveOccurred())
		Expect(b.historySummary()[0]).To(Equal("Restart 1.0.0 Interrupted Interrupted"))
		generation := web().Generation
		b.setFakeHelmClient()
		_, err = b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.historySummary()[0]).To(Equal("Restart 1.0.0 Succeeded"))
		Expect([]any{restartedAt(), web().Generation}).To(Equal([]any{text(first), generation}))
	})

	It("continues with the same time after the operator was killed", func() {
		request(&first)
		b.editStatus(func(st *v1alpha1.AppInstanceStatus) {
			st.CurrentOperation = &v1alpha1.Operation{
				Type: v1alpha1.OperationRestart, Version: st.Version, ChartDigest: st.ChartDigest, ValuesDigest: st.ValuesDigest, StartedAt: metav1.Now(),
			}
		})
		b.restartReconciler()
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.historySummary()[:2]).To(Equal([]string{"Restart 1.0.0 Succeeded", "Restart 1.0.0 Interrupted Interrupted"}))
		Expect(restartedAt()).To(Equal(text(first)))
	})

	It("is final when a workload cannot be restarted, until it is requested again", func() {
		b.setFakeHelmClient(func(f *fakeHelmClient) {
			f.restart = func() error { return outcome.Failed(v1alpha1.ReasonRestartFailed, errors.New("spec.paused is true")) }
		})
		request(&first)
		_, err := b.reconcileInstance()
		Expect(err).To(MatchError(reconcile.TerminalError(nil)))
		Expect(b.conditionStatus(v1alpha1.ConditionApplied)).To(Equal("False RestartFailed"))
		Expect(transitions.StateOf(b.instance)).To(Equal(transitions.ChangeFailed))
		b.expectNoWrites()
		b.setFakeHelmClient()
		restart(second)
	})

	Context("by a task that is canceled", func() {
		It("restores the pod templates before it", func() {
			generation := web().Generation
			requestByTask(&first, "")
			_, err := b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			Expect(restartedAt()).To(Equal(text(first)))
			requestByTask(nil, v1alpha1.ReasonCanceled)
			_, err = b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			Expect(restartedAt()).To(BeEmpty())
			Expect(web().Generation).To(Equal(generation + 2))
			becomeReady()
			Expect(b.instance.Status.RestartedAt).To(BeNil())
			Expect(b.historySummary()[:2]).To(Equal([]string{"Restart 1.0.0 Succeeded", "Restart 1.0.0 Succeeded"}))
			b.expectNoWrites()
		})

		It("restores the workloads that were restarted before an interruption", func() {
			restart(first)
			b.setFakeHelmClient(func(f *fakeHelmClient) { f.restart = func() error { return errors.New("connection refused") } })
			requestByTask(&second, "")
			_, err := b.reconcileInstance()
			Expect(err).To(HaveOccurred())
			Expect(restartedAt()).To(Equal(text(second)))
			b.setFakeHelmClient()
			requestByTask(&first, v1alpha1.ReasonCanceled)
			_, err = b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			Expect(restartedAt()).To(Equal(text(first)))
			becomeReady()
			b.expectNoWrites()
		})

		It("does nothing before it has started", func() {
			requestByTask(nil, v1alpha1.ReasonCanceled)
			_, err := b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			Expect(b.historySummary()).To(Equal([]string{"Install 1.0.0 Succeeded"}))
		})
	})
})
