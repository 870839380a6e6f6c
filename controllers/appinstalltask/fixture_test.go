package appinstalltask_test

import (
	"context"
	"time"

	"github.com/appmarket/operator/test/conformance"

	"github.com/appmarket/operator/internal/preflight/collector"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/controllers/appinstalltask"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/inputwatch"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/platform"
	"github.com/appmarket/operator/internal/taskrecord"
	"github.com/appmarket/operator/test/testenv"
	"github.com/appmarket/operator/test/testsource"
)

// taskFixture is a tenant with a task for the app web, and the reconciler.
type taskFixture struct {
	*testsource.Fixture
	ctx        context.Context
	client     client.WithWatch
	writes     *testenv.Writes
	reconciler *appinstalltask.Reconciler
	namespace  string
	task       *v1alpha1.AppInstallTask
	// woken receives the tasks whose inputs have changed.
	woken chan types.NamespacedName
	// elapsed is subtracted from the creation time of a task before it is reconciled.
	elapsed time.Duration
}

// allowedObjects grants the permissions of a tenant.
var allowedObjects = rbacv1.PolicyRule{
	APIGroups: []string{""}, Resources: []string{"secrets", "configmaps", "pods", "persistentvolumeclaims"}, Verbs: []string{"*"},
}

func newTaskFixture() *taskFixture {
	GinkgoHelper()
	b := &taskFixture{Fixture: testsource.New(server), ctx: GinkgoT().Context(), namespace: server.Namespace(GinkgoTB(), nil)}
	b.client, b.writes = testenv.CountWrites(objects)
	server.Allow(GinkgoTB(), b.namespace, "tenant", allowedObjects)
	server.Create(GinkgoTB(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "inputs"}, StringData: map[string]string{"password": "hunter2"},
	})
	b.woken = make(chan types.NamespacedName, 100)
	inputs := inputwatch.NewWatcher(server.Config, 0, func(task types.NamespacedName) { b.woken <- task })
	DeferCleanup(inputs.Close)
	surroundings, err := collector.New(server.Config, server.Mapper)
	Expect(err).NotTo(HaveOccurred())
	tenants := &impersonation.Clients{Config: server.Config, Mapper: server.Mapper, Scheme: server.Scheme}
	b.reconciler = &appinstalltask.Reconciler{
		Client: b.client, Live: server.Client, Recorder: &events.FakeRecorder{}, Cluster: surroundings, Inputs: inputs,
		Turns:   fairlimiter.NewForShortWork(16, func(types.NamespacedName) {}),
		Tenants: tenants, Catalog: &catalog.Catalog{Objects: server.Client, Markets: []string{b.Source.Namespace}},
		Reports: b.Store,
		Planner: &installplan.Planner{
			Objects: server.Client, Tenants: tenants, Archives: b.Store,
			Worker:   hydrate.InProcess{Renderer: render.Engine{}, Reader: olares.Reader{}},
			Profiles: platform.Profiles{v1alpha1.ProfileHelm: olares.HelmProfile{}, v1alpha1.ProfileOlares: olares.Profile{}},
		},
	}
	return b
}

// password is the input PASSWORD with a reference to the Secret in the namespace.
var password = v1alpha1.InputValue{Name: "PASSWORD", ValueFrom: &v1alpha1.InputValueSource{
	SecretKeyRef: &v1alpha1.KeyReference{Name: "inputs", Key: "password"},
}}

// createTask creates a task.
func (b *taskFixture) createTask(name string, action v1alpha1.Action, change ...func(*v1alpha1.AppInstallTask)) *v1alpha1.AppInstallTask {
	GinkgoHelper()
	task := &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name},
		Spec:       v1alpha1.AppInstallTaskSpec{Action: action, AppRef: b.AppReference(), ServiceAccountName: "tenant"},
	}
	for _, c := range change {
		c(task)
	}
	Expect(objects.Create(b.ctx, task)).To(Succeed())
	b.task = task
	return task
}

// reconcileTask reconciles the task once and checks the status contract.
func (b *taskFixture) reconcileTask() (ctrl.Result, error) {
	GinkgoHelper()
	b.readTask()
	b.task.CreationTimestamp = metav1.NewTime(b.task.CreationTimestamp.Add(-b.elapsed))
	result, err := b.reconciler.Reconcile(b.ctx, b.task)
	b.readTask()
	conformance.ExpectContract(Default, b.task)
	return result, err
}

// selectTask selects another task to reconcile.
func (b *taskFixture) selectTask(task *v1alpha1.AppInstallTask) *taskFixture {
	b.task = task
	return b
}

func (b *taskFixture) readTask() {
	GinkgoHelper()
	task := &v1alpha1.AppInstallTask{}
	Expect(server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.task), task)).To(Succeed())
	b.task = task
}

// editTask changes the task as a user does.
func (b *taskFixture) editTask(change func(*v1alpha1.AppInstallTask)) {
	GinkgoHelper()
	b.readTask()
	before := client.MergeFrom(b.task.DeepCopy())
	change(b.task)
	Expect(objects.Patch(b.ctx, b.task, before)).To(Succeed())
}

// editStatus changes the status of the task.
func (b *taskFixture) editStatus(change func(*v1alpha1.AppInstallTaskStatus)) {
	GinkgoHelper()
	b.readTask()
	before := client.MergeFrom(b.task.DeepCopy())
	change(&b.task.Status)
	Expect(objects.Status().Patch(b.ctx, b.task, before)).To(Succeed())
}

// expectWaiting expects the task to wait, and the next reconcile to write nothing.
func (b *taskFixture) expectWaiting(reason string) ctrl.Result {
	GinkgoHelper()
	result, err := b.reconcileTask()
	Expect(err).NotTo(HaveOccurred())
	Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True " + reason))
	Expect(b.conditionStatus(v1alpha1.ConditionSucceeded)).To(HavePrefix("Unknown "))
	Expect(b.task.Finished()).To(BeFalse())
	b.expectNoWrites()
	return result
}

// expectFailure expects the task to end with a terminal error.
func (b *taskFixture) expectFailure(reason string) string {
	GinkgoHelper()
	_, err := b.reconcileTask()
	Expect(err).To(HaveOccurred())
	Expect(b.conditionStatus(v1alpha1.ConditionSucceeded)).To(Equal("False " + reason))
	Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True " + reason))
	Expect(b.task.Finished()).To(BeTrue())
	Expect(b.task.Status.QueuePosition).To(BeZero())
	b.expectNoWrites()
	return b.conditionMessage(v1alpha1.ConditionSucceeded)
}

// expectStarted expects the task to be admitted and to write the instance.
func (b *taskFixture) expectStarted() {
	GinkgoHelper()
	_, err := b.reconcileTask()
	Expect(err).NotTo(HaveOccurred())
	Expect(b.conditionStatus(v1alpha1.ConditionAdmitted)).To(Equal("True Admitted"), "%+v", b.task.Status)
	Expect(b.task.Status.InstanceRef).NotTo(BeNil())
	i := &v1alpha1.AppInstance{}
	Expect(server.Client.Get(b.ctx, client.ObjectKey{Namespace: b.task.Namespace, Name: b.task.Status.InstanceRef.Name}, i)).To(Succeed())
	record, err := taskrecord.ReadRecord(i)
	Expect(err).NotTo(HaveOccurred())
	Expect(taskrecord.HasValidCode(i, record)).To(BeTrue(), "%+v", i.Spec)
	b.expectNoWrites()
}

// expectSuccess expects the task to succeed.
func (b *taskFixture) expectSuccess() {
	GinkgoHelper()
	_, err := b.reconcileTask()
	Expect(err).NotTo(HaveOccurred())
	Expect(b.conditionStatus(v1alpha1.ConditionSucceeded)).To(Equal("True Succeeded"), "%+v", b.task.Status)
	Expect(b.task.Finished()).To(BeTrue())
	b.expectNoWrites()
}

// ageConditions makes all conditions a minute older.
func (b *taskFixture) ageConditions() {
	GinkgoHelper()
	b.editStatus(func(status *v1alpha1.AppInstallTaskStatus) { testenv.AgeConditions(status.Conditions) })
}

// expectNoWrites expects another reconcile to write nothing.
func (b *taskFixture) expectNoWrites() {
	GinkgoHelper()
	b.ageConditions()
	b.writes.Take()
	_, _ = b.reconcileTask() // the result is checked by the caller
	Expect(b.writes.Take()).To(BeEmpty(), "%+v", b.task.Status)
}

// preflightReasons returns the reasons in status.preflight.
func (b *taskFixture) preflightReasons() []string {
	var reasons []string
	for _, p := range b.task.Status.Preflight {
		reasons = append(reasons, p.Reason)
	}
	return reasons
}

// currentInstance returns the instance of the task.
func (b *taskFixture) currentInstance() *v1alpha1.AppInstance {
	GinkgoHelper()
	i := &v1alpha1.AppInstance{}
	Expect(server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.namespace, Name: "web"}, i)).To(Succeed())
	return i
}

// removeInstance deletes the instance and its finalizer, as the instance controller does.
func (b *taskFixture) removeInstance() {
	GinkgoHelper()
	i := b.currentInstance()
	Expect(server.Client.Delete(b.ctx, i)).To(Succeed())
	Expect(server.Client.Patch(b.ctx, i, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
}

// setInstanceStatus sets the status that the instance controller would set: the conditions are given as
// type, status and reason, and observe the current generation.
func (b *taskFixture) setInstanceStatus(version string, done bool, conditions ...[3]string) {
	GinkgoHelper()
	i := b.currentInstance()
	before := client.MergeFrom(i.DeepCopy())
	i.Status.Version, i.Status.Revision, i.Status.Releases = version, 0, nil
	if version != "" {
		i.Status.Revision, i.Status.Releases = 1, []v1alpha1.Release{{Name: i.Name}}
	}
	if done {
		i.Status.ObservedGeneration = i.Generation
		i.Status.LastHandledReconcileAt = i.Annotations[v1alpha1.ReconcileRequestAnnotation]
	}
	i.Status.Conditions = nil
	for _, c := range conditions {
		i.Status.Conditions = append(i.Status.Conditions, metav1.Condition{
			Type: c[0], Status: metav1.ConditionStatus(c[1]), Reason: c[2], Message: c[0] + " as the instance says",
			ObservedGeneration: i.Generation, LastTransitionTime: metav1.NewTime(time.Unix(1, 0)),
		})
	}
	Expect(server.Client.Status().Patch(b.ctx, i, before)).To(Succeed())
}

// setInstanceReady sets the status of an instance with an installed version.
func (b *taskFixture) setInstanceReady(version string) {
	GinkgoHelper()
	b.setInstanceStatus(version, true, [3]string{"Resolved", "True", "Resolved"}, [3]string{"Applied", "True", "Applied"},
		[3]string{"Healthy", "True", "Healthy"}, [3]string{"Ready", "True", "Ready"})
}

// installVersion installs a version with a task.
func (b *taskFixture) installVersion(version string, change ...func(*v1alpha1.AppInstallTask)) {
	GinkgoHelper()
	b.createTask("first", v1alpha1.ActionInstall, append(change, func(t *v1alpha1.AppInstallTask) { t.Spec.EnsureParameters().Version = version })...)
	b.expectStarted()
	b.setInstanceReady(version)
	b.expectSuccess()
}

// conditionStatus returns the status and the reason of a condition of the task.
func (b *taskFixture) conditionStatus(kind string) string {
	if c := meta.FindStatusCondition(b.task.Status.Conditions, kind); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

// conditionMessage returns the message of a condition.
func (b *taskFixture) conditionMessage(kind string) string {
	if c := meta.FindStatusCondition(b.task.Status.Conditions, kind); c != nil {
		return c.Message
	}
	return ""
}

// addDependencies adds dependencies to the app.
func (b *taskFixture) addDependencies(apps ...string) {
	GinkgoHelper()
	b.EditApp(func(app *v1alpha1.AppInfo) {
		app.Status.Summary = &v1alpha1.AppSummary{}
		for _, name := range apps {
			app.Status.Summary.Dependencies = append(app.Status.Summary.Dependencies,
				v1alpha1.AppDependency{Name: name, Type: "application", Version: ">=1.0.0", Required: true})
		}
	})
}
