package story_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
)

// createSharedNamespace creates the namespace of a shared chart, with a tenant that can install the
// chart there. Several tests use the same namespace.
func createSharedNamespace(ctx context.Context, source *v1alpha1.MarketSource, unit string) *tenant {
	GinkgoHelper()
	name := unit + "-shared"
	err := k8sClient.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{v1alpha1.SharedPartsLabel: "true"}}})
	Expect(client.IgnoreAlreadyExists(err)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(k8sClient.DeleteAllOf(ctx, &v1alpha1.AppInstance{}, client.InNamespace(name))).To(Succeed())
		Expect(k8sClient.DeleteAllOf(ctx, &v1alpha1.AppInstallTask{}, client.InNamespace(name))).To(Succeed())
	})
	return newTenantIn(ctx, source, name)
}

// releaseUnits returns the chart units of an instance.
func (t *tenant) releaseUnits(ctx context.Context, name string) []string {
	GinkgoHelper()
	var units []string
	for _, r := range t.Instance(ctx, name).Status.Releases {
		units = append(units, r.Unit)
	}
	return units
}

// withDependents uninstalls the dependents of the instance and the shared charts of its app.
func withDependents(s *v1alpha1.AppInstallTaskSpec) {
	s.Uninstall = &v1alpha1.UninstallParameters{Dependents: v1alpha1.DependentsUninstall, SharedCharts: v1alpha1.SharedChartsRemoveIfUnused}
}

var _ = Describe("An app with a shared chart", Ordered, func() {
	const place = "teamserver-shared"
	var source *v1alpha1.MarketSource
	var admin, tenantA, tenantB *tenant

	BeforeAll(func(ctx SpecContext) {
		source = createSampleSource(ctx, createNamespace(ctx, "market"))
		admin = createSharedNamespace(ctx, source, "teamserver")
		tenantA, tenantB = newTenant(ctx, source), newTenant(ctx, source)
	})

	It("waits for the shared chart, and reports the manifest that installs it", func(ctx SpecContext) {
		task := tenantA.Task(ctx, v1alpha1.ActionInstall, "team")
		tenantA.waitReconciling(ctx, task, v1alpha1.ReasonWaitingForDependency)
		Expect(task.Status.Preflight).To(HaveLen(1))
		Expect(task.Status.Preflight[0].Message).To(ContainSubstring(fmt.Sprintf(`shared chart "teamserver" to be running in namespace %q`, place)))

		By("applying the manifest with the permissions of the administrator of the namespace")
		Expect(k8sClient.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: place, Name: "default"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: place, Name: "default"}},
		})).To(Succeed())
		runKubectl(ctx, "apply", "-f", writeRemedyFile(task.Status.Preflight[0].Remedy))
		tenantA.waitSucceeded(ctx, task)
		Expect(admin.releaseUnits(ctx, "team")).To(Equal([]string{"teamserver"}))
		Expect(admin.Instance(ctx, "team").Status.Entrances).To(BeEmpty(), "the clients have the entrances")
		Expect(tenantA.releaseUnits(ctx, "team")).To(Equal([]string{"team"}))
		Expect(tenantA.Instance(ctx, "team").Status.Entrances).NotTo(BeEmpty())
	})

	It("has one client for each tenant", func(ctx SpecContext) {
		tenantB.waitSucceeded(ctx, tenantB.Task(ctx, v1alpha1.ActionInstall, "team"))
		Expect(tenantB.releaseUnits(ctx, "team")).To(Equal([]string{"team"}))
		tenantB.waitSucceeded(ctx, tenantB.Task(ctx, v1alpha1.ActionStop, "team"))
		Expect(admin.instanceState(ctx, "team")).To(Equal(transitions.Running))
		tenantB.waitSucceeded(ctx, tenantB.Task(ctx, v1alpha1.ActionResume, "team"))
	})

	It("keeps the shared chart while it is used", func(ctx SpecContext) {
		message := admin.waitFailed(ctx, admin.Task(ctx, v1alpha1.ActionUninstall, "team"), v1alpha1.ReasonHasDependents)
		Expect(message).To(And(ContainSubstring(tenantA.Namespace+"/team"), ContainSubstring(tenantB.Namespace+"/team")))
		first := tenantA.Task(ctx, v1alpha1.ActionUninstall, "team", withDependents)
		message = tenantA.waitFailed(ctx, first, v1alpha1.ReasonPermissionDenied)
		Expect(message).To(ContainSubstring(fmt.Sprintf(`service account "tenant" cannot uninstall instance "team" in namespace %q`, place)))
		Expect(message).NotTo(ContainSubstring(tenantB.Namespace), "the message does not name instances without permission")
		runKubectl(ctx, "apply", "-f", writeRemedyFile(first.Status.Preflight[0].Remedy))
		message = tenantA.waitFailed(ctx, tenantA.Task(ctx, v1alpha1.ActionUninstall, "team", withDependents), v1alpha1.ReasonHasDependents)
		Expect(message).To(And(ContainSubstring(tenantB.Namespace+"/team"), Not(ContainSubstring(tenantA.Namespace+"/team"))))
		Expect(tenantA.instanceState(ctx, "team")).To(Equal(transitions.Running), "no operation has started")
		Expect(admin.instanceState(ctx, "team")).To(Equal(transitions.Running))

		By("removing one client")
		tenantB.waitSucceeded(ctx, tenantB.Task(ctx, v1alpha1.ActionUninstall, "team"))
		Expect(admin.instanceState(ctx, "team")).To(Equal(transitions.Running))
	})

	It("is removed with the shared chart if the service account is permitted to", func(ctx SpecContext) {
		again := tenantA.Task(ctx, v1alpha1.ActionUninstall, "team", withDependents)
		tenantA.waitSucceeded(ctx, again)
		Expect(again.Status.Subtasks).To(HaveLen(1))
		Expect(again.Status.Subtasks[0].Namespace).To(Equal(place))
		for _, t := range []*tenant{tenantA, admin} {
			Expect(t.instanceState(ctx, "team")).To(Equal(transitions.Uninstalled))
			Expect(t.listLeftovers(ctx)).To(BeEmpty())
		}
	})

	It("is removed with all clients if the service account is permitted to", func(ctx SpecContext) {
		admin.waitSucceeded(ctx, admin.Task(ctx, v1alpha1.ActionInstall, "team"))
		for _, t := range []*tenant{tenantA, tenantB} {
			t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionInstall, "team"))
		}
		first := admin.Task(ctx, v1alpha1.ActionUninstall, "team", withDependents)
		admin.waitFailed(ctx, first, v1alpha1.ReasonPermissionDenied)
		runKubectl(ctx, "apply", "-f", writeRemedyFile(first.Status.Preflight[0].Remedy))
		second := admin.Task(ctx, v1alpha1.ActionUninstall, "team", withDependents)
		admin.waitFailed(ctx, second, v1alpha1.ReasonPermissionDenied)
		for _, t := range []*tenant{tenantA, tenantB} {
			Expect(t.instanceState(ctx, "team")).To(Equal(transitions.Running), "no client is removed if one removal is denied")
		}
		runKubectl(ctx, "apply", "-f", writeRemedyFile(second.Status.Preflight[0].Remedy))
		admin.waitSucceeded(ctx, admin.Task(ctx, v1alpha1.ActionUninstall, "team", withDependents))
		for _, t := range []*tenant{tenantA, tenantB, admin} {
			Expect(t.instanceState(ctx, "team")).To(Equal(transitions.Uninstalled))
			Expect(t.listLeftovers(ctx)).To(BeEmpty())
		}
	})

	It("does not use the shared chart of a namespace without the label", func(ctx SpecContext) {
		admin.waitSucceeded(ctx, admin.Task(ctx, v1alpha1.ActionInstall, "team"))
		runKubectl(ctx, "label", "namespace", place, v1alpha1.SharedPartsLabel+"-")
		task := tenantB.Task(ctx, v1alpha1.ActionInstall, "team")
		tenantB.waitReconciling(ctx, task, v1alpha1.ReasonWaitingForDependency)
		Expect(task.Status.Preflight).To(HaveLen(1))
		Expect(task.Status.Preflight[0].Message).To(ContainSubstring("which does not have the label appmarket.io/shared-parts=true; a cluster administrator must check who has access to the namespace"))
		runKubectl(ctx, "apply", "-f", writeRemedyFile(task.Status.Preflight[0].Remedy))
		tenantB.waitSucceeded(ctx, task)

		By("reporting the dependents only while the namespace has the label")
		admin.waitFailed(ctx, admin.Task(ctx, v1alpha1.ActionUninstall, "team"), v1alpha1.ReasonHasDependents)
		runKubectl(ctx, "label", "namespace", place, v1alpha1.SharedPartsLabel+"-")
		admin.waitSucceeded(ctx, admin.Task(ctx, v1alpha1.ActionUninstall, "team"))
		tenantB.waitSucceeded(ctx, tenantB.Task(ctx, v1alpha1.ActionUninstall, "team"))

		By("installing the shared chart only while the namespace has the label")
		task = admin.Task(ctx, v1alpha1.ActionInstall, "team")
		Expect(admin.waitFailed(ctx, task, v1alpha1.ReasonClusterPermissionRequired)).To(HavePrefix(
			`shared chart "teamserver" can only be installed in a namespace with the label appmarket.io/shared-parts=true; a cluster administrator must check who has access to namespace "teamserver-shared"`))
		runKubectl(ctx, "apply", "-f", writeRemedyFile(task.Status.Preflight[0].Remedy))
		admin.waitSucceeded(ctx, admin.Task(ctx, v1alpha1.ActionInstall, "team"))
	})
})
