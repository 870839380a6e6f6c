package integration_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("A rollback to a revision without a Helm record", func() {
	// installRevisions installs a site and upgrades it twice, so that it has the revisions 1 to 3.
	installRevisions := func(ctx context.Context, t *fixture.Tenant) {
		GinkgoHelper()
		t.Offer(ctx, siteChart("1.0.0"), siteChart("1.1.0"), siteChart("1.2.0"))
		for _, version := range []string{"1.0.0", "1.1.0", "1.2.0"} {
			action := v1alpha1.ActionUpgrade
			if version == "1.0.0" {
				action = v1alpha1.ActionInstall
			}
			t.Succeed(ctx, action, "site", fixture.Version(version))
		}
	}
	expectRejected := func(ctx context.Context, t *fixture.Tenant) {
		GinkgoHelper()
		before := t.Instance(ctx, "site").Generation
		message := t.Fail(ctx, v1alpha1.ReasonRevisionNotFound, v1alpha1.ActionRollback, "site", withRevision(1))
		Expect(message).To(HavePrefix(`revision 1 of instance "site" cannot be restored because its record of Helm release "site" was deleted; `))
		Expect(t.Instance(ctx, "site").Generation).To(Equal(before), "the instance is not changed")
		Expect(t.Instance(ctx, "site").Status.Version).To(Equal("1.2.0"))
	}

	It("is rejected if spec.revisionHistoryLimit removed the revision", func(ctx SpecContext) {
		t := newTenant(ctx)
		installRevisions(ctx, t)
		t.Kubectl(ctx, "patch", "appinstance", "site", "--namespace", t.Namespace, "--type=merge", "--patch", `{"spec":{"revisionHistoryLimit":1,"values":{"text":"a"}}}`)
		Eventually(func() []string { return t.Names(ctx, "secrets", "--selector", "owner=helm,version=1") }).WithContext(ctx).Should(BeEmpty())
		t.WaitTrue(ctx, t.Instance(ctx, "site"), v1alpha1.ConditionReady)
		expectRejected(ctx, t)
	})

	It("is rejected if the record was deleted, and other revisions can be restored", func(ctx SpecContext) {
		t := newTenant(ctx)
		installRevisions(ctx, t)
		t.Kubectl(ctx, "delete", "secret", "sh.helm.release.v1.site.v1", "--namespace", t.Namespace)
		expectRejected(ctx, t)
		t.Succeed(ctx, v1alpha1.ActionRollback, "site", withRevision(2))
		Expect(t.Instance(ctx, "site").Status.Version).To(Equal("1.1.0"))
	})
})
