package appinstalltask_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	helmchart "helm.sh/helm/v3/pkg/chart"
	helm "helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	helmrelease "github.com/appmarket/operator/internal/helm/release"
	"github.com/appmarket/operator/internal/release"
)

var _ = Describe("The plan of a dry run that installs no version", func() {
	var b *taskFixture
	var account string
	BeforeEach(func() {
		account = "tenant"
		b = newTaskFixture()
		clients, err := helmrelease.NewClients(server.Config, server.Mapper)
		Expect(err).NotTo(HaveOccurred())
		b.reconciler.Clients = func(t release.Tenant, known release.Records) release.Client { return clients.For(t, known) }
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.installVersion("1.0.0")
	})

	createDryRun := func(action v1alpha1.Action) {
		GinkgoHelper()
		b.createTask("try", action, func(t *v1alpha1.AppInstallTask) { t.Spec.DryRun, t.Spec.ServiceAccountName = new(true), account })
	}
	createPlan := func(action v1alpha1.Action) *v1alpha1.Plan {
		GinkgoHelper()
		createDryRun(action)
		_, err := b.reconcileTask()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionSucceeded)).To(Equal("True Planned"), "%+v", b.task.Status)
		b.expectNoWrites()
		return b.task.Status.Plan
	}
	editInstanceStatus := func(change func(*v1alpha1.AppInstanceStatus)) {
		GinkgoHelper()
		i := b.currentInstance()
		before := client.MergeFrom(i.DeepCopy())
		change(&i.Status)
		Expect(objects.Status().Patch(b.ctx, i, before)).To(Succeed())
	}
	reference := func(version, kind, name string) v1alpha1.ObjectReference {
		return v1alpha1.ObjectReference{APIVersion: version, Kind: kind, Namespace: b.namespace, Name: name}
	}
	configMapYAML := func(name, text string) string {
		return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {text: " + text + "}\n"
	}
	const claimYAML = "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: photos, annotations: {helm.sh/resource-policy: keep}}\n" +
		"spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 8Gi}}}\n"
	// record creates the records of revisions with the manifests, the oldest first, and their history.
	record := func(manifests ...string) {
		GinkgoHelper()
		secrets := driver.NewSecrets(kubernetes.NewForConfigOrDie(server.Config).CoreV1().Secrets(b.namespace))
		var history []v1alpha1.HistoryEntry
		for i, manifest := range manifests {
			revision, status := i+1, helm.StatusSuperseded
			if revision == len(manifests) {
				status = helm.StatusDeployed
			}
			Expect(secrets.Create("sh.helm.release.v1.web.v"+string(rune('0'+revision)), &helm.Release{
				Name: "web", Namespace: b.namespace, Version: revision, Manifest: manifest, Info: &helm.Info{Status: status},
				Chart: &helmchart.Chart{Metadata: &helmchart.Metadata{Name: "web", Version: "1.0.0"}},
			})).To(Succeed())
			history = append([]v1alpha1.HistoryEntry{{
				Operation: v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, Version: "1.0.0", StartedAt: metav1.Now()},
				Outcome:   v1alpha1.OutcomeSucceeded, Revision: int32(revision), EndedAt: metav1.Now(),
				Releases: []v1alpha1.ReleaseRevision{{Name: "web", Revision: int32(revision)}},
			}}, history...)
		}
		editInstanceStatus(func(status *v1alpha1.AppInstanceStatus) {
			status.History, status.Revision = history, int32(len(manifests))
		})
	}

	It("compares the recorded revisions of a rollback", func() {
		record(configMapYAML("page", "a")+configMapYAML("same", "a")+configMapYAML("old", "a"),
			configMapYAML("page", "b")+configMapYAML("same", "a")+configMapYAML("added", "a")+claimYAML)
		editInstanceStatus(func(status *v1alpha1.AppInstanceStatus) {
			status.Inventory = &v1alpha1.Inventory{Objects: []v1alpha1.ObjectReference{
				reference("v1", "ConfigMap", "page"), reference("v1", "ConfigMap", "same"), reference("v1", "ConfigMap", "left"),
			}}
		})
		plan := createPlan(v1alpha1.ActionRollback)
		Expect(plan.Objects).To(Equal([]v1alpha1.PlannedObject{
			{Change: v1alpha1.ObjectDeleted, Object: reference("v1", "ConfigMap", "added")},
			{Change: v1alpha1.ObjectDeleted, Object: reference("v1", "ConfigMap", "left")},
			{Change: v1alpha1.ObjectRetained, Object: reference("v1", "PersistentVolumeClaim", "photos"), Storage: "8Gi"},
			{Change: v1alpha1.ObjectCreated, Object: reference("v1", "ConfigMap", "old")},
			{Change: v1alpha1.ObjectChanged, Object: reference("v1", "ConfigMap", "page")},
		}))
		Expect(b.conditionMessage(v1alpha1.ConditionSucceeded)).To(HaveSuffix("it would create 1 object, change 1 object, delete 2 objects, retain 1 object"))
	})

	It("is not made from a record that another client wrote", func() {
		record(configMapYAML("page", "a"), configMapYAML("page", "b"))
		editInstanceStatus(func(status *v1alpha1.AppInstanceStatus) {
			status.Releases = []v1alpha1.Release{{Name: "web", Records: []v1alpha1.ReleaseRecord{{Revision: 1, Digest: "sha256:other"}, {Revision: 2, Digest: "sha256:other"}}}}
		})
		createDryRun(v1alpha1.ActionRollback)
		b.expectFailure(v1alpha1.ReasonRecordChanged)
		Expect(b.task.Status.Plan).To(BeNil())
	})

	It("lists the workloads that Stop and Restart change", func() {
		server.Allow(GinkgoTB(), b.namespace, "administrator", rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
		account = "administrator"
		editInstanceStatus(func(status *v1alpha1.AppInstanceStatus) {
			status.Inventory = &v1alpha1.Inventory{Objects: []v1alpha1.ObjectReference{
				reference("v1", "ConfigMap", "page"), reference("batch/v1", "CronJob", "backup"), reference("apps/v1", "Deployment", "web"),
			}}
		})
		deployment := v1alpha1.PlannedObject{Change: v1alpha1.ObjectChanged, Object: reference("apps/v1", "Deployment", "web")}
		cronJob := v1alpha1.PlannedObject{Change: v1alpha1.ObjectChanged, Object: reference("batch/v1", "CronJob", "backup")}
		Expect(createPlan(v1alpha1.ActionStop).Objects).To(Equal([]v1alpha1.PlannedObject{cronJob, deployment}))
		Expect(server.Client.Delete(b.ctx, b.task)).To(Succeed())
		Expect(createPlan(v1alpha1.ActionRestart).Objects).To(Equal([]v1alpha1.PlannedObject{deployment}))
	})
})
