package appinstalltask_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A task whose requirement is not met", func() {
	var b *taskFixture
	BeforeEach(func() {
		b = newTaskFixture()
		content := filesWithoutInputs()
		content["templates/service.yaml"] = "apiVersion: v1\nkind: Service\nmetadata: {name: page}\nspec: {ports: [{port: 80}]}\n"
		b.PublishVersion("1.0.0", content)
	})
	waiting := func(t *v1alpha1.AppInstallTask) { t.Spec.OnUnmetRequirement = v1alpha1.UnmetRequirementWait }
	// grant allows the tenant to manage services.
	grant := func() {
		GinkgoHelper()
		name := metav1.ObjectMeta{Namespace: b.namespace, Name: "services"}
		server.Create(GinkgoTB(),
			&rbacv1.Role{ObjectMeta: name, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"*"}}}},
			&rbacv1.RoleBinding{
				ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "services"},
				Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: b.namespace, Name: "tenant"}},
			})
	}

	It("fails by default", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectFailure(v1alpha1.ReasonPermissionDenied)
	})

	It("waits for permissions where its spec says so, and goes on when they are granted", func() {
		b.createTask("install", v1alpha1.ActionInstall, waiting)
		Expect(b.expectWaiting(v1alpha1.ReasonPermissionDenied).RequeueAfter).To(Equal(10 * time.Second))
		Expect(b.preflightReasons()).To(Equal([]string{v1alpha1.ReasonPermissionDenied}))
		Expect(b.task.Status.Preflight[0].Remedy).NotTo(BeEmpty())
		grant()
		Eventually(func() *v1alpha1.InstanceReference {
			_, err := b.reconcileTask()
			Expect(err).NotTo(HaveOccurred())
			return b.task.Status.InstanceRef
		}).ShouldNot(BeNil())
		Expect(b.conditionStatus(v1alpha1.ConditionAdmitted)).To(Equal("True Admitted"))
		Expect(b.preflightReasons()).To(BeEmpty())
	})

	It("waits no longer than its deadline", func() {
		b.createTask("install", v1alpha1.ActionInstall, waiting, func(t *v1alpha1.AppInstallTask) { t.Spec.StartDeadline = "1h" })
		b.expectWaiting(v1alpha1.ReasonPermissionDenied)
		b.elapsed = 2 * time.Hour
		Expect(b.expectFailure(v1alpha1.ReasonDeadlineExceeded)).To(HavePrefix("not admitted within spec.startDeadline (1h): "))
	})

	It("waits for a withdrawn app and a conflicting one where its spec says so", func() {
		grant()
		rival := &v1alpha1.AppInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "rival"},
			Spec:       v1alpha1.AppInstanceSpec{AppRef: v1alpha1.AppReference{Source: "main", Name: "rival", Namespace: b.Source.Namespace}},
		}
		server.Create(GinkgoTB(), rival)
		b.EditApp(func(app *v1alpha1.AppInfo) {
			app.Spec.Withdrawn = true
			app.Status.Summary = &v1alpha1.AppSummary{Conflicts: []v1alpha1.AppDependency{{Name: "rival", Type: "application"}}}
		})
		b.createTask("install", v1alpha1.ActionInstall, waiting)
		b.expectWaiting(v1alpha1.ReasonWithdrawn)
		Expect(b.preflightReasons()).To(ContainElements(v1alpha1.ReasonWithdrawn, v1alpha1.ReasonConflictingApp))
		b.EditApp(func(app *v1alpha1.AppInfo) { app.Spec.Withdrawn = false })
		Eventually(func() []string {
			_, err := b.reconcileTask()
			Expect(err).NotTo(HaveOccurred())
			return b.preflightReasons()
		}).Should(Equal([]string{v1alpha1.ReasonConflictingApp}))
		Expect(server.Client.Delete(b.ctx, rival)).To(Succeed())
		b.expectStarted()
	})

	It("does not wait for what only another request solves", func() {
		grant()
		content := filesWithoutInputs()
		content["templates/service.yaml"] = "apiVersion: v1\nkind: Service\nmetadata: {name: page}\nspec: {ports: [{port: 99999}]}\n"
		b.PublishVersion("2.0.0", content)
		b.createTask("install", v1alpha1.ActionInstall, waiting)
		Eventually(func() string {
			_, _ = b.reconcileTask() // it ends with an error
			return b.conditionStatus(v1alpha1.ConditionSucceeded)
		}).Should(Equal("False InvalidObject"))
	})
})
