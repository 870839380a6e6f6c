package appinstalltask_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("Admitting a task", func() {
	var b *taskFixture
	BeforeEach(func() { b = newTaskFixture() })

	// other creates a ready instance of another app in the tenant's namespace.
	other := func(app, version string) {
		GinkgoHelper()
		i := &v1alpha1.AppInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: app},
			Spec:       v1alpha1.AppInstanceSpec{AppRef: v1alpha1.AppReference{Source: "main", Name: app, Namespace: b.Source.Namespace}},
		}
		server.Create(GinkgoTB(), i)
		before := client.MergeFrom(i.DeepCopy())
		i.Status.Version = version
		i.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, LastTransitionTime: metav1.Now()}}
		Expect(server.Client.Status().Patch(b.ctx, i, before)).To(Succeed())
	}

	It("reports all problems at once", func() {
		b.PublishVersion("1.0.0", filesWithInputs())
		b.addDependencies("base", "database")
		b.EditApp(func(app *v1alpha1.AppInfo) { app.Spec.Withdrawn = true })
		b.createTask("install", v1alpha1.ActionInstall)
		message := b.expectFailure(v1alpha1.ReasonWithdrawn)
		Expect(b.preflightReasons()).To(Equal([]string{
			v1alpha1.ReasonWithdrawn, v1alpha1.ReasonWaitingForDependency, v1alpha1.ReasonWaitingForDependency, v1alpha1.ReasonWaitingForInput}))
		for _, word := range []string{"has been withdrawn", "base", "database", "PASSWORD", "THEME"} {
			Expect(message).To(ContainSubstring(word))
		}
		Expect(b.conditionStatus(v1alpha1.ConditionAdmitted)).To(Equal("False Withdrawn"))
		Expect(b.task.Status.RequiredInputs).To(HaveLen(2))
	})

	It("waits for everything that may still become available, and continues then", func() {
		b.PublishVersion("1.0.0", filesWithInputs())
		b.addDependencies("base")
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectWaiting(v1alpha1.ReasonWaitingForDependency)
		Expect(b.preflightReasons()).To(Equal([]string{v1alpha1.ReasonWaitingForDependency, v1alpha1.ReasonWaitingForInput}))
		other("base", "0.9.0")
		b.expectWaiting(v1alpha1.ReasonWaitingForDependency)
		Expect(server.Client.Delete(b.ctx, &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "base"}})).To(Succeed())
		other("base", "1.2.0")
		b.expectWaiting(v1alpha1.ReasonWaitingForInput)
		Expect(b.preflightReasons()).To(Equal([]string{v1alpha1.ReasonWaitingForInput}))
		b.editTask(func(t *v1alpha1.AppInstallTask) {
			t.Spec.EnsureParameters().Inputs = []v1alpha1.InputValue{password, {Name: "THEME", Value: new("blue")}}
		})
		b.expectWaiting(v1alpha1.ReasonWaitingForInput)
		Expect(b.task.Status.RequiredInputs).To(HaveLen(1))
		Expect(b.task.Status.RequiredInputs[0].Problem).To(Equal("must be one of: light, dark"))
		b.editTask(func(t *v1alpha1.AppInstallTask) { t.Spec.EnsureParameters().Inputs[1].Value = new("dark") })
		b.expectStarted()
		Expect(b.preflightReasons()).To(BeEmpty())
		Expect(b.task.Status.RequiredInputs).To(BeEmpty())
		Expect(b.currentInstance().Spec.Inputs).To(HaveLen(2))
	})

	It("fails if inputs are missing and onMissingInput is Fail", func() {
		b.PublishVersion("1.0.0", filesWithInputs())
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.OnMissingInput = v1alpha1.MissingInputFail })
		Expect(b.expectFailure(v1alpha1.ReasonInputRequired)).To(ContainSubstring(`"PASSWORD", "THEME"`))
		Expect(b.task.Status.RequiredInputs).To(HaveLen(2))
	})

	It("looks again for a secret that is missing", func() {
		b.PublishVersion("1.0.0", filesWithInputs())
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) {
			t.Spec.EnsureParameters().Inputs = []v1alpha1.InputValue{{Name: "THEME", Value: new("dark")}, {Name: "PASSWORD", ValueFrom: &v1alpha1.InputValueSource{
				SecretKeyRef: &v1alpha1.KeyReference{Name: "login", Key: "password"}}}}
		})
		Expect(b.expectWaiting(v1alpha1.ReasonWaitingForInput).RequeueAfter).To(Equal(15 * time.Second))
		server.Create(GinkgoTB(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "login"}, StringData: map[string]string{"password": "hunter2"}})
		b.expectStarted()
		Expect(b.currentInstance().Spec.Inputs[1].Value).To(BeNil(), "no secret is copied")
	})

	It("refuses an app that is not shared", func() {
		b.PublishVersion("1.0.0", filesWithoutInputs())
		before := client.MergeFrom(b.Source.DeepCopy())
		b.Source.Spec.AllowedNamespaces.From = v1alpha1.NamespacesFromSame
		Expect(server.Client.Patch(b.ctx, b.Source, before)).To(Succeed())
		b.createTask("install", v1alpha1.ActionInstall)
		b.elapsed = time.Minute
		b.expectFailure(v1alpha1.ReasonRefNotPermitted)
	})

	It("waits a while for a source that does not exist yet", func() {
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.AppRef.Source = "late" })
		Expect(b.expectWaiting(v1alpha1.ReasonWaitingForSource).RequeueAfter).To(Equal(time.Second), "it may have come meanwhile")
		result := b.expectWaiting(v1alpha1.ReasonWaitingForSource)
		Expect(result.RequeueAfter).To(And(BeNumerically(">", 20*time.Second), BeNumerically("<=", 30*time.Second)))
		b.elapsed = time.Minute
		b.expectFailure(v1alpha1.ReasonRefNotPermitted)
	})

	It("waits until its deadline for a source that does not exist yet", func() {
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.AppRef.Source, t.Spec.StartDeadline = "late", "1h" })
		b.elapsed = time.Minute
		b.expectWaiting(v1alpha1.ReasonWaitingForSource)
		b.elapsed = 2 * time.Hour
		Expect(b.expectFailure(v1alpha1.ReasonDeadlineExceeded)).To(HavePrefix("not admitted within spec.startDeadline (1h): source "))
	})

	It("goes on when the source that it was applied with lists the app", func() {
		late := &v1alpha1.MarketSource{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.Source.Namespace, Name: "late"}, Spec: *b.Source.Spec.DeepCopy(),
		}
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.AppRef.Source = "late" })
		b.expectWaiting(v1alpha1.ReasonWaitingForSource)
		server.Create(GinkgoTB(), late)
		b.elapsed = time.Hour
		b.expectWaiting(v1alpha1.ReasonWaitingForSource)
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(ContainSubstring("to list its apps: "))
		server.Create(GinkgoTB(), &v1alpha1.AppInfo{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.Source.Namespace, Name: "late.web"},
			Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "late"}, App: "web"},
		})
		b.expectWaiting(v1alpha1.ReasonWaitingForApp)
	})

	// stalls sets a terminal failure of the hydration in the status of the app.
	stalls := func(reason, message string) {
		GinkgoHelper()
		b.EditApp(func(app *v1alpha1.AppInfo) {
			app.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: reason, Message: message,
				ObservedGeneration: app.Generation, LastTransitionTime: metav1.Now()}}
		})
	}

	It("ends with the failure of an app that is never published", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectWaiting(v1alpha1.ReasonWaitingForApp)
		stalls(v1alpha1.ReasonInvalidArchive, "version 1.0.0: not a gzip archive")
		Expect(b.expectFailure(v1alpha1.ReasonInvalidArchive)).To(Equal(
			`app "web" has no published version; its hydration is stalled: version 1.0.0: not a gzip archive`))
	})

	It("ends with the failure of an app that is needed and never published", func() {
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.addDependencies("base")
		base := &v1alpha1.AppInfo{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.Source.Namespace, Name: "main.base"},
			Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "main"}, App: "base"},
		}
		server.Create(GinkgoTB(), base)
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectWaiting(v1alpha1.ReasonWaitingForDependency)
		before := client.MergeFrom(base.DeepCopy())
		base.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFetchFailed,
			Message: "version 1.0.0: an OCI registry", ObservedGeneration: base.Generation, LastTransitionTime: metav1.Now()}}
		Expect(server.Client.Status().Patch(b.ctx, base, before)).To(Succeed())
		Expect(b.expectFailure(v1alpha1.ReasonDependencyFailed)).To(HaveSuffix(
			`app "base" has no published version; its hydration is stalled: version 1.0.0: an OCI registry`))
	})

	It("refuses an app that there is not", func() {
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.AppRef.Name = "other" })
		b.expectFailure(v1alpha1.ReasonNotFound)
	})

	It("refuses a version that there is not", func() {
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.EnsureParameters().Version = "^2" })
		b.expectFailure(v1alpha1.ReasonVersionNotFound)
	})

	It("refuses a name that is too long", func() {
		b.EditApp(func(*v1alpha1.AppInfo) {})
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.AppRef.Name = strings.Repeat("a", 41) })
		b.expectFailure(v1alpha1.ReasonNameTooLong)
		Expect(b.preflightReasons()).To(Equal([]string{v1alpha1.ReasonNameTooLong, v1alpha1.ReasonNotFound}))
	})

	It("waits for an app that is not published yet", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectWaiting(v1alpha1.ReasonWaitingForApp)
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.expectStarted()
		Expect(b.task.Status.Version).To(Equal("1.0.0"))
		Expect(b.currentInstance().Spec.Version).To(Equal("1.0.0"))
	})

	It("refuses to install what is installed", func() {
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.installVersion("1.0.0")
		b.createTask("second", v1alpha1.ActionInstall)
		b.expectFailure(v1alpha1.ReasonAlreadyInstalled)
	})

	It("refuses to upgrade or remove what is not installed", func() {
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.createTask("upgrade", v1alpha1.ActionUpgrade)
		b.expectFailure(v1alpha1.ReasonNotInstalled)
		b.createTask("remove", v1alpha1.ActionUninstall)
		b.expectFailure(v1alpha1.ReasonNotInstalled)
	})

	It("refuses to upgrade to what is not newer", func() {
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.PublishVersion("1.1.0", filesWithoutInputs())
		b.installVersion("1.1.0")
		b.createTask("same", v1alpha1.ActionUpgrade)
		Expect(b.expectFailure(v1alpha1.ReasonVersionNotNewer)).To(Equal(
			`instance "web" already has version 1.1.0; to change its configuration, use action Configure`))
		b.createTask("older", v1alpha1.ActionUpgrade, func(t *v1alpha1.AppInstallTask) { t.Spec.EnsureParameters().Version = "1.0.0" })
		b.expectFailure(v1alpha1.ReasonVersionNotNewer)
	})

	It("upgrades and removes an app that was withdrawn", func() {
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.installVersion("1.0.0")
		b.PublishVersion("1.1.0", filesWithoutInputs())
		b.EditApp(func(app *v1alpha1.AppInfo) { app.Spec.Withdrawn = true })
		b.createTask("upgrade", v1alpha1.ActionUpgrade)
		b.expectStarted()
	})

	It("refuses an instance of another app", func() {
		b.PublishVersion("1.0.0", filesWithoutInputs())
		other("base", "1.0.0")
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) { t.Spec.InstanceName = "base" })
		b.expectFailure(v1alpha1.ReasonInvalidSpec)
	})

	It("waits for an instance that is being deleted", func() {
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.installVersion("1.0.0")
		i := b.currentInstance()
		before := client.MergeFrom(i.DeepCopy())
		i.Finalizers = []string{v1alpha1.Finalizer}
		Expect(server.Client.Patch(b.ctx, i, before)).To(Succeed())
		Expect(server.Client.Delete(b.ctx, i)).To(Succeed())
		b.createTask("again", v1alpha1.ActionInstall)
		b.expectWaiting(v1alpha1.ReasonWaitingForTurn)
		i = b.currentInstance()
		before = client.MergeFrom(i.DeepCopy())
		i.Finalizers = nil
		Expect(server.Client.Patch(b.ctx, i, before)).To(Succeed())
		b.expectStarted()
	})

	It("keeps of an upgrade what the task leaves out", func() {
		b.PublishVersion("1.0.0", filesWithInputs())
		b.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) {
			t.Spec.EnsureParameters().Title = "Mine"
			t.Spec.EnsureParameters().Inputs = []v1alpha1.InputValue{password, {Name: "THEME", Value: new("dark")}}
		})
		b.expectStarted()
		b.setInstanceReady("1.0.0")
		b.expectSuccess()
		b.PublishVersion("1.1.0", filesWithInputs())
		b.createTask("upgrade", v1alpha1.ActionUpgrade, func(t *v1alpha1.AppInstallTask) {
			t.Spec.ServiceAccountName = ""
			t.Spec.EnsureParameters().Inputs = []v1alpha1.InputValue{{Name: "THEME", Value: new("light")}}
		})
		b.expectStarted()
		spec := b.currentInstance().Spec
		Expect([]any{spec.Version, spec.Title, spec.ServiceAccountName}).To(Equal([]any{"1.1.0", "Mine", "tenant"}))
		Expect(spec.Inputs).To(Equal([]v1alpha1.InputValue{password, {Name: "THEME", Value: new("light")}}))
	})
})
