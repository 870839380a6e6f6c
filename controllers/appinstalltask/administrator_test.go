package appinstalltask_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
)

// grantInstances grants a verb for the instances of a namespace to the service account of the
// tenant.
func (b *taskFixture) grantInstances(namespace, verb string) {
	GinkgoHelper()
	grantVerb(namespace, verb, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: b.namespace, Name: "tenant"})
}

// grantVerb grants a verb for the instances of a namespace.
func grantVerb(namespace, verb string, subject rbacv1.Subject) {
	GinkgoHelper()
	name := metav1.ObjectMeta{Namespace: namespace, Name: verb}
	server.Create(GinkgoTB(),
		&rbacv1.Role{ObjectMeta: name, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinstances"}, Verbs: []string{verb}}}},
		&rbacv1.RoleBinding{
			ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name.Name},
			Subjects: []rbacv1.Subject{subject},
		})
}

// expectAdmittedSoon expects the task to be admitted as soon as new permissions are effective.
func (b *taskFixture) expectAdmittedSoon() {
	GinkgoHelper()
	Eventually(func() string {
		_, err := b.reconcileTask()
		Expect(err).NotTo(HaveOccurred())
		return b.conditionStatus(v1alpha1.ConditionAdmitted)
	}).Should(Equal("True Admitted"))
}

var _ = Describe("A task for an app for administrators", func() {
	var b *taskFixture
	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.EditApp(func(app *v1alpha1.AppInfo) { app.Status.Summary = &v1alpha1.AppSummary{AdminOnly: true} })
	})
	waiting := func(t *v1alpha1.AppInstallTask) { t.Spec.OnUnmetRequirement = v1alpha1.UnmetRequirementWait }
	// applyRemedy applies the remedy of the first problem.
	applyRemedy := func() {
		GinkgoHelper()
		documents := strings.Split(b.task.Status.Preflight[0].Remedy, "---\n")
		Expect(documents).To(HaveLen(2))
		for i, object := range []client.Object{&rbacv1.Role{}, &rbacv1.RoleBinding{}} {
			Expect(yaml.UnmarshalStrict([]byte(documents[i]), object)).To(Succeed())
			server.Create(GinkgoTB(), object)
		}
	}

	It("fails without the permission, and its remedy is sufficient", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		Expect(b.expectFailure(v1alpha1.ReasonPermissionDenied)).To(And(
			HavePrefix(`app "web" is for administrators, and service account "tenant" lacks the verb "administer"`), HaveSuffix("must apply status.preflight[0].remedy")))
		applyRemedy()
		b.createTask("again", v1alpha1.ActionInstall, waiting)
		b.expectAdmittedSoon()
	})

	It("waits for the permission if its spec says so", func() {
		b.createTask("install", v1alpha1.ActionInstall, waiting)
		b.expectWaiting(v1alpha1.ReasonPermissionDenied)
		b.grantInstances(b.namespace, "administer")
		b.expectAdmittedSoon()
	})

	DescribeTable("needs the permission to", func(action v1alpha1.Action, change func(*v1alpha1.AppInstallTask)) {
		b.createTask("task", action, change)
		_, err := b.reconcileTask()
		Expect(err).To(HaveOccurred())
		Expect(b.task.Status.Preflight).To(ContainElement(And(
			HaveField("Reason", v1alpha1.ReasonPermissionDenied), HaveField("Message", ContainSubstring(`"administer"`)))))
	},
		Entry("clone", v1alpha1.ActionClone, func(t *v1alpha1.AppInstallTask) {
			t.Spec.InstanceName, t.Spec.Clone = "copy", &v1alpha1.CloneParameters{From: v1alpha1.CloneSource{Name: "web"}}
		}),
		Entry("adopt", v1alpha1.ActionAdopt, func(*v1alpha1.AppInstallTask) {}),
	)

	It("needs no permission for another app", func() {
		b.EditApp(func(app *v1alpha1.AppInfo) { app.Status.Summary.AdminOnly = false })
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectAdmittedSoon()
	})
})

var _ = Describe("A task for an app that can be installed once in a cluster", func() {
	var b *taskFixture
	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.EditApp(func(app *v1alpha1.AppInfo) { app.Status.Summary = &v1alpha1.AppSummary{ClusterSingleton: true} })
	})
	waiting := func(t *v1alpha1.AppInstallTask) { t.Spec.OnUnmetRequirement = v1alpha1.UnmetRequirementWait }
	// createOther creates an instance of the app in another namespace.
	createOther := func(isInstalled bool) *v1alpha1.AppInstance {
		GinkgoHelper()
		other := &v1alpha1.AppInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace(GinkgoTB(), nil), Name: "other"},
			Spec:       v1alpha1.AppInstanceSpec{AppRef: b.AppReference()},
		}
		server.Create(GinkgoTB(), other)
		if isInstalled {
			before := client.MergeFrom(other.DeepCopy())
			other.Status.Revision, other.Status.Releases = 1, []v1alpha1.Release{{Name: "other"}}
			Expect(server.Client.Status().Patch(b.ctx, other, before)).To(Succeed())
		}
		return other
	}

	It("needs the permission to administer it", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectFailure(v1alpha1.ReasonPermissionDenied)
	})

	It("waits for the instance in another namespace, and names it only to a service account that may get it", func() {
		b.grantInstances(b.namespace, "administer")
		other := createOther(true)
		b.createTask("install", v1alpha1.ActionInstall, waiting)
		Eventually(func() []string {
			_, err := b.reconcileTask()
			Expect(err).NotTo(HaveOccurred())
			return b.preflightReasons()
		}).Should(Equal([]string{v1alpha1.ReasonSingleInstance}))
		Expect(b.task.Status.Preflight[0].Message).NotTo(ContainSubstring(other.Namespace))
		b.grantInstances(other.Namespace, "get")
		Eventually(func() string {
			_, err := b.reconcileTask()
			Expect(err).NotTo(HaveOccurred())
			return b.task.Status.Preflight[0].Message
		}).Should(ContainSubstring(`instance "other" in namespace "` + other.Namespace + `"`))
		Expect(server.Client.Delete(b.ctx, other)).To(Succeed())
		b.expectAdmittedSoon()
	})

	It("does not wait for an instance that has no permission", func() {
		b.grantInstances(b.namespace, "administer")
		createOther(false)
		b.createTask("install", v1alpha1.ActionInstall, waiting)
		b.expectAdmittedSoon()
	})

	It("waits for an instance that waits and has the permission", func() {
		b.grantInstances(b.namespace, "administer")
		other := createOther(false)
		grantVerb(other.Namespace, "administer", rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: other.Namespace, Name: "default"})
		b.createTask("install", v1alpha1.ActionInstall, waiting)
		Eventually(func() []string {
			_, err := b.reconcileTask()
			Expect(err).NotTo(HaveOccurred())
			return b.preflightReasons()
		}).Should(Equal([]string{v1alpha1.ReasonSingleInstance}))
	})
})
