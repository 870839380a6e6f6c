package appinstalltask_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A task with spec.dryRun", func() {
	var b *taskFixture
	BeforeEach(func() { b = newTaskFixture() })

	plan := func(name string, action v1alpha1.Action, change ...func(*v1alpha1.AppInstallTask)) {
		GinkgoHelper()
		b.createTask(name, action, append(change, func(t *v1alpha1.AppInstallTask) { t.Spec.DryRun = new(true) })...)
	}
	expectPlanned := func() *v1alpha1.Plan {
		GinkgoHelper()
		_, err := b.reconcileTask()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionSucceeded)).To(Equal("True Planned"), "%+v", b.task.Status)
		Expect(b.task.Finished()).To(BeTrue())
		Expect(b.task.Status.InstanceRef).To(BeNil())
		b.expectNoWrites()
		return b.task.Status.Plan
	}
	inNamespace := func(change v1alpha1.ObjectChange, name string) v1alpha1.PlannedObject {
		return v1alpha1.PlannedObject{Change: change, Object: v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: b.namespace, Name: name}}
	}
	files := func(texts map[string]string) map[string]string {
		content := map[string]string{}
		for name, text := range texts {
			content["templates/"+name+".yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {text: " + text + "}\n"
		}
		return content
	}

	It("reports the objects of an installation, and creates nothing", func() {
		b.PublishVersion("1.0.0", files(map[string]string{"page": "a"}))
		plan("try", v1alpha1.ActionInstall)
		Expect(expectPlanned()).To(HaveField("Objects", Equal([]v1alpha1.PlannedObject{inNamespace(v1alpha1.ObjectCreated, "page")})))
		Expect(b.task.Status.Plan.ChartDigest).To(HavePrefix("sha256:"))
		Expect(b.task.Status.Version).To(Equal("1.0.0"))
		Expect(b.conditionMessage(v1alpha1.ConditionSucceeded)).To(Equal(
			`dry run: Install of instance "web" is possible with version 1.0.0; it would create 1 object`))
		err := server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.namespace, Name: "web"}, &v1alpha1.AppInstance{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue())
		Expect(server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.namespace, Name: "page"}, &corev1.ConfigMap{})).NotTo(Succeed())
	})

	It("is deleted after five minutes", func() {
		b.PublishVersion("1.0.0", filesWithoutInputs())
		plan("try", v1alpha1.ActionInstall)
		expectPlanned()
		result, err := b.reconcileTask()
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(BeNumerically("~", 5*time.Minute, 10*time.Second))
		b.editStatus(func(status *v1alpha1.AppInstallTaskStatus) {
			status.CompletionTime.Time = status.CompletionTime.Add(-5 * time.Minute)
		})
		key := client.ObjectKeyFromObject(b.task)
		_, err = b.reconciler.Reconcile(b.ctx, b.task)
		Expect(err).NotTo(HaveOccurred())
		Expect(apierrors.IsNotFound(server.Client.Get(b.ctx, key, &v1alpha1.AppInstallTask{}))).To(BeTrue())
	})

	It("compares an upgrade with the installed version", func() {
		b.PublishVersion("1.0.0", files(map[string]string{"page": "a", "same": "a", "old": "a"}))
		b.installVersion("1.0.0")
		i := b.currentInstance()
		before := client.MergeFrom(i.DeepCopy())
		i.Status.Inventory = &v1alpha1.Inventory{Objects: []v1alpha1.ObjectReference{
			inNamespace("", "page").Object, inNamespace("", "same").Object, inNamespace("", "old").Object,
		}}
		Expect(objects.Status().Patch(b.ctx, i, before)).To(Succeed())
		b.PublishVersion("1.1.0", files(map[string]string{"page": "b", "same": "a", "added": "a"}))
		plan("try", v1alpha1.ActionUpgrade)
		got := expectPlanned()
		Expect(got.Objects).To(Equal([]v1alpha1.PlannedObject{
			inNamespace(v1alpha1.ObjectDeleted, "old"), inNamespace(v1alpha1.ObjectCreated, "added"), inNamespace(v1alpha1.ObjectChanged, "page"),
		}))
		Expect([]int32{got.ObjectsCreated, got.ObjectsChanged, got.ObjectsDeleted}).To(Equal([]int32{1, 1, 1}))
		Expect(b.currentInstance().Spec.Version).To(Equal("1.0.0"))
	})

	It("says that nothing would change", func() {
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.installVersion("1.0.0")
		plan("try", v1alpha1.ActionStop)
		Expect(expectPlanned().Objects).To(BeEmpty())
		Expect(b.conditionMessage(v1alpha1.ConditionSucceeded)).To(Equal(`dry run: Stop of instance "web" is possible; it would change no object`))
	})

	It("lists all problems, and does not wait for those that may be solved later", func() {
		b.PublishVersion("1.0.0", filesWithInputs())
		b.addDependencies("database")
		plan("try", v1alpha1.ActionInstall)
		b.expectFailure(v1alpha1.ReasonInputRequired)
		Expect(b.task.Status.RequiredInputs).To(HaveLen(2))
		Expect(b.task.Status.Preflight).To(HaveLen(2))
		Expect(b.task.Status.Plan).To(BeNil())
	})

	It("assumes a placeholder for a missing password", func() {
		content := filesWithInputs()
		content["templates/page.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page}\ndata: {key: {{ required \"no password\" .Values.olaresEnv.PASSWORD | quote }}}\n"
		b.PublishVersion("1.0.0", content)
		theme := "dark"
		set := func(t *v1alpha1.AppInstallTask) {
			t.Spec.Install = &v1alpha1.AppParameters{AppConfiguration: v1alpha1.AppConfiguration{Inputs: []v1alpha1.InputValue{{Name: "THEME", Value: &theme}}}}
		}
		plan("try", v1alpha1.ActionInstall, set)
		b.expectFailure(v1alpha1.ReasonInputRequired)
		Expect(b.task.Status.RequiredInputs).To(ConsistOf(HaveField("Name", "PASSWORD")))
		Expect(b.task.Status.Plan).To(HaveField("Objects", Equal([]v1alpha1.PlannedObject{inNamespace(v1alpha1.ObjectCreated, "page")})))
		b.expectNoWrites()

		b.addDependencies("database")
		plan("again", v1alpha1.ActionInstall, set)
		b.expectFailure(v1alpha1.ReasonInputRequired)
		Expect(b.task.Status.Preflight).To(HaveLen(2))
		Expect(b.task.Status.Plan).To(BeNil(), "another problem prevents the operation")

		b.createTask("install", v1alpha1.ActionInstall, set)
		_, err := b.reconcileTask()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.task.Finished()).To(BeFalse(), "a task that is carried out assumes nothing")
		Expect(b.task.Status.RequiredInputs).To(ConsistOf(HaveField("Name", "PASSWORD")))
	})

	It("fails with the reason for which the task would wait", func() {
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.addDependencies("database")
		plan("try", v1alpha1.ActionInstall)
		b.expectFailure(v1alpha1.ReasonWaitingForDependency)
	})

	It("neither waits for the tasks of the instance nor delays them", func() {
		b.PublishVersion("1.0.0", filesWithoutInputs())
		plan("a-try", v1alpha1.ActionInstall)
		first := b.task
		carriedOut := b.createTask("install", v1alpha1.ActionInstall)
		b.expectStarted()
		b.selectTask(first).expectFailure(v1alpha1.ReasonWaitingForTurn)
		b.selectTask(carriedOut)
		b.setInstanceReady("1.0.0")
		b.expectSuccess()
		Expect(b.currentInstance().Status.CompletedTasks).To(BeEmpty())
	})

	It("is rejected for Cancel, and cannot become another kind of task", func() {
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.createTask("install", v1alpha1.ActionInstall)
		changed := b.task.DeepCopy()
		changed.Spec.DryRun = new(true)
		Expect(objects.Patch(b.ctx, changed, client.MergeFrom(b.task))).To(MatchError(ContainSubstring("dryRun is immutable")))
		cancel := &v1alpha1.AppInstallTask{Spec: v1alpha1.AppInstallTaskSpec{Action: v1alpha1.ActionCancel, AppRef: b.AppReference(), DryRun: new(true)}}
		cancel.Namespace, cancel.Name = b.namespace, "cancel"
		Expect(objects.Create(b.ctx, cancel)).To(MatchError(ContainSubstring("dryRun may not be true when action is Cancel")))
	})
})
