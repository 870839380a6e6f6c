package appinstalltask_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A Configure task", func() {
	var b *taskFixture
	values := func(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }
	dark := v1alpha1.InputValue{Name: "THEME", Value: new("dark")}

	// configure creates a task with the configuration that change sets.
	configure := func(change func(*v1alpha1.AppConfiguration)) {
		GinkgoHelper()
		b.createTask("configure", v1alpha1.ActionConfigure, func(t *v1alpha1.AppInstallTask) {
			t.Spec.ServiceAccountName = ""
			change(t.Spec.EnsureConfiguration())
		})
	}
	editInstance := func(edit func(*v1alpha1.AppInstance)) {
		GinkgoHelper()
		i := b.currentInstance()
		before := client.MergeFrom(i.DeepCopy())
		edit(i)
		Expect(server.Client.Patch(b.ctx, i, before)).To(Succeed())
	}

	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithInputs())
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) {
			to := t.Spec.EnsureConfiguration()
			to.Title, to.Values, to.Inputs, to.DataPolicy = "Mine", values(`{"color":"red"}`), []v1alpha1.InputValue{password, dark}, v1alpha1.DataDelete
		})
		b.expectStarted()
		b.setInstanceReady("1.0.0")
		b.expectSuccess()
		b.PublishVersion("1.1.0", filesWithInputs())
	})

	It("changes what it specifies, and keeps everything else", func() {
		configure(func(to *v1alpha1.AppConfiguration) {
			to.Values, to.Inputs = values(`{"color":"blue"}`), []v1alpha1.InputValue{{Name: "THEME", Value: new("light")}}
		})
		b.expectStarted()
		spec := b.currentInstance().Spec
		Expect([]any{spec.Version, spec.Title, spec.DataPolicy, spec.ServiceAccountName, spec.DesiredState}).
			To(Equal([]any{"1.0.0", "Mine", v1alpha1.DataDelete, "tenant", v1alpha1.StateRunning}))
		Expect(string(spec.Values.Raw)).To(MatchJSON(`{"color":"blue"}`))
		Expect(spec.Inputs).To(Equal([]v1alpha1.InputValue{password, {Name: "THEME", Value: new("light")}}))
		Expect(b.task.Status.Version).To(Equal("1.0.0"))
		b.setInstanceReady("1.0.0")
		b.expectSuccess()
	})

	It("names the instance in the message about an input that it keeps", func() {
		inputs := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "inputs"}}
		Expect(server.Client.Delete(b.ctx, inputs)).To(Succeed())
		configure(func(to *v1alpha1.AppConfiguration) {
			to.Inputs = []v1alpha1.InputValue{{Name: "THEME", Value: new("light")}}
		})
		b.expectWaiting(v1alpha1.ReasonWaitingForInput)
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(ContainSubstring(
			`spec.inputs["PASSWORD"] of instance "web": Secret "inputs" not found`))
	})

	It("changes titles and the credential", func() {
		reference := &v1alpha1.KeyReference{Name: "license", Key: "token"}
		configure(func(to *v1alpha1.AppConfiguration) {
			to.Title, to.Entrances, to.CredentialSecretRef = "Ours", []v1alpha1.EntranceTitle{{Name: "web", Title: "Page"}}, reference
		})
		b.expectStarted()
		spec := b.currentInstance().Spec
		Expect([]any{spec.Title, spec.Entrances, spec.CredentialSecretRef}).
			To(Equal([]any{"Ours", []v1alpha1.EntranceTitle{{Name: "web", Title: "Page"}}, reference}))
		Expect(string(spec.Values.Raw)).To(MatchJSON(`{"color":"red"}`))
	})

	DescribeTable("keeps the installed version", func(constraint, want string) {
		editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Version = constraint })
		b.setInstanceReady("1.0.0")
		configure(func(*v1alpha1.AppConfiguration) {})
		b.expectStarted()
		Expect(b.currentInstance().Spec.Version).To(Equal(want))
	},
		Entry("and a range that selects it", "<1.1", "<1.1"),
		Entry("and no version", "", ""),
		Entry("in place of a version whose installation failed", "1.1.0", "1.0.0"),
		Entry("in place of a version that is not published", "9.0.0", "1.0.0"),
	)

	It("releases the revision to which the instance is pinned, as an upgrade does", func() {
		editInstance(func(i *v1alpha1.AppInstance) { i.Spec.PinnedRevision, i.Spec.Version = 1, "1.1.0" })
		b.setInstanceReady("1.0.0")
		configure(func(to *v1alpha1.AppConfiguration) { to.Values = values(`{"color":"blue"}`) })
		b.expectStarted()
		spec := b.currentInstance().Spec
		Expect([]any{spec.PinnedRevision, spec.Version}).To(Equal([]any{int32(0), "1.0.0"}))
	})

	It("waits for the inputs that the app requires", func() {
		editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Inputs = nil })
		b.setInstanceReady("1.0.0")
		configure(func(to *v1alpha1.AppConfiguration) { to.Inputs = []v1alpha1.InputValue{dark} })
		b.expectWaiting(v1alpha1.ReasonWaitingForInput)
		Expect(b.task.Status.RequiredInputs).To(HaveExactElements(HaveField("Name", "PASSWORD")))
		b.editTask(func(t *v1alpha1.AppInstallTask) { t.Spec.Configure.Inputs = append(t.Spec.Configure.Inputs, password) })
		b.expectStarted()
	})

	It("is rejected if the instance is stopped, or the version is not published any more", func() {
		editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateStopped })
		b.setInstanceReady("1.0.0")
		i := b.currentInstance()
		before := client.MergeFrom(i.DeepCopy())
		i.Status.Stopped = true
		Expect(server.Client.Status().Patch(b.ctx, i, before)).To(Succeed())
		configure(func(*v1alpha1.AppConfiguration) {})
		Expect(b.expectFailure(v1alpha1.ReasonInvalidState)).To(ContainSubstring("use action Resume first"))

		editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateRunning })
		b.setInstanceReady("0.9.0")
		i = b.currentInstance()
		before = client.MergeFrom(i.DeepCopy())
		i.Status.Stopped = false
		Expect(server.Client.Status().Patch(b.ctx, i, before)).To(Succeed())
		b.createTask("again", v1alpha1.ActionConfigure)
		b.expectFailure(v1alpha1.ReasonVersionNotFound)
	})

	It("is rejected if nothing is installed", func() {
		b.createTask("configure", v1alpha1.ActionConfigure, func(t *v1alpha1.AppInstallTask) { t.Spec.InstanceName = "other" })
		b.expectFailure(v1alpha1.ReasonNotInstalled)
	})

	It("restores the revision before it when it is canceled", func() {
		configure(func(to *v1alpha1.AppConfiguration) { to.Values = values(`{"color":"blue"}`) })
		b.expectStarted()
		b.editTask(func(t *v1alpha1.AppInstallTask) { t.Spec.Cancel = new(true) })
		_, _ = b.reconcileTask() // it waits for the instance
		Expect(b.currentInstance().Spec.PinnedRevision).To(Equal(int32(1)))
		b.setInstanceReady("1.0.0")
		b.expectFailure(v1alpha1.ReasonCanceled)
	})

	It("restores the revision before it when it fails with onFailure Rollback", func() {
		b.createTask("configure", v1alpha1.ActionConfigure, func(t *v1alpha1.AppInstallTask) { t.Spec.OnFailure = v1alpha1.FailureRollback })
		b.expectStarted()
		b.setInstanceStatus("1.0.0", true, [3]string{"Resolved", "True", "Resolved"}, [3]string{"Applied", "False", "UpgradeFailed"},
			[3]string{"Ready", "False", "UpgradeFailed"}, [3]string{"Stalled", "True", "UpgradeFailed"})
		_, _ = b.reconcileTask() // it waits for the instance
		Expect(b.currentInstance().Spec.PinnedRevision).To(Equal(int32(1)))
		b.setInstanceReady("1.0.0")
		b.expectFailure(v1alpha1.ReasonUpgradeFailed)
	})
})
