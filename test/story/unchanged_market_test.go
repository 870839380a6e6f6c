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

// setAnnotation sets an annotation.
func setAnnotation(ctx context.Context, o client.Object, key, value string) {
	GinkgoHelper()
	patch := client.MergeFrom(o.DeepCopyObject().(client.Object))
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	o.SetAnnotations(annotations)
	Expect(k8sClient.Patch(ctx, o, patch)).To(Succeed())
}

// annotateAll sets an annotation on every object in the namespaces, and returns the number of sources,
// apps and instances.
func annotateAll(ctx context.Context, key, value string, namespaces ...string) (sources, apps, instances int) {
	GinkgoHelper()
	for _, o := range cluster.Objects(ctx, namespaces...) {
		switch o.(type) {
		case *v1alpha1.MarketSource:
			sources++
		case *v1alpha1.AppInfo:
			apps++
		case *v1alpha1.AppInstance:
			instances++
		}
		setAnnotation(ctx, o, key, value)
	}
	return sources, apps, instances
}

// withoutStalledApp removes one request for the archive of a stalled app, which every operator process
// fetches once more, because only the archive shows whether the failure persists.
func withoutStalledApp(requests []fixture.Request) []fixture.Request {
	at := slices.IndexFunc(requests, func(v fixture.Request) bool { return v.Path == "/charts/broken-0.1.0.tgz" })
	if at < 0 {
		return requests
	}
	return slices.Delete(requests, at, at+1)
}

var _ = Describe("An unchanged market", Ordered, func() {
	var (
		t             *tenant
		repo          *fixture.Repository
		failingSource string
		namespaces    []string
		setupStart    fixture.AuditPosition
	)

	// One example of each state: running, stalled, retrying, and waiting for a user.
	BeforeAll(func(ctx SpecContext) {
		setupStart = cluster.AuditPosition()
		repo = fixture.NewRepository()
		repo.Otherwise = sampleServer.Config.Handler
		ns := createNamespace(ctx, "market")
		source := cluster.CreateSource(ctx, ns, "samples", repo.URL, fixture.ShareWithAll, fixture.AsOlares)
		cluster.CreateSource(ctx, ns, "lost", "http://"+fixture.FreeAddress())
		failingSource = ns + "/lost"
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		t = newTenant(ctx, source)
		namespaces = []string{ns, t.Namespace}
		hello, notes := t.Task(ctx, v1alpha1.ActionInstall, "hello"), t.Task(ctx, v1alpha1.ActionInstall, "notes")
		t.waitReconciling(ctx, t.Task(ctx, v1alpha1.ActionInstall, "wiki"), v1alpha1.ReasonWaitingForInput)
		t.waitSucceeded(ctx, hello)
		t.waitSucceeded(ctx, notes)
		t.waitFailed(ctx, t.Task(ctx, v1alpha1.ActionUpgrade, "team"), v1alpha1.ReasonNotInstalled)
		defaultOperator.WaitIdle(ctx)
		Expect(operatorWrites(setupStart, namespaces...)).NotTo(BeEmpty(), "the writes of the operator are in the audit log")
	})

	AfterEach(func(ctx SpecContext) { expectStatusContract(ctx, namespaces...) })

	It("causes no writes when the operator restarts and reconciles all objects", func(ctx SpecContext) {
		start, before := cluster.AuditPosition(), repo.Requests(0)
		defaultOperator.Restart()
		reconciles := defaultOperator.WaitIdle(ctx)
		Expect(reconciles["appinfo"]).To(BeNumerically(">=", len(listApps(ctx, namespaces[0]))))
		Expect(reconciles["appinstance"]).To(BeNumerically(">=", 2))
		Expect(reconciles["appinstalltask"]).To(BeNumerically(">=", 4))
		// Every process retries a failed hydration, and records the attempt.
		Expect(slices.DeleteFunc(operatorWrites(start, namespaces...), func(r fixture.AuditEvent) bool { return r.ObjectRef.Name == "samples.broken" })).To(BeEmpty())

		By("sending one conditional request to the source")
		requests := withoutStalledApp(repo.Requests(len(before)))
		Expect(requests).To(HaveLen(1))
		Expect(requests[0].Status).To(Equal(http.StatusNotModified))
	})

	It("causes no writes when all objects are reconciled again", func(ctx SpecContext) {
		before := defaultOperator.WaitIdle(ctx)
		start, requests := cluster.AuditPosition(), len(repo.Requests(0))
		sources, apps, instances := annotateAll(ctx, "test.example/touched", "once", namespaces...)
		Expect(sources * apps * instances).NotTo(BeZero())
		after := defaultOperator.WaitIdle(ctx)
		Expect(after["marketsource"] - before["marketsource"]).To(BeNumerically(">=", sources))
		Expect(after["appinfo"] - before["appinfo"]).To(BeNumerically(">=", apps))
		Expect(after["appinstance"] - before["appinstance"]).To(BeNumerically(">=", instances))
		Expect(operatorWrites(start, namespaces...)).To(BeEmpty())
		Expect(withoutStalledApp(repo.Requests(requests))).To(BeEmpty())
	})

	It("causes only status writes when reconciles are requested", func(ctx SpecContext) {
		defaultOperator.WaitIdle(ctx)
		start := cluster.AuditPosition()
		annotateAll(ctx, v1alpha1.ReconcileRequestAnnotation, "now", namespaces...)
		defaultOperator.WaitIdle(ctx)
		counts := map[string]int{}
		for _, write := range operatorWrites(start, namespaces...) {
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

		By("acknowledging the requests")
		for _, o := range cluster.Objects(ctx, namespaces...) {
			if o.GetNamespace()+"/"+o.GetName() == failingSource {
				continue // No operation was performed there.
			}
			switch o := o.(type) {
			case *v1alpha1.MarketSource:
				Expect(o.Status.LastHandledReconcileAt).To(Equal("now"), o.Name)
			case *v1alpha1.AppInfo:
				Expect(o.Status.LastHandledReconcileAt).To(Equal("now"), o.Name)
			case *v1alpha1.AppInstance:
				Expect(o.Status.LastHandledReconcileAt).To(Equal("now"), o.Name)
				Expect(o.Status.History).To(HaveLen(1), "no operation is run")
			}
		}

		By("changing another annotation")
		start = cluster.AuditPosition()
		annotateAll(ctx, "test.example/touched", "twice", namespaces...)
		defaultOperator.WaitIdle(ctx)
		Expect(operatorWrites(start, namespaces...)).To(BeEmpty())
	})

	It("causes one conditional request to the source when a sync is requested", func(ctx SpecContext) {
		source := &v1alpha1.MarketSource{}
		key := client.ObjectKey{Namespace: namespaces[0], Name: "samples"}
		Expect(k8sClient.Get(ctx, key, source)).To(Succeed())
		requests := len(repo.Requests(0))
		setAnnotation(ctx, source, v1alpha1.ReconcileRequestAnnotation, "again")
		Eventually(func(g Gomega) {
			g.Expect(k8sClient.Get(ctx, key, source)).To(Succeed())
			g.Expect(source.Status.LastHandledReconcileAt).To(Equal("again"))
		}).WithContext(ctx).Should(Succeed())
		defaultOperator.WaitIdle(ctx)
		seen := repo.Requests(requests)
		Expect(seen).To(HaveLen(1))
		Expect(seen[0].Path).To(Equal("/index.yaml"))
		Expect(seen[0].ETag).To(Equal(source.Status.ETag))
		Expect(seen[0].ETag).NotTo(BeEmpty())
		Expect(seen[0].Status).To(Equal(http.StatusNotModified))
		Expect(seen[0].Bytes).To(BeZero())
	})
})
