package appinstance_test

import (
	"context"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("Two instances of an app that can be installed once in a cluster", func() {
	// newTenants returns two tenants of a reconciler whose cache does not contain their instances yet.
	newTenants := func() []*instanceFixture {
		GinkgoHelper()
		b := newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
		b.setSummary(&v1alpha1.AppSummary{ClusterSingleton: true})
		b.reconciler.Client = interceptor.NewClient(b.client, interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				if _, ok := list.(*v1alpha1.AppInstanceList); ok {
					return nil
				}
				return c.List(ctx, list, options...)
			},
		})
		second := *b
		second.instance = &v1alpha1.AppInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace(GinkgoTB(), nil), Name: "mine"},
			Spec:       *b.instance.Spec.DeepCopy(),
		}
		server.Allow(GinkgoTB(), second.instance.Namespace, "tenant", allPermissions)
		return []*instanceFixture{b, &second}
	}

	DescribeTable("are installed one after the other if they are admitted at the same time", func(create func(*instanceFixture)) {
		tenants := newTenants()
		var group sync.WaitGroup
		for _, tenant := range tenants {
			create(tenant)
			group.Go(func() {
				defer GinkgoRecover()
				_, err := tenant.reconcileInstance()
				Expect(err).NotTo(HaveOccurred())
			})
		}
		group.Wait()
		first, second := tenants[0], tenants[1]
		if first.instance.Status.Revision == 0 {
			first, second = second, first
		}
		Expect(first.historySummary()).To(Equal([]string{"Install 1.0.0 Succeeded"}))
		Expect(second.conditionStatus(v1alpha1.ConditionResolved)).To(Equal("False " + v1alpha1.ReasonSingleInstance))
		Expect(second.conditionMessage(v1alpha1.ConditionResolved)).To(ContainSubstring("another namespace has an instance"))
		Expect(second.instance.Status.Preflight).To(HaveExactElements(HaveField("Reason", v1alpha1.ReasonSingleInstance)))
		Expect(second.instance.Status.Releases).To(BeEmpty())
		second.expectNoWrites()

		first.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.DesiredState = v1alpha1.StateUninstalled })
		_, err := first.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		second.expectReady("1.0.0", 1)
		Expect(second.instance.Status.Preflight).To(BeEmpty())
	},
		Entry("by the instance controller", func(tenant *instanceFixture) { tenant.createInstance() }),
		Entry("by their tasks", func(tenant *instanceFixture) { tenant.createAdmittedInstance() }),
	)
})
