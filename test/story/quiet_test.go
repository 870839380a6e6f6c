package story_test

import (
	"context"
	"net/http"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// note sets an annotation.
func note(ctx context.Context, o client.Object, key, value string) {
	GinkgoHelper()
	patch := client.MergeFrom(o.DeepCopyObject().(client.Object))
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	o.SetAnnotations(annotations)
	Expect(cluster.Patch(ctx, o, patch)).To(Succeed())
}

// annotate sets an annotation on every object in the namespaces, and returns the number of sources,
// apps and instances.
func annotate(ctx context.Context, key, value string, namespaces ...string) (sources, apps, instances int) {
	GinkgoHelper()
	for _, o := range local.Objects(ctx, namespaces...) {
		switch o.(type) {
		case *v1alpha1.MarketSource:
			sources++
		case *v1alpha1.AppInfo:
			apps++
		case *v1alpha1.AppInstance:
			instances++
		}
		note(ctx, o, key, value)
	}
	return sources, apps, instances
}

// exceptFailed removes one request for the archive of a stalled app, which every operator process
// fetches once more, because only the archive shows whether the failure persists.
func exceptFailed(visits []fixture.Request) []fixture.Request {
	at := slices.IndexFunc(visits, func(v fixture.Request) bool { return v.Path == "/charts/broken-0.1.0.tgz" })
	if at < 0 {
		return visits
	}
	return slices.Delete(visits, at, at+1)
}

var _ = Describe("A market in which nothing changes", Ordered, func() {
	var (
		t        *tenant
		repo     *fixture.Repository
		lost     string
		spaces   []string
		arranged trail
	)

	// One example of each state: running, stalled, retrying, and waiting for a user.
	BeforeAll(func(ctx SpecContext) {
		arranged = takeTrail()
		repo = fixture.NewRepository()
		repo.Otherwise = samples.Config.Handler
		ns := namespace(ctx, "market")
		source := sourceOf(ctx, ns, "samples", repo.URL, sharedByAll, asOlares)
		sourceOf(ctx, ns, "lost", "http://"+fixture.FreeAddress())
		lost = ns + "/lost"
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
		t = newTenant(ctx, source)
		spaces = []string{ns, t.Namespace}
		hello, notes := t.Task(ctx, v1alpha1.ActionInstall, "hello"), t.Task(ctx, v1alpha1.ActionInstall, "notes")
		t.waits(ctx, t.Task(ctx, v1alpha1.ActionInstall, "wiki"), v1alpha1.ReasonWaitingForInput)
		t.succeed(ctx, hello)
		t.succeed(ctx, notes)
		t.fails(ctx, t.Task(ctx, v1alpha1.ActionUpgrade, "team"), v1alpha1.ReasonNotInstalled)
		market.WaitIdle(ctx)
		Expect(arranged.writes(spaces...)).NotTo(BeEmpty(), "the writes of the operator cannot be seen")
	})

	AfterEach(func(ctx SpecContext) { keepTheContract(ctx, spaces...) })

	It("writes nothing when the operator starts again and looks at everything", func(ctx SpecContext) {
		trail, before := takeTrail(), repo.Requests(0)
		market.Restart()
		rounds := market.WaitIdle(ctx)
		Expect(rounds["appinfo"]).To(BeNumerically(">=", len(appsIn(ctx, spaces[0]))))
		Expect(rounds["appinstance"]).To(BeNumerically(">=", 2))
		Expect(rounds["appinstalltask"]).To(BeNumerically(">=", 4))
		// Every process retries a failed hydration, and records the attempt.
		Expect(slices.DeleteFunc(trail.writes(spaces...), func(a asked) bool { return a.ObjectRef.Name == "samples.broken" })).To(BeEmpty())

		By("asking the source once, on condition")
		visits := exceptFailed(repo.Requests(len(before)))
		Expect(visits).To(HaveLen(1))
		Expect(visits[0].Status).To(Equal(http.StatusNotModified))
	})

	It("writes nothing when everything is looked at again", func(ctx SpecContext) {
		before := market.WaitIdle(ctx)
		trail, visits := takeTrail(), len(repo.Requests(0))
		sources, apps, instances := annotate(ctx, "stories.example/touched", "once", spaces...)
		Expect(sources * apps * instances).NotTo(BeZero())
		after := market.WaitIdle(ctx)
		Expect(after["marketsource"] - before["marketsource"]).To(BeNumerically(">=", sources))
		Expect(after["appinfo"] - before["appinfo"]).To(BeNumerically(">=", apps))
		Expect(after["appinstance"] - before["appinstance"]).To(BeNumerically(">=", instances))
		Expect(trail.writes(spaces...)).To(BeEmpty())
		Expect(exceptFailed(repo.Requests(visits))).To(BeEmpty())
	})

	It("writes nothing but statuses when somebody asks for everything", func(ctx SpecContext) {
		market.WaitIdle(ctx)
		trail := takeTrail()
		annotate(ctx, v1alpha1.ReconcileRequestAnnotation, "now", spaces...)
		market.WaitIdle(ctx)
		counts := map[string]int{}
		for _, write := range trail.writes(spaces...) {
			Expect(write.Verb).To(Equal("patch"), write.String())
			Expect(write.ObjectRef.Subresource).To(Equal("status"), write.String())
			counts[write.ObjectRef.Resource+" "+write.ObjectRef.Name]++
		}
		for object, count := range counts {
			limit := 1 // the acknowledgment of the request
			if strings.HasPrefix(object, "appinfos") {
				limit = 2 // and the result of the repeated hydration
			}
			Expect(count).To(BeNumerically("<=", limit), object)
		}

		By("telling who asked")
		for _, o := range local.Objects(ctx, spaces...) {
			if o.GetNamespace()+"/"+o.GetName() == lost {
				continue // No operation was performed there.
			}
			switch o := o.(type) {
			case *v1alpha1.MarketSource:
				Expect(o.Status.LastHandledReconcileAt).To(Equal("now"), o.Name)
			case *v1alpha1.AppInfo:
				Expect(o.Status.LastHandledReconcileAt).To(Equal("now"), o.Name)
			case *v1alpha1.AppInstance:
				Expect(o.Status.LastHandledReconcileAt).To(Equal("now"), o.Name)
				Expect(o.Status.History).To(HaveLen(1), "it was installed again")
			}
		}

		By("asking once more")
		trail = takeTrail()
		annotate(ctx, "stories.example/touched", "twice", spaces...)
		market.WaitIdle(ctx)
		Expect(trail.writes(spaces...)).To(BeEmpty())
	})

	It("asks the source with one request, which is answered with nothing", func(ctx SpecContext) {
		source := &v1alpha1.MarketSource{}
		key := client.ObjectKey{Namespace: spaces[0], Name: "samples"}
		Expect(cluster.Get(ctx, key, source)).To(Succeed())
		visits := len(repo.Requests(0))
		note(ctx, source, v1alpha1.ReconcileRequestAnnotation, "again")
		Eventually(func(g Gomega) {
			g.Expect(cluster.Get(ctx, key, source)).To(Succeed())
			g.Expect(source.Status.LastHandledReconcileAt).To(Equal("again"))
		}).WithContext(ctx).Should(Succeed())
		market.WaitIdle(ctx)
		seen := repo.Requests(visits)
		Expect(seen).To(HaveLen(1))
		Expect(seen[0].Path).To(Equal("/index.yaml"))
		Expect(seen[0].ETag).To(Equal(source.Status.ETag))
		Expect(seen[0].ETag).NotTo(BeEmpty())
		Expect(seen[0].Status).To(Equal(http.StatusNotModified))
		Expect(seen[0].Bytes).To(BeZero())
	})
})
