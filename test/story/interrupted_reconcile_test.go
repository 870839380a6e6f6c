package story_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/test/fixture"
)

// requestReconcile sets the annotation that requests a reconcile.
func requestReconcile(ctx context.Context, o client.Object, value string) {
	GinkgoHelper()
	before := o.DeepCopyObject().(client.Object)
	o.SetAnnotations(map[string]string{v1alpha1.ReconcileRequestAnnotation: value})
	Expect(k8sClient.Patch(ctx, o, client.MergeFrom(before))).To(Succeed())
}

// expectInterrupted waits until an object is Stalled because its reconciles were interrupted.
func expectInterrupted(ctx context.Context, o v1alpha1.Object) {
	GinkgoHelper()
	Eventually(func() string {
		Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		if c := meta.FindStatusCondition(o.GetConditions(), v1alpha1.ConditionStalled); c != nil {
			return c.Reason + " " + c.Message
		}
		return ""
	}).WithContext(ctx).Should(And(HavePrefix(v1alpha1.ReasonInterrupted), ContainSubstring(v1alpha1.ReconcileRequestAnnotation)))
}

// crashRepeatedly starts an operator that kills itself, MaxInterruptions times.
func (o *operator) crashRepeatedly() {
	GinkgoHelper()
	for range status.MaxInterruptions {
		o.Launch()
		Expect(o.waitKilled()).To(Succeed())
	}
}

var _ = Describe("A failure that kills the operator", Ordered, func() {
	var faulty *operator
	var repo *fixture.Repository

	BeforeAll(func(ctx SpecContext) {
		faulty = defaultOperator.buildFaulty(ctx)
		repo = fixture.NewRepository()
		for _, name := range []string{"bad", "good", "other", "well"} {
			archive := packChart(name, "1.0.0", pageTemplate)
			repo.AddArchive(name, "1.0.0", archive)
		}
	})

	AfterEach(func() {
		faulty.setFailpoint(failpointSetting{})
		if faulty.Process != nil {
			faulty.Stop()
		}
	})

	It("during the hydration of an app stalls only that app after three attempts", func(ctx SpecContext) {
		ns := createNamespace(ctx, "kill")
		faulty.setFailpoint(failpointSetting{point: failpoint.AppBegun, subject: ns + "/main.bad"})
		source := cluster.CreateSource(ctx, ns, "main", repo.URL)
		faulty.crashRepeatedly()

		By("serving the other apps")
		faulty.Start()
		app := &v1alpha1.AppInfo{}
		app.Namespace, app.Name = ns, "main.bad"
		expectInterrupted(ctx, app)
		Expect(app.Status.Attempts).To(HaveLen(1))
		Expect(app.Status.Attempts[0].Starts).To(BeEquivalentTo(status.MaxInterruptions))
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		Expect(source.Status.Apps.Ready).To(BeEquivalentTo(3))
		Expect(source.Status.Failures).To(HaveLen(1))
		Expect(source.Status.Failures[0].Reason).To(Equal(v1alpha1.ReasonInterrupted))
		defaultOperator.WaitIdle(ctx)
		expectStatusContract(ctx, ns)

		By("retrying on request")
		faulty.Stop()
		faulty.setFailpoint(failpointSetting{})
		faulty.Start()
		requestReconcile(ctx, app, "again")
		waitTrue(ctx, app, v1alpha1.ConditionReady)
		Expect(app.Status.Attempts).To(BeEmpty())
	})

	It("during the sync of a source stalls only that source after three attempts", func(ctx SpecContext) {
		ns := createNamespace(ctx, "kill")
		faulty.setFailpoint(failpointSetting{point: failpoint.SourceBegun, subject: ns + "/bad"})
		// With another filter, the sources do not share a listing.
		bad := cluster.CreateSource(ctx, ns, "bad", repo.URL)
		good := cluster.CreateSource(ctx, ns, "good", repo.URL, func(s *v1alpha1.MarketSourceSpec) { s.Filter = &v1alpha1.AppFilter{MaxVersions: 2} })
		faulty.crashRepeatedly()
		faulty.Start()
		expectInterrupted(ctx, bad)
		waitTrue(ctx, good, v1alpha1.ConditionReady)
		Expect(fmt.Sprint(bad.Status.Attempt)).NotTo(BeEmpty())
		expectStatusContract(ctx, ns)

		By("retrying on request")
		faulty.Stop()
		faulty.setFailpoint(failpointSetting{})
		faulty.Start()
		requestReconcile(ctx, bad, "again")
		waitTrue(ctx, bad, v1alpha1.ConditionReady)
		Expect(bad.Status.Attempt).To(BeNil())
	})
})
