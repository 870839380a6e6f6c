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

// request sets the annotation that requests a reconcile.
func request(ctx context.Context, o client.Object, value string) {
	GinkgoHelper()
	before := o.DeepCopyObject().(client.Object)
	o.SetAnnotations(map[string]string{v1alpha1.ReconcileRequestAnnotation: value})
	Expect(cluster.Patch(ctx, o, client.MergeFrom(before))).To(Succeed())
}

// stalled waits until an object is Stalled because its reconciles were interrupted.
func stalled(ctx context.Context, o v1alpha1.Object) {
	GinkgoHelper()
	Eventually(func() string {
		Expect(cluster.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		if c := meta.FindStatusCondition(o.GetConditions(), v1alpha1.ConditionStalled); c != nil {
			return c.Reason + " " + c.Message
		}
		return ""
	}).WithContext(ctx).Should(And(HavePrefix(v1alpha1.ReasonInterrupted), ContainSubstring(v1alpha1.ReconcileRequestAnnotation)))
}

// diesAgainAndAgain starts an operator that kills itself, MaxInterruptions times.
func (o *operator) diesAgainAndAgain() {
	GinkgoHelper()
	for range status.MaxInterruptions {
		o.Launch()
		Expect(o.dies()).To(Succeed())
	}
}

var _ = Describe("What kills the operator", Ordered, func() {
	var doomed *operator
	var repo *fixture.Repository

	BeforeAll(func(ctx SpecContext) {
		doomed = market.doomed(ctx)
		repo = fixture.NewRepository()
		var all []fixture.Offer
		for _, name := range []string{"bad", "good", "other", "well"} {
			archive := packed(name, "1.0.0", page)
			repo.Handle("/"+name+".tgz", fixture.Content(archive))
			all = append(all, fixture.NewOffer(name, "1.0.0", name+".tgz", archive))
		}
		repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(all...)))
	})

	AfterEach(func() {
		doomed.arm(doom{})
		if doomed.Process != nil {
			doomed.Stop()
		}
	})

	It("while an app is hydrated stops that app after three times, and no other", func(ctx SpecContext) {
		ns := namespace(ctx, "deadly")
		doomed.arm(doom{point: failpoint.AppBegun, subject: ns + "/main.bad"})
		source := sourceOf(ctx, ns, "main", repo.URL)
		doomed.diesAgainAndAgain()

		By("living on, with the other apps served")
		doomed.Start()
		app := &v1alpha1.AppInfo{}
		app.Namespace, app.Name = ns, "main.bad"
		stalled(ctx, app)
		Expect(app.Status.Attempts).To(HaveLen(1))
		Expect(app.Status.Attempts[0].Starts).To(BeEquivalentTo(status.MaxInterruptions))
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
		Expect(source.Status.Apps.Ready).To(BeEquivalentTo(3))
		Expect(source.Status.Failures).To(HaveLen(1))
		Expect(source.Status.Failures[0].Reason).To(Equal(v1alpha1.ReasonInterrupted))
		market.WaitIdle(ctx)
		keepTheContract(ctx, ns)

		By("trying again when asked")
		doomed.Stop()
		doomed.arm(doom{})
		doomed.Start()
		request(ctx, app, "again")
		eventuallyTrue(ctx, app, v1alpha1.ConditionReady)
		Expect(app.Status.Attempts).To(BeEmpty())
	})

	It("while a source is read stops that source after three times, and no other", func(ctx SpecContext) {
		ns := namespace(ctx, "deadly")
		doomed.arm(doom{point: failpoint.SourceBegun, subject: ns + "/bad"})
		bad, good := sourceOf(ctx, ns, "bad", repo.URL), sourceOf(ctx, ns, "good", repo.URL)
		doomed.diesAgainAndAgain()
		doomed.Start()
		stalled(ctx, bad)
		eventuallyTrue(ctx, good, v1alpha1.ConditionReady)
		Expect(fmt.Sprint(bad.Status.Attempt)).NotTo(BeEmpty())
		keepTheContract(ctx, ns)

		By("trying again when asked")
		doomed.Stop()
		doomed.arm(doom{})
		doomed.Start()
		request(ctx, bad, "again")
		eventuallyTrue(ctx, bad, v1alpha1.ConditionReady)
		Expect(bad.Status.Attempt).To(BeNil())
	})
})
