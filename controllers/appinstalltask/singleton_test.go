package appinstalltask_test

import (
	"context"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/release"
)

// addApp adds an app with a summary to the source.
func (b *taskFixture) addApp(name string, summary *v1alpha1.AppSummary) *v1alpha1.AppInfo {
	GinkgoHelper()
	app := &v1alpha1.AppInfo{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.Source.Namespace, Name: "main." + name},
		Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "main"}, App: name},
	}
	server.Create(GinkgoTB(), app)
	setSummary(app, summary)
	return app
}

// setSummary sets the summary of an app.
func setSummary(app *v1alpha1.AppInfo, summary *v1alpha1.AppSummary) {
	GinkgoHelper()
	before := client.MergeFrom(app.DeepCopy())
	app.Status.Summary = summary
	Expect(server.Client.Status().Patch(GinkgoT().Context(), app, before)).To(Succeed())
}

// addInstance creates an instance of an app of the source with an installed version.
func (b *taskFixture) addInstance(namespace, app, version string, ready metav1.ConditionStatus) *v1alpha1.AppInstance {
	GinkgoHelper()
	ref := b.AppReference()
	ref.Name = app
	instance := &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app}, Spec: v1alpha1.AppInstanceSpec{AppRef: ref}}
	server.Create(GinkgoTB(), instance)
	setInstalled(instance, version, ready)
	return instance
}

// setInstalled sets the installed version of an instance and its condition Ready.
func setInstalled(instance *v1alpha1.AppInstance, version string, ready metav1.ConditionStatus) {
	GinkgoHelper()
	before := client.MergeFrom(instance.DeepCopy())
	instance.Status.Version, instance.Status.Revision, instance.Status.Releases = version, 1, []v1alpha1.Release{{Name: instance.Name}}
	instance.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: ready, Reason: v1alpha1.ReasonReady, LastTransitionTime: metav1.Now()}}
	Expect(server.Client.Status().Patch(GinkgoT().Context(), instance, before)).To(Succeed())
}

// grantSoon grants a verb for an instance and waits until the permission is effective.
func (b *taskFixture) grantSoon(namespace, verb, instance string) {
	GinkgoHelper()
	b.grantInstances(namespace, verb)
	tenant := release.Tenant{Namespace: b.namespace, ServiceAccount: "tenant"}
	Eventually(func() (bool, error) {
		return admission.HasInstancePermission(b.ctx, b.reconciler.Tenants, tenant, verb, client.ObjectKey{Namespace: namespace, Name: instance})
	}).Should(BeTrue())
}

var _ = Describe("A task for an app that requires an app that can be installed once in a cluster", func() {
	var (
		b         *taskFixture
		base      *v1alpha1.AppInfo
		elsewhere string
	)
	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.addDependencies("base")
		base = b.addApp("base", &v1alpha1.AppSummary{ClusterSingleton: true})
		elsewhere = server.Namespace(GinkgoTB(), nil)
	})
	installing := func(t *v1alpha1.AppInstallTask) { t.Spec.Dependencies = v1alpha1.DependenciesInstall }

	It("waits until a matching version is ready in any namespace, which it does not reveal", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectWaiting(v1alpha1.ReasonWaitingForDependency)
		other := b.addInstance(elsewhere, "base", "0.9.0", metav1.ConditionTrue)
		b.expectWaiting(v1alpha1.ReasonWaitingForDependency)
		setInstalled(other, "1.2.0", metav1.ConditionFalse)
		b.expectWaiting(v1alpha1.ReasonWaitingForDependency)
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(Equal(
			`app "web" requires app "base" with a version that matches ">=1.0.0" to be running in any namespace; ask a cluster administrator to install or upgrade it`))
		setInstalled(other, "1.2.0", metav1.ConditionTrue)
		b.expectStarted()
	})

	It("does not accept an instance in another namespace of an app that each namespace installs", func() {
		setSummary(base, &v1alpha1.AppSummary{})
		b.addInstance(elsewhere, "base", "1.2.0", metav1.ConditionTrue)
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectWaiting(v1alpha1.ReasonWaitingForDependency)
		Expect(b.conditionMessage(v1alpha1.ConditionReconciling)).To(ContainSubstring("to be running in namespace "))
	})

	It("does not install it again", func() {
		b.addInstance(elsewhere, "base", "1.2.0", metav1.ConditionTrue)
		b.createTask("install", v1alpha1.ActionInstall, installing)
		b.expectStarted()
		Expect(b.task.Status.Subtasks).To(BeEmpty())
	})

	It("reports that the service account may not install it", func() {
		task := b.createTask("install", v1alpha1.ActionInstall, installing)
		b.expectWaiting(v1alpha1.ReasonWaitingForDependency)
		subtask := &v1alpha1.AppInstallTask{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "install-base"}}
		b.selectTask(subtask).readTask()
		_, err := b.reconcileTask()
		Expect(err).To(HaveOccurred())
		Expect(b.selectTask(task).expectFailure(v1alpha1.ReasonDependencyFailed)).To(ContainSubstring(
			`app "base" is for administrators, and service account "tenant" lacks the verb "administer"`))
	})
})

var _ = Describe("A task that uninstalls an app that can be installed once in a cluster", func() {
	var (
		b         *taskFixture
		elsewhere string
	)
	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.EditApp(func(app *v1alpha1.AppInfo) { app.Status.Summary = &v1alpha1.AppSummary{ClusterSingleton: true} })
		b.addInstance(b.namespace, "web", "1.0.0", metav1.ConditionTrue)
		b.addApp("client", &v1alpha1.AppSummary{Dependencies: []v1alpha1.AppDependency{{Name: "web", Type: "application", Required: true}}})
		elsewhere = server.Namespace(GinkgoTB(), nil)
		b.addInstance(elsewhere, "client", "1.0.0", metav1.ConditionTrue)
	})
	withDependents := func(t *v1alpha1.AppInstallTask) {
		t.Spec.Uninstall = &v1alpha1.UninstallParameters{Dependents: v1alpha1.DependentsUninstall}
	}

	DescribeTable("is rejected, and does not reveal the instances that require it", func(change func(*v1alpha1.AppInstallTask)) {
		b.createTask("remove", v1alpha1.ActionUninstall, change)
		Expect(b.expectFailure(v1alpha1.ReasonHasDependents)).To(Equal(
			`instances in other namespaces depend on app "web"; ask a cluster administrator to uninstall it`))
		Expect(b.task.Status.Subtasks).To(BeEmpty())
	},
		Entry("by default", func(*v1alpha1.AppInstallTask) {}),
		Entry("if it uninstalls its dependents", withDependents),
	)

	It("names the instances to a service account that may administer it", func() {
		b.grantSoon(b.namespace, "administer", "web")
		b.createTask("remove", v1alpha1.ActionUninstall)
		Expect(b.expectFailure(v1alpha1.ReasonHasDependents)).To(HavePrefix(
			`instances in other namespaces depend on app "web" (` + elsewhere + `/client); uninstall them first`))
	})

	It("uninstalls the instances first with the permission to do so", func() {
		b.grantSoon(b.namespace, "administer", "web")
		b.createTask("remove", v1alpha1.ActionUninstall, withDependents)
		b.expectFailure(v1alpha1.ReasonPermissionDenied)
		b.grantSoon(elsewhere, "uninstall", "client")
		b.createTask("again", v1alpha1.ActionUninstall, withDependents)
		b.expectWaiting(v1alpha1.ReasonWaitingForDependency)
		Expect(b.task.Status.Subtasks).To(HaveExactElements(And(HaveField("Namespace", elsewhere), HaveField("Instance", "client"))))
	})

	It("is admitted if another instance satisfies the dependency", func() {
		b.addInstance(elsewhere, "web", "1.0.0", metav1.ConditionTrue)
		b.createTask("remove", v1alpha1.ActionUninstall)
		b.expectStarted()
	})
})

var _ = Describe("Two tasks that install an app that can be installed once in a cluster at the same time", func() {
	var tenants []*taskFixture
	BeforeEach(func() {
		b := newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.EditApp(func(app *v1alpha1.AppInfo) { app.Status.Summary = &v1alpha1.AppSummary{ClusterSingleton: true} })
		b.reconciler.Client = interceptor.NewClient(b.client, interceptor.Funcs{List: listWithoutInstances})
		second := *b
		second.namespace = server.Namespace(GinkgoTB(), nil)
		server.Allow(GinkgoTB(), second.namespace, "tenant", allowedObjects)
		tenants = []*taskFixture{b, &second}
		for _, tenant := range tenants {
			tenant.grantSoon(tenant.namespace, "administer", "web")
		}
	})
	// reconcileTogether reconciles the tasks of both tenants concurrently, and returns the tenant whose
	// task has started and the other one.
	reconcileTogether := func() (started, other *taskFixture) {
		GinkgoHelper()
		var group sync.WaitGroup
		for _, tenant := range tenants {
			group.Go(func() {
				defer GinkgoRecover()
				_, _ = tenant.reconcileTask() // The specs check the conditions.
			})
		}
		group.Wait()
		if tenants[0].task.Status.InstanceRef != nil {
			return tenants[0], tenants[1]
		}
		return tenants[1], tenants[0]
	}
	expectOneInstance := func(started, other *taskFixture) {
		GinkgoHelper()
		Expect(started.task.Status.InstanceRef).NotTo(BeNil())
		var list v1alpha1.AppInstanceList
		Expect(server.Client.List(other.ctx, &list, client.InNamespace(other.namespace))).To(Succeed())
		Expect(list.Items).To(BeEmpty())
	}

	It("start once, and the other one fails", func() {
		for _, tenant := range tenants {
			tenant.createTask("install", v1alpha1.ActionInstall)
		}
		started, other := reconcileTogether()
		expectOneInstance(started, other)
		Expect(other.conditionStatus(v1alpha1.ConditionSucceeded)).To(Equal("False " + v1alpha1.ReasonSingleInstance))
		Expect(other.preflightReasons()).To(Equal([]string{v1alpha1.ReasonSingleInstance}))
		Expect(other.conditionMessage(v1alpha1.ConditionSucceeded)).To(And(
			ContainSubstring("can be installed once in a cluster"), Not(ContainSubstring(started.namespace))))
	})

	It("start one after the other if both wait for requirements", func() {
		for _, tenant := range tenants {
			tenant.createTask("install", v1alpha1.ActionInstall, func(t *v1alpha1.AppInstallTask) {
				t.Spec.OnUnmetRequirement = v1alpha1.UnmetRequirementWait
			})
		}
		started, other := reconcileTogether()
		expectOneInstance(started, other)
		Expect(other.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True " + v1alpha1.ReasonSingleInstance))
		started.removeInstance()
		other.expectStarted()
	})
})

// listWithoutInstances lists no instances, as a cache that does not contain them yet.
func listWithoutInstances(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
	if _, ok := list.(*v1alpha1.AppInstanceList); ok {
		return nil
	}
	return c.List(ctx, list, options...)
}
