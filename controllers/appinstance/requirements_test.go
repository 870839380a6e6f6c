package appinstance_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskrecord"
)

var _ = Describe("An instance whose requirement is not met", func() {
	var b *instanceFixture
	BeforeEach(func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
	})

	// editApp changes the AppInfo of the app.
	editApp := func(change func(*v1alpha1.AppInfo)) {
		GinkgoHelper()
		before := b.App.DeepCopy()
		change(b.App)
		changed := b.App.Status
		Expect(server.Client.Patch(b.ctx, b.App, client.MergeFrom(before))).To(Succeed())
		before = b.App.DeepCopy()
		b.App.Status = changed
		Expect(server.Client.Status().Patch(b.ctx, b.App, client.MergeFrom(before))).To(Succeed())
	}
	// other creates an instance of another app of the source.
	other := func(app, version string, ready bool) *v1alpha1.AppInstance {
		GinkgoHelper()
		ref := b.AppReference()
		ref.Name = app
		i := &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "other"}, Spec: v1alpha1.AppInstanceSpec{AppRef: ref}}
		server.Create(GinkgoTB(), i)
		before := client.MergeFrom(i.DeepCopy())
		i.Status.Version = version
		if version != "" {
			i.Status.Revision, i.Status.Releases = 1, []v1alpha1.Release{{Name: "other"}}
		}
		if ready {
			meta.SetStatusCondition(&i.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady})
		}
		Expect(server.Client.Status().Patch(b.ctx, i, before)).To(Succeed())
		return i
	}
	// expectUnmet expects the instance to wait for a requirement, to say so in its conditions,
	// and to write nothing while it waits.
	expectUnmet := func(reason, says string) {
		GinkgoHelper()
		result, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(SatisfyAny(BeNumerically(">", 4*time.Minute), Equal(time.Second)), "a watch wakes it")
		Expect(b.conditionStatus(v1alpha1.ConditionResolved)).To(Equal("False " + reason))
		Expect(b.conditionMessage(v1alpha1.ConditionResolved)).To(ContainSubstring(says))
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True " + reason))
		Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(BeEmpty())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("Unknown " + reason))
		Expect(b.instance.Status.Preflight).To(HaveLen(1))
		Expect(b.instance.Status.Preflight[0].Reason).To(Equal(reason))
		Expect(b.historySummary()).To(BeEmpty())
		b.expectNoWrites()
	}

	It("waits for an app that it needs", func() {
		editApp(func(app *v1alpha1.AppInfo) {
			app.Status.Summary = &v1alpha1.AppSummary{Dependencies: []v1alpha1.AppDependency{{Name: "base", Type: "application", Version: ">=1.0.0", Required: true}}}
		})
		b.createInstance()
		expectUnmet(v1alpha1.ReasonWaitingForDependency, `app "web" requires app "base" with a version that matches ">=1.0.0" to be running in namespace `)
		Expect(b.conditionMessage(v1alpha1.ConditionResolved)).NotTo(ContainSubstring("spec.dependencies"), "an instance has no such field")
		base := other("base", "0.9.0", true)
		expectUnmet(v1alpha1.ReasonWaitingForDependency, "base")
		Expect(server.Client.Delete(b.ctx, base)).To(Succeed())
		other("base", "1.2.0", true)
		b.expectReady("1.0.0", 1)
	})

	It("waits for a platform of the version that it needs", func() {
		editApp(func(app *v1alpha1.AppInfo) {
			app.Status.Summary = &v1alpha1.AppSummary{Dependencies: []v1alpha1.AppDependency{{Name: "olares", Type: "system", Version: ">=2.0.0"}}}
		})
		platform := func(version string) {
			GinkgoHelper()
			before := client.MergeFrom(b.Source.DeepCopy())
			b.Source.Spec.Platform = &v1alpha1.Platform{Profile: v1alpha1.ProfileOlares, Values: &runtime.RawExtension{Raw: []byte(`{"sysVersion": "` + version + `"}`)}}
			Expect(server.Client.Patch(b.ctx, b.Source, before)).To(Succeed())
		}
		platform("1.9.0")
		b.createInstance()
		expectUnmet(v1alpha1.ReasonDependencyFailed, "but the platform has version 1.9.0")
		platform("2.1.0")
		b.expectReady("1.0.0", 1)
	})

	It("waits for an app to be removed that it conflicts with", func() {
		editApp(func(app *v1alpha1.AppInfo) {
			app.Status.Summary = &v1alpha1.AppSummary{Conflicts: []v1alpha1.AppDependency{{Name: "rival", Type: "application"}}}
		})
		rival := other("rival", "1.0.0", true)
		b.createInstance()
		expectUnmet(v1alpha1.ReasonConflictingApp, `app "web" conflicts with app "rival" of instance "other"; uninstall that instance first`)
		Expect(server.Client.Delete(b.ctx, rival)).To(Succeed())
		b.expectReady("1.0.0", 1)
	})

	It("is installed before a younger one with which it conflicts", func() {
		editApp(func(app *v1alpha1.AppInfo) {
			app.Status.Summary = &v1alpha1.AppSummary{Type: "app"}
		})
		b.createInstance()
		other("web", "", false)
		b.expectReady("1.0.0", 1)
	})

	It("waits for the only instance that there may be to be removed", func() {
		editApp(func(app *v1alpha1.AppInfo) { app.Status.Summary = &v1alpha1.AppSummary{Type: "app"} })
		first := other("web", "1.0.0", true)
		b.createInstance()
		expectUnmet(v1alpha1.ReasonSingleInstance, `app "web" allows only one instance per namespace, but instance "other" already exists`)
		Expect(server.Client.Delete(b.ctx, first)).To(Succeed())
		b.expectReady("1.0.0", 1)
	})

	It("waits for a withdrawn app to be offered again, and is not removed when it is withdrawn", func() {
		editApp(func(app *v1alpha1.AppInfo) { app.Spec.Withdrawn = true })
		b.createInstance()
		expectUnmet(v1alpha1.ReasonWithdrawn, `app "web" has been withdrawn`)
		editApp(func(app *v1alpha1.AppInfo) { app.Spec.Withdrawn = false })
		b.expectReady("1.0.0", 1)
		editApp(func(app *v1alpha1.AppInfo) { app.Spec.Withdrawn = true })
		b.PublishVersion("1.1.0", configMapFiles())
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Version = "1.1.0" })
		b.expectReady("1.1.0", 2)
	})

	It("waits for a part that serves the whole cluster, and has the remedy", func() {
		part := "part" + b.instance.Namespace
		editApp(func(app *v1alpha1.AppInfo) {
			app.Status.Summary = &v1alpha1.AppSummary{SubCharts: []v1alpha1.SubChart{{Name: part, Shared: true}}}
		})
		b.createInstance()
		expectUnmet(v1alpha1.ReasonWaitingForDependency, "a cluster administrator must apply status.preflight[0].remedy")
		Expect(b.instance.Status.Preflight[0].Remedy).To(ContainSubstring(part + "-shared"))
	})

	It("waits for the label of the namespace if it is the instance of a shared chart", func() {
		part := "part-" + b.instance.Namespace
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: part + "-shared"}}
		server.Create(GinkgoTB(), namespace)
		server.Allow(GinkgoTB(), namespace.Name, "tenant", allPermissions)
		editApp(func(app *v1alpha1.AppInfo) {
			app.Status.Summary = &v1alpha1.AppSummary{SubCharts: []v1alpha1.SubChart{{Name: part, Shared: true}}}
		})
		b.instance.Namespace = namespace.Name
		b.createInstance()
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionResolved)).To(Equal("False ClusterPermissionRequired"))
		Expect(b.conditionMessage(v1alpha1.ConditionResolved)).To(ContainSubstring(
			`can only be installed in a namespace with the label appmarket.io/shared-parts=true; a cluster administrator must check who has access to namespace "` + namespace.Name + `"`))
		Expect(b.historySummary()).To(BeEmpty())

		labeled := &corev1.Namespace{}
		Expect(yaml.UnmarshalStrict([]byte(b.instance.Status.Preflight[0].Remedy), labeled)).To(Succeed())
		Expect(labeled.Name).To(Equal(namespace.Name))
		before := client.MergeFrom(namespace.DeepCopy())
		namespace.Labels = labeled.Labels
		Expect(server.Client.Patch(b.ctx, namespace, before)).To(Succeed())
		b.expectReady("1.0.0", 1)
	})

	It("says all that it waits for, with what only the cluster knows", func() {
		b.PublishVersion("2.0.0", map[string]string{"templates/more.yaml": "apiVersion: example.com/v1\nkind: Strange\nmetadata: {name: one}\n"})
		editApp(func(app *v1alpha1.AppInfo) {
			app.Spec.Withdrawn = true
			app.Status.Summary = &v1alpha1.AppSummary{Dependencies: []v1alpha1.AppDependency{{Name: "base", Type: "application", Required: true}}}
		})
		b.createInstance()
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		var reasons []string
		for _, problem := range b.instance.Status.Preflight {
			reasons = append(reasons, problem.Reason)
		}
		Expect(reasons).To(Equal([]string{v1alpha1.ReasonWithdrawn, v1alpha1.ReasonWaitingForDependency, v1alpha1.ReasonNoKindMatch}))
		Expect(b.conditionStatus(v1alpha1.ConditionResolved)).To(Equal("False Withdrawn"))
	})

	It("is not checked again if a task was", func() {
		editApp(func(app *v1alpha1.AppInfo) { app.Spec.Withdrawn = true })
		b.createAdmittedInstance()
		b.expectReady("1.0.0", 1)
	})

	// The user who creates an instance can set each of these annotations.
	DescribeTable("is checked although it has the annotation of", func(forge func(task *v1alpha1.AppInstallTask)) {
		editApp(func(app *v1alpha1.AppInfo) { app.Spec.Withdrawn = true })
		forge(b.createTask())
		b.createInstance()
		for range 2 {
			_, err := b.reconcileInstance()
			Expect(err).NotTo(HaveOccurred())
			Expect(b.conditionStatus(v1alpha1.ConditionResolved)).To(Equal("False Withdrawn"))
		}
		Expect(b.historySummary()).To(BeEmpty())
	},
		Entry("a task without a UID", func(*v1alpha1.AppInstallTask) {
			b.instance.Annotations = map[string]string{v1alpha1.TaskAnnotation: `{"task":"x"}`, v1alpha1.ReconcileRequestAnnotation: "now"}
		}),
		Entry("a task that exists, without a code", func(task *v1alpha1.AppInstallTask) {
			b.instance.Annotations = taskAnnotations(task.Name, "hash", string(task.UID))
		}),
		Entry("a task that wrote another spec", func(task *v1alpha1.AppInstallTask) {
			b.instance.Annotations = taskAnnotations(task.Name, "hash", string(task.UID))
			Expect(taskrecord.SetCode(b.instance)).To(Succeed())
			b.instance.Spec.Title = "Other"
		}),
		Entry("a task with another UID", func(task *v1alpha1.AppInstallTask) {
			b.instance.Annotations = taskAnnotations(task.Name, "hash", "deleted")
			Expect(taskrecord.SetCode(b.instance)).To(Succeed())
		}),
		Entry("a task that does not exist", func(task *v1alpha1.AppInstallTask) {
			b.instance.Annotations = taskAnnotations("deleted", "hash", string(task.UID))
			Expect(taskrecord.SetCode(b.instance)).To(Succeed())
		}),
		Entry("a finished task", func(task *v1alpha1.AppInstallTask) {
			before := client.MergeFrom(task.DeepCopy())
			task.Status.CompletionTime = new(metav1.Now())
			Expect(server.Client.Status().Patch(b.ctx, task, before)).To(Succeed())
			b.instance.Annotations = taskAnnotations(task.Name, "hash", string(task.UID))
			Expect(taskrecord.SetCode(b.instance)).To(Succeed())
		}),
	)

	It("keeps running while an upgrade needs an app", func() {
		b.createInstance()
		b.expectReady("1.0.0", 1)
		b.PublishVersion("1.1.0", configMapFiles())
		editApp(func(app *v1alpha1.AppInfo) {
			app.Status.Summary = &v1alpha1.AppSummary{Dependencies: []v1alpha1.AppDependency{{Name: "base", Type: "application", Required: true}}}
		})
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Version = "1.1.0" })
		_, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionResolved)).To(Equal("False WaitingForDependency"))
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(HavePrefix("True"))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(SatisfyAll(ContainSubstring("running version 1.0.0"), ContainSubstring("base")))
		other("base", "1.0.0", true)
		b.expectReady("1.1.0", 2)
	})
})
