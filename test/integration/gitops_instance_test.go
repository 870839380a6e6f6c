package integration_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// startTimeout is the time within which a waiting instance starts its operation after its requirement is
// met. It is much shorter than the interval at which the operator checks requirements that it
// does not watch.
const startTimeout = 20 * time.Second

// applyInstance applies an instance, as a GitOps tool does.
func applyInstance(ctx context.Context, t *fixture.Tenant, app string) *v1alpha1.AppInstance {
	GinkgoHelper()
	t.Apply(ctx, `apiVersion: appmarket.io/v1alpha1
kind: AppInstance
metadata: {name: `+app+`}
spec: {appRef: {source: `+t.Source.Name+`, name: `+app+`}, serviceAccountName: `+fixture.Account+`}
`)
	return t.Instance(ctx, app)
}

// expectUnmet expects an instance to wait for a requirement and to report it.
func expectUnmet(ctx context.Context, t *fixture.Tenant, instance *v1alpha1.AppInstance, reason, says string) {
	GinkgoHelper()
	Expect(t.WaitCondition(ctx, instance, v1alpha1.ConditionResolved, "False", reason)).To(ContainSubstring(says))
	Expect(t.WaitReconciling(ctx, instance, reason)).To(ContainSubstring(says))
	Expect(instance.Status.Preflight).NotTo(BeEmpty())
}

// expectInstalled expects an instance to be installed and ready within startTimeout.
func expectInstalled(ctx context.Context, t *fixture.Tenant, instance *v1alpha1.AppInstance) {
	GinkgoHelper()
	bounded, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	t.WaitTrue(bounded, instance, v1alpha1.ConditionReady)
	Expect(instance.Status.Preflight).To(BeEmpty())
}

var _ = Describe("An instance in git with an unmet requirement", func() {
	It("waits for a dependency, and continues when it runs", func(ctx SpecContext) {
		t := newTenant(ctx)
		offerApps(ctx, t, fixture.App("base", plainFiles, ""), fixture.App("user", plainFiles, "", "base"))
		user := applyInstance(ctx, t, "user")
		expectUnmet(ctx, t, user, v1alpha1.ReasonWaitingForDependency, `app "user" requires app "base"`)
		base := applyInstance(ctx, t, "base")
		expectInstalled(ctx, t, base)
		expectInstalled(ctx, t, user)
	})

	It("waits while an app that it conflicts with is installed", func(ctx SpecContext) {
		t := newTenant(ctx)
		offerApps(ctx, t, fixture.App("rival", plainFiles, ""), fixture.App("mine", plainFiles, "options: {conflicts: [{name: rival, type: application}]}\n"))
		rival := applyInstance(ctx, t, "rival")
		expectInstalled(ctx, t, rival)
		mine := applyInstance(ctx, t, "mine")
		expectUnmet(ctx, t, mine, v1alpha1.ReasonConflictingApp, `app "mine" conflicts with app "rival"`)
		Expect(t.Client.Delete(ctx, rival)).To(Succeed())
		expectInstalled(ctx, t, mine)
	})

	It("waits while its app is withdrawn", func(ctx SpecContext) {
		t := newTenant(ctx)
		offerApps(ctx, t, fixture.App("page", plainFiles, ""))
		setWithdrawn := func(is bool) {
			GinkgoHelper()
			app := t.App(ctx, "page")
			before := client.MergeFrom(app.DeepCopy())
			app.Spec.Withdrawn = is
			Expect(t.Client.Patch(ctx, app, before)).To(Succeed())
		}
		setWithdrawn(true)
		page := applyInstance(ctx, t, "page")
		expectUnmet(ctx, t, page, v1alpha1.ReasonWithdrawn, "has been withdrawn by its source")
		setWithdrawn(false)
		expectInstalled(ctx, t, page)
	})

	It("waits for a kind that the cluster does not serve, and continues when it does", func(ctx SpecContext) {
		g := newGauges(ctx, newTenant(ctx))
		g.Offer(ctx, g.newChart("1.0.0", "v1"))
		g.deleteCRD(ctx)
		dash := applyInstance(ctx, g.Tenant, "dash")
		expectUnmet(ctx, g.Tenant, dash, v1alpha1.ReasonNoKindMatch, `no matches for kind "Gauge"`)
		g.serveVersions(ctx, "v1", "v1beta1")
		g.WaitTrue(ctx, dash, v1alpha1.ConditionReady)
	})
})
