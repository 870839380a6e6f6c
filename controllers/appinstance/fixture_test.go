package appinstance_test

import (
	"context"
	"time"

	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/preflight/collector"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/controllers/appinstance"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/health"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/platform"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/taskrecord"
	"github.com/appmarket/operator/test/conformance"
	"github.com/appmarket/operator/test/testenv"
	"github.com/appmarket/operator/test/testsource"
)

// allPermissions grants all permissions in a namespace.
var allPermissions = rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}

// instanceFixture is a tenant with an instance of the app web, and the reconciler.
type instanceFixture struct {
	*testsource.Fixture
	ctx        context.Context
	client     client.WithWatch
	writes     *testenv.Writes
	reconciler *appinstance.Reconciler
	instance   *v1alpha1.AppInstance
}

// newInstanceFixture creates a tenant with all permissions in its namespace.
func newInstanceFixture() *instanceFixture { return newInstanceFixtureWithRules(allPermissions) }

// newInstanceFixtureWithRules creates a tenant with these permissions. It does not create the instance.
func newInstanceFixtureWithRules(rules ...rbacv1.PolicyRule) *instanceFixture {
	GinkgoHelper()
	b := &instanceFixture{Fixture: testsource.New(server), ctx: GinkgoT().Context()}
	b.client, b.writes = testenv.CountWrites(server.Client)
	namespace := server.Namespace(GinkgoTB(), nil)
	server.Allow(GinkgoTB(), namespace, "tenant", rules...)
	b.instance = &v1alpha1.AppInstance{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "mine"},
		Spec:       v1alpha1.AppInstanceSpec{AppRef: b.AppReference(), ServiceAccountName: "tenant"},
	}
	b.restartReconciler()
	return b
}

// restartReconciler creates a new reconciler with a new monitor, as a restart does.
func (b *instanceFixture) restartReconciler() {
	changes := make(chan event.GenericEvent, 1000)
	monitor := health.NewWatcher(server.Config, server.Mapper, changes)
	DeferCleanup(monitor.Close)
	surroundings, err := collector.New(server.Config, server.Mapper)
	Expect(err).NotTo(HaveOccurred())
	tenants := &impersonation.Clients{Config: server.Config, Mapper: server.Mapper, Scheme: server.Scheme}
	b.reconciler = &appinstance.Reconciler{
		Client: b.client, Live: server.Client, Recorder: &events.FakeRecorder{}, Monitor: monitor, Cluster: surroundings,
		Reconciles: fairlimiter.New(8, func(types.NamespacedName) {}),
		Turns:      fairlimiter.New(4, func(types.NamespacedName) {}), Removals: fairlimiter.New(4, func(types.NamespacedName) {}),
		Clients: func(t release.Tenant, known release.Records) release.Client { return clients.For(t, known) },
		Tenants: tenants, Catalog: &catalog.Catalog{Objects: server.Client, Markets: []string{b.Source.Namespace}},
		Planner: &installplan.Planner{
			Objects: server.Client, Tenants: tenants, Archives: b.Store,
			Worker:   hydrate.InProcess{Renderer: render.Engine{}, Reader: olares.Reader{}},
			Profiles: platform.Profiles{v1alpha1.ProfileHelm: olares.HelmProfile{}, v1alpha1.ProfileOlares: olares.Profile{}},
		},
	}
}

// createInstance creates the instance.
func (b *instanceFixture) createInstance(change ...func(*v1alpha1.AppInstanceSpec)) {
	GinkgoHelper()
	for _, c := range change {
		c(&b.instance.Spec)
	}
	server.Create(GinkgoTB(), b.instance)
}

// createAdmittedInstance creates the instance as a task does that was admitted and is not finished.
func (b *instanceFixture) createAdmittedInstance(change ...func(*v1alpha1.AppInstanceSpec)) {
	GinkgoHelper()
	for _, c := range change {
		c(&b.instance.Spec)
	}
	task := b.createTask()
	b.instance.Annotations = taskAnnotations(task.Name, "hash", string(task.UID))
	Expect(taskrecord.SetCode(b.instance)).To(Succeed())
	server.Create(GinkgoTB(), b.instance)
}

// createTask creates a task for the app of the instance.
func (b *instanceFixture) createTask() *v1alpha1.AppInstallTask {
	GinkgoHelper()
	task := &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, GenerateName: "install-"},
		Spec:       v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionInstall, InstanceName: b.instance.Name, AppRef: b.instance.Spec.AppRef},
	}
	server.Create(GinkgoTB(), task)
	return task
}

// editInstance changes the instance as a user does.
func (b *instanceFixture) editInstance(change func(*v1alpha1.AppInstance)) {
	GinkgoHelper()
	b.readInstance()
	before := client.MergeFrom(b.instance.DeepCopy())
	change(b.instance)
	Expect(server.Client.Patch(b.ctx, b.instance, before)).To(Succeed())
}

// taskAnnotations returns the annotations of an instance that a task has written.
func taskAnnotations(task, hash, uid string) map[string]string {
	GinkgoHelper()
	instance := &v1alpha1.AppInstance{}
	Expect(taskrecord.WriteRecord(instance, taskrecord.Record{Task: task, UID: uid, Hash: hash})).To(Succeed())
	instance.Annotations[v1alpha1.ReconcileRequestAnnotation] = uid
	return instance.Annotations
}

// requestReconcile requests a reconcile.
func (b *instanceFixture) requestReconcile(when string) {
	GinkgoHelper()
	b.editInstance(func(i *v1alpha1.AppInstance) {
		i.Annotations = map[string]string{v1alpha1.ReconcileRequestAnnotation: when}
	})
}

// editStatus changes the status of the instance.
func (b *instanceFixture) editStatus(change func(*v1alpha1.AppInstanceStatus)) {
	GinkgoHelper()
	b.readInstance()
	before := client.MergeFrom(b.instance.DeepCopy())
	change(&b.instance.Status)
	Expect(server.Client.Status().Patch(b.ctx, b.instance, before)).To(Succeed())
}

func (b *instanceFixture) readInstance() {
	GinkgoHelper()
	i := &v1alpha1.AppInstance{}
	Expect(server.Client.Get(b.ctx, client.ObjectKeyFromObject(b.instance), i)).To(Succeed())
	b.instance = i
}

// reconcileInstance reconciles the instance once and checks the status contract.
func (b *instanceFixture) reconcileInstance() (ctrl.Result, error) {
	GinkgoHelper()
	b.readInstance()
	result, err := b.reconciler.Reconcile(b.ctx, b.instance)
	b.readInstance()
	conformance.ExpectContract(Default, b.instance)
	return result, err
}

// reconcileUntilObserved reconciles until the monitor has observed the objects.
func (b *instanceFixture) reconcileUntilObserved() (result ctrl.Result, err error) {
	GinkgoHelper()
	Eventually(func() string {
		result, err = b.reconcileInstance()
		return b.conditionMessage(v1alpha1.ConditionReconciling)
	}).WithTimeout(20 * time.Second).ShouldNot(ContainSubstring("waiting for the initial state"))
	return result, err
}

// waitForObservation reconciles until the monitor has observed the last change of each object. The objects must
// have no status, since one that has not observed its generation leads to the same message.
func (b *instanceFixture) waitForObservation() {
	GinkgoHelper()
	Eventually(func() string {
		_, _ = b.reconcileInstance() // the result is checked by the caller
		return b.conditionMessage(v1alpha1.ConditionReady)
	}).WithTimeout(20 * time.Second).ShouldNot(ContainSubstring("its latest change is not observed yet"))
}

// expectUnresolved reconciles an instance whose spec cannot be resolved. The instance must be
// requeued after some time, because the cause may change without triggering a reconcile.
func (b *instanceFixture) expectUnresolved(reason string) {
	GinkgoHelper()
	result, err := b.reconcileInstance()
	Expect(err).NotTo(HaveOccurred())
	Expect(result.RequeueAfter).To(BeNumerically("~", 5*time.Minute, time.Minute))
	Expect(b.conditionStatus(v1alpha1.ConditionResolved)).To(Equal("False " + reason))
	Expect(b.conditionStatus(v1alpha1.ConditionStalled)).To(Equal("True " + reason))
}

// expectReady expects the instance to be ready, and the next reconcile to write nothing.
func (b *instanceFixture) expectReady(version string, revision int) {
	GinkgoHelper()
	_, err := b.reconcileUntilObserved()
	Expect(err).NotTo(HaveOccurred())
	Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"), "%+v", b.instance.Status.Conditions)
	Expect(b.instance.Status.Version).To(Equal(version))
	Expect(b.releaseRevision("mine")).To(Equal(revision))
	b.expectNoWrites()
	Expect(b.releaseRevision("mine")).To(Equal(revision), "Helm was not called again")
}

// ageConditions makes all conditions a minute older.
func (b *instanceFixture) ageConditions() {
	GinkgoHelper()
	b.editStatus(func(status *v1alpha1.AppInstanceStatus) { testenv.AgeConditions(status.Conditions) })
}

// expectNoWrites expects another reconcile to write nothing.
func (b *instanceFixture) expectNoWrites() {
	GinkgoHelper()
	b.ageConditions()
	b.writes.Take()
	before := b.instance
	_, _ = b.reconcileInstance() // the result is checked by the caller
	Expect(b.writes.Take()).To(BeEmpty(), "%+v then %+v", before.Status.Conditions, b.instance.Status.Conditions)
}

// releaseRevision returns the revision of a release, or 0 if it does not exist.
func (b *instanceFixture) releaseRevision(name string) int {
	GinkgoHelper()
	r, err := clients.For(tenantFor(b), nil).Get(b.ctx, name)
	Expect(err).NotTo(HaveOccurred())
	if r == nil {
		return 0
	}
	return r.Revision
}

// historySummary returns the operations of the history, newest first, in a short form.
func (b *instanceFixture) historySummary() []string {
	var all []string
	for _, h := range b.instance.Status.History {
		said := string(h.Operation.Type) + " " + h.Operation.Version + " " + string(h.Outcome)
		if h.Reason != "" {
			said += " " + h.Reason
		}
		all = append(all, said)
	}
	return all
}

// conditionStatus returns the status and the reason of a condition of the instance.
func (b *instanceFixture) conditionStatus(kind string) string {
	if c := meta.FindStatusCondition(b.instance.Status.Conditions, kind); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

// conditionMessage returns the message of a condition.
func (b *instanceFixture) conditionMessage(kind string) string {
	if c := meta.FindStatusCondition(b.instance.Status.Conditions, kind); c != nil {
		return c.Message
	}
	return ""
}

// configMapData returns the data of the ConfigMap of the app.
func (b *instanceFixture) configMapData() map[string]string {
	GinkgoHelper()
	config := &corev1.ConfigMap{}
	Expect(server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.instance.Namespace, Name: "mine-page"}, config)).To(Succeed())
	return config.Data
}

// setWorkloadReady sets the status of the workload, whose Pods are ready or not.
func (b *instanceFixture) setWorkloadReady(is bool) {
	GinkgoHelper()
	web := &appsv1.Deployment{}
	Expect(server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.instance.Namespace, Name: "mine"}, web)).To(Succeed())
	available, count := corev1.ConditionFalse, int32(0)
	if is {
		available, count = corev1.ConditionTrue, 1
	}
	web.Status = appsv1.DeploymentStatus{
		ObservedGeneration: web.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: count, AvailableReplicas: count,
		Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: available},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
		},
	}
	Expect(server.Client.Status().Update(b.ctx, web)).To(Succeed())
}

// reconcileUntil reconciles until the Ready and Healthy conditions have the given state. The
// monitor observes changes with a delay.
func (b *instanceFixture) reconcileUntil(want string) (result ctrl.Result, err error) {
	GinkgoHelper()
	Eventually(func() string {
		result, err = b.reconcileInstance()
		return b.conditionStatus(v1alpha1.ConditionReady) + ", " + b.conditionStatus(v1alpha1.ConditionHealthy)
	}).WithTimeout(20 * time.Second).Should(Equal(want))
	return result, err
}

// failJob sets the status of a Job that has failed.
func failJob(b *instanceFixture, name string) {
	GinkgoHelper()
	job := &batchv1.Job{}
	Expect(server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.instance.Namespace, Name: name}, job)).To(Succeed())
	now := metav1.Now()
	job.Status = batchv1.JobStatus{StartTime: &now, Failed: 1, Conditions: []batchv1.JobCondition{
		{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, Reason: batchv1.JobReasonBackoffLimitExceeded},
		{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: batchv1.JobReasonBackoffLimitExceeded},
	}}
	Expect(server.Client.Status().Update(b.ctx, job)).To(Succeed())
}

// monitoredHealth reports whether the monitor has observed the objects, and returns their health.
func monitoredHealth(b *instanceFixture) (bool, release.Health, error) {
	seen, known, err := b.reconciler.Monitor.Health(b.ctx, client.ObjectKeyFromObject(b.instance))
	return known, seen, err
}

func tenantFor(b *instanceFixture) release.Tenant {
	return release.Tenant{Namespace: b.instance.Namespace, ServiceAccount: "tenant"}
}
