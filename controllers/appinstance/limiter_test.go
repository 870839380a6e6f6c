package appinstance_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/fairlimiter"
)

var _ = Describe("The turn of an instance", func() {
	var (
		b                  *instanceFixture
		installs, removals *fairlimiter.Limiter
		other              types.NamespacedName
		hookKey            client.ObjectKey
	)
	BeforeEach(func() {
		b = newInstanceFixture()
		installs, removals = fairlimiter.New(1, func(types.NamespacedName) {}), fairlimiter.New(1, func(types.NamespacedName) {})
		b.reconciler.Turns, b.reconciler.Removals = installs, removals
		hookKey = client.ObjectKey{Namespace: b.instance.Namespace, Name: "once"}
		other = types.NamespacedName{Namespace: b.instance.Namespace + "-other", Name: "other"}
	})
	hook := func(event string) map[string]string {
		content := configMapFiles()
		content["templates/hook.yaml"] = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once, annotations: {helm.sh/hook: " + event +
			"}}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'images.example.com/a:1'}]}}}\n"
		return content
	}
	// reconciles reconciles the instance in the background until the hook runs.
	reconciles := func() chan error {
		GinkgoHelper()
		done := make(chan error, 1)
		go func() {
			defer GinkgoRecover()
			_, err := b.reconcileInstance()
			done <- err
		}()
		Eventually(func() error {
			return server.Client.Get(b.ctx, hookKey, &batchv1.Job{})
		}, "20s").Should(Succeed())
		return done
	}
	endHook := func() {
		GinkgoHelper()
		job := &batchv1.Job{}
		Expect(server.Client.Get(b.ctx, hookKey, job)).To(Succeed())
		now := metav1.Now()
		job.Status = batchv1.JobStatus{StartTime: &now, CompletionTime: &now, Succeeded: 1, Conditions: []batchv1.JobCondition{
			{Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue, Reason: "Ended"},
			{Type: batchv1.JobComplete, Status: corev1.ConditionTrue, Reason: "Ended"},
		}}
		Expect(server.Client.Status().Update(b.ctx, job)).To(Succeed())
	}

	It("is another's while a hook runs, and is taken again to go on", func() {
		b.PublishVersion("1.0.0", hook("pre-install"))
		b.createInstance()
		done := reconciles()
		Eventually(func() bool { return installs.TryAcquire(other) }, "5s").Should(BeTrue(), "the operation only waits")
		endHook()
		Consistently(done, "300ms").ShouldNot(Receive(), "there is one place, and the other has it")
		installs.Release(other)
		Eventually(done, "20s").Should(Receive())
		Expect(b.conditionStatus(v1alpha1.ConditionApplied)).To(Equal("True Applied"))
		Expect(installs.Running()).To(BeZero())
	})

	It("is given back when an operation that waits is no longer wanted", func() {
		b.PublishVersion("1.0.0", hook("pre-install"))
		b.createInstance()
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Timeout = "2s" })
		done := reconciles()
		Eventually(func() bool { return installs.TryAcquire(other) }, "5s").Should(BeTrue())
		Eventually(done, "20s").Should(Receive(), "it does not wait for a place to end")
		Expect(b.conditionStatus(v1alpha1.ConditionApplied)).To(Equal("False TimedOut"))
		Expect(installs.Running()).To(Equal(1), "the operation of the other instance")
	})

	It("is one for removals while another instance is installed", func() {
		b.PublishVersion("1.0.0", hook("pre-delete"))
		b.createInstance()
		b.expectReady("1.0.0", 1)
		Expect(installs.TryAcquire(other)).To(BeTrue())
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateUninstalled })
		done := reconciles()
		Eventually(func() bool { return removals.TryAcquire(other) }, "5s").Should(BeTrue(), "the removal only waits")
		removals.Release(other)
		endHook()
		Eventually(done, "20s").Should(Receive())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Uninstalled"))
		Expect(removals.Running()).To(BeZero())
	})
})
