package appinstance_test

import (
	"errors"
	"time"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/ginkgo/v2"

	. "github.com/onsi/gomega"

	appsv1 "k8s.io/api/apps/v1"

	corev1 "k8s.io/api/core/v1"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/taskrecord"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/test/fixture"
)

// valuesWithColor returns values with a color.
func valuesWithColor(color string) *runtime.RawExtension {
	return &runtime.RawExtension{Raw: []byte(`{"color": "` + color + `"}`)}
}

var _ = Describe("Going back", func() {
	var b *instanceFixture
	BeforeEach(func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version, spec.Values = "1.0.0", valuesWithColor("green") })
		b.expectReady("1.0.0", 1)
		b.PublishVersion("1.1.0", configMapFiles())
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Version, i.Spec.Values = "1.1.0", valuesWithColor("red") })
		b.expectReady("1.1.0", 2)
	})
	pin := func(revision int32) {
		GinkgoHelper()
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.PinnedRevision = revision })
	}

	It("brings chart and values of the revision back, and stays there", func() {
		Expect(b.instance.Status.Revision).To(Equal(int32(2)))
		pin(1)
		b.expectReady("1.0.0", 3)
		Expect(b.configMapData()).To(HaveKeyWithValue("color", "green"))
		Expect(b.historySummary()[0]).To(Equal("Rollback 1.0.0 Succeeded"))
		Expect([]int32{b.instance.Status.Revision, b.instance.Status.History[0].Operation.To}).To(Equal([]int32{3, 1}))
		Expect(b.instance.Status.AvailableUpdate).To(Equal("1.1.0"))

		By("naming the revision that was made by it")
		pin(3)
		b.expectReady("1.0.0", 3)

		By("letting go of it")
		pin(0)
		b.expectReady("1.1.0", 4)
		Expect(b.configMapData()).To(HaveKeyWithValue("color", "red"))
	})

	It("needs no chart that is still published", func() {
		before := client.MergeFrom(b.App.DeepCopy())
		b.App.Status.Versions = b.App.Status.Versions[:1]
		Expect(server.Client.Status().Patch(b.ctx, b.App, before)).To(Succeed())
		pin(1)
		b.expectReady("1.0.0", 3)
	})

	It("is refused where there is no such revision", func() {
		pin(7)
		b.expectUnresolved(v1alpha1.ReasonRevisionNotFound)
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"), "what runs goes on running")
		Expect(b.releaseRevision("mine")).To(Equal(2))
	})

	It("is refused where Helm has forgotten the revision", func() {
		secret := &corev1.Secret{}
		Expect(server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.instance.Namespace, Name: "sh.helm.release.v1.mine.v1"}, secret)).To(Succeed())
		Expect(server.Client.Delete(b.ctx, secret)).To(Succeed())
		pin(1)
		b.expectUnresolved(v1alpha1.ReasonRevisionNotFound)
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"), "nothing was changed")
	})
})

var _ = Describe("Stopping", func() {
	var b *instanceFixture
	web := func() *appsv1.Deployment {
		GinkgoHelper()
		d := &appsv1.Deployment{}
		Expect(server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.instance.Namespace, Name: "mine"}, d)).To(Succeed())
		return d
	}
	desire := func(state v1alpha1.DesiredState) {
		GinkgoHelper()
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = state })
	}
	// idle sets the status of a workload without Pods.
	idle := func() {
		GinkgoHelper()
		d := web()
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
		}}
		Expect(server.Client.Status().Update(b.ctx, d)).To(Succeed())
	}

	BeforeEach(func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", workloadFiles())
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "1.0.0" })
		_, _ = b.reconcileUntilObserved() // it waits for its Pods
		b.setWorkloadReady(true)
		_, err := b.reconcileUntil("True Ready, True Healthy")
		Expect(err).NotTo(HaveOccurred())
	})

	It("takes the pods away, and brings back as many as there were", func() {
		desire(v1alpha1.StateStopped)
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(*web().Spec.Replicas).To(BeZero())
		idle()
		_, err = b.reconcileUntil("True Stopped, True Stopped")
		Expect(err).NotTo(HaveOccurred())
		Expect(transitions.StateOf(b.instance)).To(Equal(transitions.Stopped))
		b.expectNoWrites()

		desire(v1alpha1.StateRunning)
		_, err = b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(*web().Spec.Replicas).To(Equal(int32(1)))
		b.setWorkloadReady(true)
		_, err = b.reconcileUntil("True Ready, True Healthy")
		Expect(err).NotTo(HaveOccurred())
		Expect(b.releaseRevision("mine")).To(Equal(1), "Helm had nothing to do with it")
		Expect(b.historySummary()).To(Equal([]string{"Resume 1.0.0 Succeeded", "Stop 1.0.0 Succeeded", "Install 1.0.0 Succeeded"}))
	})

	It("needs no app that is still there, and neither does resuming", func() {
		Expect(server.Client.Delete(b.ctx, b.App)).To(Succeed())
		desire(v1alpha1.StateStopped)
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(*web().Spec.Replicas).To(BeZero())
		idle()
		_, err = b.reconcileUntil("True Stopped, True Stopped")
		Expect(err).NotTo(HaveOccurred())
		b.expectNoWrites()
		desire(v1alpha1.StateRunning)
		_, _ = b.reconcileInstance()
		Expect(*web().Spec.Replicas).To(Equal(int32(1)))
	})

	It("leaves a newer version for when it is resumed", func() {
		desire(v1alpha1.StateStopped)
		_, _ = b.reconcileInstance()
		idle()
		_, err := b.reconcileUntil("True Stopped, True Stopped")
		Expect(err).NotTo(HaveOccurred())
		b.PublishVersion("1.1.0", workloadFiles())
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Version = "1.1.0" })
		_, err = b.reconcileUntil("True Stopped, True Stopped")
		Expect(err).NotTo(HaveOccurred())
		Expect([]any{b.releaseRevision("mine"), *web().Spec.Replicas}).To(Equal([]any{1, int32(0)}))

		desire(v1alpha1.StateRunning)
		_, err = b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect([]any{b.releaseRevision("mine"), *web().Spec.Replicas}).To(Equal([]any{2, int32(1)}))
		Expect(web().Annotations).NotTo(HaveKey("appmarket.io/before-stop"))
	})

	Context("that came halfway", func() {
		// halfway changes the workloads and then returns an error for one of them.
		halfway := func(reason string) {
			refuse := func() error { return outcome.Failed(reason, errors.New("one workload refused")) }
			b.setFakeHelmClient(func(f *fakeHelmClient) {
				if reason == v1alpha1.ReasonStopFailed {
					f.stop = refuse
				} else {
					f.resume = refuse
				}
			})
		}
		failed := func(reason string) {
			GinkgoHelper()
			_, err := b.reconcileInstance()
			Expect(err).To(MatchError(reconcile.TerminalError(nil)))
			Expect(b.conditionStatus(v1alpha1.ConditionApplied)).To(Equal("False " + reason))
			b.expectNoWrites()
			b.setFakeHelmClient()
		}
		BeforeEach(func() {
			halfway(v1alpha1.ReasonStopFailed)
			desire(v1alpha1.StateStopped)
			failed(v1alpha1.ReasonStopFailed)
			Expect(*web().Spec.Replicas).To(BeZero())
		})

		It("is taken back", func() {
			desire(v1alpha1.StateRunning)
			_, err := b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			Expect(*web().Spec.Replicas).To(Equal(int32(1)))
			Expect(b.historySummary()[0]).To(Equal("Resume 1.0.0 Succeeded"))
			b.setWorkloadReady(true)
			_, err = b.reconcileUntil("True Ready, True Healthy")
			Expect(err).NotTo(HaveOccurred())
			b.expectNoWrites()
		})

		It("is taken back although the app is gone", func() {
			Expect(server.Client.Delete(b.ctx, b.App)).To(Succeed())
			desire(v1alpha1.StateRunning)
			_, _ = b.reconcileInstance()
			Expect(*web().Spec.Replicas).To(Equal(int32(1)))
		})

		It("is taken back before an upgrade", func() {
			b.PublishVersion("1.1.0", workloadFiles())
			b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState, i.Spec.Version = v1alpha1.StateRunning, "1.1.0" })
			_, err := b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			Expect(*web().Spec.Replicas).To(Equal(int32(1)))
			Expect(b.historySummary()[:2]).To(Equal([]string{"Upgrade 1.1.0 Succeeded", "Resume 1.0.0 Succeeded"}))
		})

		It("is completed after a resume that came halfway", func() {
			halfway(v1alpha1.ReasonResumeFailed)
			desire(v1alpha1.StateRunning)
			failed(v1alpha1.ReasonResumeFailed)
			Expect(*web().Spec.Replicas).To(Equal(int32(1)))
			desire(v1alpha1.StateStopped)
			_, err := b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			Expect(*web().Spec.Replicas).To(BeZero())
			Expect(b.historySummary()[0]).To(Equal("Stop 1.0.0 Succeeded"))
		})
	})
})

var _ = Describe("Adopting", func() {
	var b *instanceFixture
	BeforeEach(func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
		b.PublishVersion("1.1.0", configMapFiles())
	})
	// foreign creates a release with the name of the instance that does not belong to it.
	foreign := func() {
		GinkgoHelper()
		archive, err := b.Store.Archive(b.App.Status.Versions[1].Digest)
		Expect(err).NotTo(HaveOccurred())
		files, err := chart.Unpack(archive)
		Expect(err).NotTo(HaveOccurred())
		values := map[string]any{"color": "blue"}
		_, err = clients.For(tenantFor(b), nil).Install(b.ctx, release.Spec{
			Name: "mine", Render: fixture.Rendering(clients, tenantFor(b), "mine", files, values), Values: values, Timeout: time.Minute,
		})
		Expect(err).NotTo(HaveOccurred())
	}
	adopt := func(spec *v1alpha1.AppInstanceSpec) { spec.AdoptionPolicy = v1alpha1.AdoptionAdopt }

	It("takes a release over as it is, and keeps its values from then on", func() {
		foreign()
		b.createInstance(adopt)
		b.expectReady("1.0.0", 1)
		Expect(b.historySummary()).To(Equal([]string{"Adopt 1.0.0 Succeeded"}))
		Expect(b.instance.Status.AdoptedValues).To(Equal(&v1alpha1.LocalObjectReference{Name: "mine-adopted-values"}))
		kept := &corev1.Secret{}
		Expect(server.Client.Get(b.ctx, client.ObjectKey{Namespace: b.instance.Namespace, Name: "mine-adopted-values"}, kept)).To(Succeed())
		Expect(kept.OwnerReferences).To(ConsistOf(HaveField("UID", b.instance.UID)), "the Secret goes with the instance")
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Version = "1.1.0" })
		b.expectReady("1.1.0", 2)
		Expect(b.configMapData()).To(HaveKeyWithValue("color", "blue"))
	})

	It("does not overwrite a Secret of another owner with its values", func() {
		foreign()
		other := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "mine-adopted-values"}, Data: map[string][]byte{"a": []byte("b")},
		}
		server.Create(GinkgoTB(), other)
		b.createInstance(adopt)
		_, err := b.reconcileInstance()
		Expect(err).To(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True AdoptFailed"))
		Expect(b.conditionMessage(v1alpha1.ConditionApplied)).To(ContainSubstring("Secret \"mine-adopted-values\" already exists and does not belong to the instance"))
		Expect(server.Client.Get(b.ctx, client.ObjectKeyFromObject(other), other)).To(Succeed())
		Expect(other.Data).To(Equal(map[string][]byte{"a": []byte("b")}))

		Expect(server.Client.Delete(b.ctx, other)).To(Succeed())
		b.requestReconcile("now")
		b.expectReady("1.0.0", 1)
	})

	It("waits for the permission if the app is for administrators", func() {
		foreign()
		b.setSummary(&v1alpha1.AppSummary{AdminOnly: true})
		server.Allow(GinkgoTB(), b.instance.Namespace, "limited", withoutAdminister)
		b.createInstance(adopt, func(spec *v1alpha1.AppInstanceSpec) { spec.ServiceAccountName = "limited" })
		b.expectNotAdministrator()
	})

	It("is refused where there is nothing to adopt, and touches nothing that is not its own", func() {
		b.createInstance(adopt)
		b.expectUnresolved(v1alpha1.ReasonAdoptFailed)
		Expect(transitions.StateOf(b.instance)).To(Equal(transitions.InstallFailed))
	})

	It("is required to install, upgrade or remove the release of another owner", func() {
		foreign()
		b.createInstance()
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionResolved)).To(Equal("False AlreadyInstalled"))
		Expect(b.conditionMessage(v1alpha1.ConditionResolved)).To(ContainSubstring("adopt it with action Adopt"))
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateUninstalled })
		_, err = b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Uninstalled"))
		Expect(b.releaseRevision("mine")).To(Equal(1), "the release stays")
	})
})

var _ = Describe("The ledger", func() {
	var b *instanceFixture
	signed := func(task, hash string) map[string]string { return taskAnnotations(task, hash, "uid-of-"+task) }
	BeforeEach(func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
	})
	entry := func(task, hash string) string {
		e := transitions.FindTask(b.instance, task, hash)
		if e == nil {
			return ""
		}
		return string(e.Outcome) + " " + e.Reason
	}

	It("records each task once, when its request was carried out", func() {
		b.instance.Annotations = signed("install", "h1")
		b.createInstance()
		b.expectReady("1.0.0", 1)
		Expect(entry("install", "h1")).To(Equal("Succeeded Succeeded"))
		b.editInstance(func(i *v1alpha1.AppInstance) {
			i.Spec.DesiredState, i.Annotations = v1alpha1.StateUninstalled, signed("remove", "h2")
		})
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(entry("remove", "h2")).To(Equal("Succeeded Succeeded"))
		Expect(b.instance.Status.CompletedTasks).To(HaveLen(2))
	})

	It("notes a failure, and what was taken back", func() {
		b.instance.Annotations = signed("install", "h1")
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "9.0.0" })
		b.expectUnresolved(v1alpha1.ReasonVersionNotFound)
		Expect(entry("install", "h1")).To(Equal("Failed VersionNotFound"))
		b.editInstance(func(i *v1alpha1.AppInstance) {
			i.Spec.DesiredState, i.Annotations = v1alpha1.StateUninstalled, signed("other", "h2")
			Expect(taskrecord.WriteRecord(i, taskrecord.Record{Task: "other", UID: "uid-of-other", Hash: "h2", RevertReason: v1alpha1.ReasonCanceled})).To(Succeed())
		})
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(entry("other", "h2")).To(Equal("Canceled Canceled"))
	})

	It("has no entry for a record that no task can have written", func() {
		b.instance.Annotations = map[string]string{
			v1alpha1.TaskAnnotation: `{"task":"install","hash":"h1","revertReason":"not a reason"}`, v1alpha1.ReconcileRequestAnnotation: "now",
		}
		b.createInstance()
		b.expectReady("1.0.0", 1)
		Expect(b.instance.Status.CompletedTasks).To(BeEmpty())
		Expect(b.instance.Status.Writer).To(BeNil())
		Expect(b.instance.Status.History[0].Operation.Task).To(BeEmpty())
	})
})
