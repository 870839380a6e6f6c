package integration_test

import (
	"bytes"
	"encoding/json"
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// claimFiles are the files of a chart with a volume claim.
var claimFiles = fixture.Files{
	"templates/data.yaml": "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: \"{{ .Release.Name }}-data\"}\n" + claimSpec,
}

// plainFiles are the files of a chart with a ConfigMap.
var plainFiles = fixture.Files{"templates/page.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{ .Release.Name }}-page\"}\n"}

// offerApps offers charts with app manifests.
func offerApps(ctx SpecContext, t *fixture.Tenant, charts ...fixture.Chart) {
	GinkgoHelper()
	repository := fixture.NewRepository()
	repository.Add(charts...)
	t.AddSource(ctx, repository, fixture.AsOlares)
	t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
}

// countPreflightChecks counts the preflight checks of the tenant since the audit log had the given
// size. A check is recognized by the impersonated list of resource quotas.
func countPreflightChecks(t *fixture.Tenant, since int) int {
	GinkgoHelper()
	text, err := os.ReadFile(t.Cluster.AuditLog())
	Expect(err).NotTo(HaveOccurred())
	count := 0
	for line := range bytes.Lines(text[since:]) {
		var event struct {
			Verb             string
			ImpersonatedUser struct{ Username string }
			ObjectRef        struct{ Resource string }
		}
		if !bytes.Contains(line, []byte("resourcequotas")) || json.Unmarshal(line, &event) != nil {
			continue
		}
		if event.Verb == "list" && event.ObjectRef.Resource == "resourcequotas" && event.ImpersonatedUser.Username == t.User() {
			count++
		}
	}
	return count
}

var _ = Describe("An app with dependents", func() {
	withDataDeletion := func(s *v1alpha1.AppInstallTaskSpec) {
		s.Uninstall = &v1alpha1.UninstallParameters{
			Dependents: v1alpha1.DependentsUninstall, SharedCharts: v1alpha1.SharedChartsRemoveIfUnused, DataPolicy: v1alpha1.DataDelete,
		}
	}

	It("is removed with its data, and its dependents keep their data", func(ctx SpecContext) {
		t := newTenant(ctx)
		offerApps(ctx, t, fixture.App("base", claimFiles, ""), fixture.App("user", claimFiles, "", "base"), fixture.App("visitor", claimFiles, "", "user"))
		for _, app := range []string{"base", "user", "visitor"} {
			t.Succeed(ctx, v1alpha1.ActionInstall, app)
		}
		t.Succeed(ctx, v1alpha1.ActionUninstall, "base", withDataDeletion)
		Eventually(func() []string { return t.Names(ctx, "persistentvolumeclaims") }).WithContext(ctx).Should(Equal([]string{"user-data", "visitor-data"}))
		for _, app := range []string{"user", "visitor"} {
			Expect(retainedNames(t.Instance(ctx, app))).To(Equal([]string{"PersistentVolumeClaim/" + app + "-data"}))
		}
	})

	It("is removed with the data of dependents whose dataPolicy is Delete", func(ctx SpecContext) {
		t := newTenant(ctx)
		offerApps(ctx, t, fixture.App("base", claimFiles, ""), fixture.App("user", claimFiles, "", "base"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "base")
		t.Succeed(ctx, v1alpha1.ActionInstall, "user", func(s *v1alpha1.AppInstallTaskSpec) { s.EnsureParameters().DataPolicy = v1alpha1.DataDelete })
		t.Succeed(ctx, v1alpha1.ActionUninstall, "base", func(s *v1alpha1.AppInstallTaskSpec) {
			s.Uninstall = &v1alpha1.UninstallParameters{Dependents: v1alpha1.DependentsUninstall}
		})
		Eventually(func() []string { return t.Names(ctx, "persistentvolumeclaims") }).WithContext(ctx).Should(Equal([]string{"base-data"}))
	})

	It("is removed with a shared chart, whose data is kept", func(ctx SpecContext) {
		const space = "teamserver-shared"
		t := newMarketTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(fixture.ChartFromFolder(fixture.Path("config/samples/charts/team"), "team", "1.2.0"))
		t.AddSource(ctx, repository, fixture.AsOlares, func(s *v1alpha1.MarketSourceSpec) {
			s.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}
		})
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		t.Cluster.Apply(ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+space+", labels: {appmarket.io/shared-parts: \"true\"}}\n")
		DeferCleanup(func(ctx SpecContext) { t.Kubectl(ctx, "delete", "namespace", space, "--wait=false") })
		server := fixture.TenantIn(ctx, cluster, space)
		server.Source = t.Source
		server.Succeed(ctx, v1alpha1.ActionInstall, "team")
		t.Succeed(ctx, v1alpha1.ActionInstall, "team")
		t.Cluster.Apply(ctx, `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: uninstall, namespace: `+space+`}
rules: [{apiGroups: [appmarket.io], resources: [appinstances], resourceNames: [team], verbs: [uninstall]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: uninstall, namespace: `+space+`}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: uninstall}
subjects: [{kind: ServiceAccount, name: `+fixture.Account+`, namespace: `+t.Namespace+`}]
`)
		Eventually(func() string {
			out, _ := t.TryKubectl(ctx, nil, "auth", "can-i", "uninstall", "appinstances.appmarket.io/team", "--namespace", space, "--as", t.User())
			return out
		}).WithContext(ctx).Should(ContainSubstring("yes"))
		Expect(server.Names(ctx, "persistentvolumeclaims")).To(Equal([]string{"rooms-teamserver-0"}))

		t.Succeed(ctx, v1alpha1.ActionUninstall, "team", withDataDeletion)
		Expect(server.Names(ctx, "statefulsets")).To(BeEmpty())
		Expect(server.Names(ctx, "persistentvolumeclaims", "--selector", "appmarket.io/instance=team")).To(Equal([]string{"rooms-teamserver-0"}))
	})

	DescribeTable("is removed while a task waits for another dependency, and the task does not check continuously", func(ctx SpecContext, needs ...string) {
		t := newTenant(ctx)
		charts := []fixture.Chart{
			fixture.App("second", plainFiles, "envs:\n  - {envName: SECOND_NAME, title: Name, type: string, required: true, editable: true}\n"),
			fixture.App("root", plainFiles, "", needs...),
		}
		for _, name := range needs[:len(needs)-1] {
			charts = append(charts, fixture.App(name, plainFiles, ""))
		}
		offerApps(ctx, t, charts...)
		task := t.Task(ctx, v1alpha1.ActionInstall, "root", func(s *v1alpha1.AppInstallTaskSpec) { s.Dependencies = v1alpha1.DependenciesInstall })
		subtask := &v1alpha1.AppInstallTask{}
		subtask.Namespace, subtask.Name = t.Namespace, task.Name+"-second"
		Eventually(func() error { return t.Client.Get(ctx, client.ObjectKeyFromObject(subtask), subtask) }).WithContext(ctx).Should(Succeed())
		for _, name := range needs[:len(needs)-1] {
			t.Succeed(ctx, v1alpha1.ActionUninstall, name)
		}
		before := client.MergeFrom(subtask.DeepCopy())
		name := "x"
		subtask.Spec.EnsureParameters().Inputs = []v1alpha1.InputValue{{Name: "SECOND_NAME", Value: &name}}
		Expect(t.Client.Patch(ctx, subtask, before)).To(Succeed())
		t.WaitEnd(ctx, subtask)
		Expect(meta.IsStatusConditionTrue(subtask.Status.Conditions, v1alpha1.ConditionSucceeded)).To(BeTrue())
		Eventually(func() string { return t.WaitReconciling(ctx, task, v1alpha1.ReasonWaitingForDependency) }).WithContext(ctx).
			Should(ContainSubstring("waiting for the result of subtask "))

		log, err := os.Stat(t.Cluster.AuditLog())
		Expect(err).NotTo(HaveOccurred())
		// The delay grows: in the time since the subtask finished, there are about two checks.
		wait := max(time.Since(subtask.Status.CompletionTime.Time), 2*time.Second)
		Consistently(func() int { return countPreflightChecks(t, int(log.Size())) }, wait, "200ms").WithContext(ctx).Should(BeNumerically("<=", 5))
		t.Succeed(ctx, v1alpha1.ActionCancel, "root", func(s *v1alpha1.AppInstallTaskSpec) { s.InstanceName = "root" })
	},
		Entry("with two dependencies", "first", "second"),
		Entry("with three dependencies", "first", "another", "second"),
	)
})
