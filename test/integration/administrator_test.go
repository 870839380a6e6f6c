package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("An app that serves the whole cluster", func() {
	It("is installed once, by a service account that may administer it", func(ctx SpecContext) {
		first := newMarketTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(fixture.App("engine", plainFiles, "options: {appScope: {clusterScoped: true}}\n"))
		first.AddSource(ctx, repository, fixture.AsOlares, func(s *v1alpha1.MarketSourceSpec) {
			s.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}
		})
		first.WaitTrue(ctx, first.Source, v1alpha1.ConditionReady)
		Expect(first.App(ctx, "engine").Status.Summary.ClusterSingleton).To(BeTrue())

		end := first.Do(ctx, v1alpha1.ActionInstall, "engine")
		Expect(end.Reason).To(Equal(v1alpha1.ReasonPermissionDenied), end.Message)
		applyRemedy(ctx, first, end.Task.Status.Preflight)
		Eventually(func() string { return first.Do(ctx, v1alpha1.ActionInstall, "engine").Message }).WithContext(ctx).
			ShouldNot(ContainSubstring("administer"))
		Expect(first.Instance(ctx, "engine").Status.Version).To(Equal("1.0.0"))

		second := newTenant(ctx)
		second.Source = first.Source
		second.Grant(ctx, rbacv1.PolicyRule{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinstances"}, Verbs: []string{"administer"}})
		message := second.Fail(ctx, v1alpha1.ReasonSingleInstance, v1alpha1.ActionInstall, "engine")
		Expect(message).To(And(ContainSubstring("another namespace has an instance"), Not(ContainSubstring(first.Namespace))))
		first.Succeed(ctx, v1alpha1.ActionUninstall, "engine")
		second.Succeed(ctx, v1alpha1.ActionInstall, "engine")
	})

	It("is installed by one of two tasks that are created at the same time", func(ctx SpecContext) {
		market := newMarketTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(fixture.App("engine", plainFiles, "options: {appScope: {clusterScoped: true}}\n"))
		market.AddSource(ctx, repository, fixture.AsOlares, func(s *v1alpha1.MarketSourceSpec) {
			s.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}
		})
		market.WaitTrue(ctx, market.Source, v1alpha1.ConditionReady)
		market.App(ctx, "engine")
		other := newTenant(ctx)
		other.Source = market.Source
		var tasks []*v1alpha1.AppInstallTask
		for _, tenant := range []*fixture.Tenant{market, other} {
			tenant.Grant(ctx, rbacv1.PolicyRule{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinstances"}, Verbs: []string{"administer"}})
		}
		for _, tenant := range []*fixture.Tenant{market, other} {
			tasks = append(tasks, tenant.Task(ctx, v1alpha1.ActionInstall, "engine"))
		}
		Expect([]string{market.WaitEnd(ctx, tasks[0]).Reason, other.WaitEnd(ctx, tasks[1]).Reason}).To(
			ConsistOf(v1alpha1.ReasonSucceeded, v1alpha1.ReasonSingleInstance))
	})

	It("satisfies the dependencies of apps in other namespaces", func(ctx SpecContext) {
		market := newMarketTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(fixture.App("engine", plainFiles, "options: {appScope: {clusterScoped: true}}\n"), fixture.App("user", plainFiles, "", "engine"))
		market.AddSource(ctx, repository, fixture.AsOlares, func(s *v1alpha1.MarketSourceSpec) {
			s.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}
		})
		market.WaitTrue(ctx, market.Source, v1alpha1.ConditionReady)
		market.App(ctx, "engine")
		market.App(ctx, "user")

		tenant, direct := newTenant(ctx), newTenant(ctx)
		tenant.Source, direct.Source = market.Source, market.Source
		task := tenant.Task(ctx, v1alpha1.ActionInstall, "user")
		tenant.WaitReconciling(ctx, task, v1alpha1.ReasonWaitingForDependency)
		direct.Apply(ctx, "apiVersion: appmarket.io/v1alpha1\nkind: AppInstance\nmetadata: {name: user}\n"+
			"spec: {serviceAccountName: "+fixture.Account+", appRef: {source: "+market.Source.Name+", namespace: "+market.Namespace+", name: user}}\n")
		direct.WaitReconciling(ctx, direct.Instance(ctx, "user"), v1alpha1.ReasonWaitingForDependency)

		market.Grant(ctx, rbacv1.PolicyRule{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinstances"}, Verbs: []string{"administer"}})
		market.Succeed(ctx, v1alpha1.ActionInstall, "engine")
		Expect(tenant.WaitEnd(ctx, task).Reason).To(Equal(v1alpha1.ReasonSucceeded))
		direct.WaitTrue(ctx, direct.Instance(ctx, "user"), v1alpha1.ConditionReady)
		message := market.Fail(ctx, v1alpha1.ReasonHasDependents, v1alpha1.ActionUninstall, "engine")
		Expect(message).To(And(ContainSubstring(tenant.Namespace+"/user"), ContainSubstring(direct.Namespace+"/user")))
	})
})
