package story_test

import (
	"context"
	"fmt"
	"os"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// manyApps creates a source of many apps: the catalog in MARKET_CATALOG, or generated charts.
func manyApps(ctx context.Context, ns string) *v1alpha1.MarketSource {
	GinkgoHelper()
	if folder := os.Getenv("MARKET_CATALOG"); folder != "" {
		return sourceOf(ctx, ns, "many", "", asOlares, sharedByAll, func(s *v1alpha1.MarketSourceSpec) {
			s.Type, s.Helm = v1alpha1.SourceTypeDirectory, nil
			s.Directory = &v1alpha1.DirectorySource{Path: folder}
		})
	}
	GinkgoWriter.Println("MARKET_CATALOG is not set: generated charts stand in for real ones")
	repo := fixture.NewRepository()
	var all []fixture.Offer
	for i := range 150 {
		name := fmt.Sprintf("app-%d", i)
		archive := packed(name, "1.0.0", page)
		repo.Handle("/"+name+".tgz", fixture.Content(archive))
		all = append(all, fixture.NewOffer(name, "1.0.0", name+".tgz", archive))
	}
	repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(all...)))
	return sourceOf(ctx, ns, "many", repo.URL, sharedByAll)
}

var _ = Describe("An operator that is killed", func() {
	It("while it hydrates a large market has all of it in the end", func(ctx SpecContext) {
		ns := namespace(ctx, "market")
		source := manyApps(ctx, ns)
		for _, published := range []int{1, 40, 100} {
			Eventually(func() int { return market.records(ns) }).WithContext(ctx).Should(BeNumerically(">=", published))
			market.Kill()
			market.litter()
			Expect(cluster.Get(ctx, client.ObjectKeyFromObject(source), source)).To(Succeed())
			Expect(source.Status.ObservedGeneration).NotTo(Equal(source.Generation), "it had ended before it was killed")
			market.Start()
			for _, left := range market.temporary() {
				Expect(left).NotTo(HaveSuffix("half-a-file42"))
			}
		}
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
		market.WaitIdle(ctx)
		Expect(source.Status.Failures).To(BeEmpty())
		Expect(source.Status.Apps.Total).To(BeNumerically(">=", 150))
		Expect(source.Status.Apps.Ready).To(Equal(source.Status.Apps.Total))

		By("serving each version once, whole")
		served := archives(ctx, ns)
		Expect(len(served)).To(BeNumerically(">=", int(source.Status.Apps.Total)))
		Expect(market.records(ns)).To(Equal(len(served)))
		Expect(market.temporary()).To(BeEmpty())
		keepTheContract(ctx, ns)

		By("serving what is made by an operator that is left in peace")
		sameFromScratch(ctx, ns)
	})
})

// all creates one task for each worker.
func (t *tenant) all(ctx context.Context, action v1alpha1.Action, change ...func(*v1alpha1.AppInstallTaskSpec)) []*v1alpha1.AppInstallTask {
	GinkgoHelper()
	var tasks []*v1alpha1.AppInstallTask
	for _, name := range workers {
		named := func(s *v1alpha1.AppInstallTaskSpec) { s.InstanceName = name }
		tasks = append(tasks, t.Task(ctx, action, "worker", append(change, named)...))
	}
	return tasks
}

// workers are the instances that are operated on concurrently.
var workers = []string{"ant", "bee", "elk", "owl"}

// each returns every combination of a worker and an ending.
func each(endings ...string) []string {
	names := []string{}
	for _, name := range workers {
		for _, ending := range endings {
			names = append(names, name+ending)
		}
	}
	slices.Sort(names)
	return names
}

// released checks that each worker has one deployed revision and no pending one.
func (t *tenant) released(ctx context.Context) {
	GinkgoHelper()
	var secrets corev1.SecretList
	Expect(cluster.List(ctx, &secrets, client.InNamespace(t.Namespace), client.MatchingLabels{"owner": "helm"})).To(Succeed())
	deployed, all := []string{}, []string{}
	for _, s := range secrets.Items {
		status := s.Labels["status"]
		all = append(all, s.Name+" is "+status)
		Expect(status).NotTo(Or(HavePrefix("pending-"), Equal("uninstalling")), s.Name)
		if status == "deployed" {
			deployed = append(deployed, s.Labels["name"])
		}
	}
	slices.Sort(deployed)
	Expect(deployed).To(Equal(each("")), "%s", all)
}

// interrupted counts the operations that the history lists as interrupted.
func (t *tenant) interrupted(ctx context.Context) int {
	GinkgoHelper()
	count := 0
	for _, name := range workers {
		for _, entry := range t.Instance(ctx, name).Status.History {
			if entry.Outcome == v1alpha1.OutcomeInterrupted {
				count++
			}
		}
	}
	return count
}

var _ = Describe("An operator that is killed", Ordered, func() {
	var source *v1alpha1.MarketSource

	BeforeAll(func(ctx SpecContext) {
		repo := fixture.NewRepository()
		var all []fixture.Offer
		for _, version := range []string{"1.0.0", "1.1.0"} {
			archive := worker(version)
			repo.Handle("/worker-"+version+".tgz", fixture.Content(archive))
			all = append(all, fixture.NewOffer("worker", version, "worker-"+version+".tgz", archive))
		}
		repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(all...)))
		source = sourceOf(ctx, namespace(ctx, "market"), "workers", repo.URL, sharedByAll)
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
	})

	// converged checks what must hold after any interruption.
	converged := func(ctx context.Context, t *tenant, saw *witness) {
		GinkgoHelper()
		Expect(t.interrupted(ctx)).NotTo(BeZero(), "nothing was cut off")
		Eventually(func() []string { return names[*corev1.PersistentVolumeClaim](saw, watch.Added) }).WithContext(ctx).Should(Equal(each("-data")))
		Expect(names[*corev1.PersistentVolumeClaim](saw, watch.Deleted)).To(BeEmpty())
		Eventually(func() []string { return names[*appsv1.Deployment](saw, watch.Added) }).WithContext(ctx).Should(Equal(each("")))
		market.WaitIdle(ctx)
		Expect(market.temporary()).To(BeEmpty())
		keepTheContract(ctx, t.Namespace, source.Namespace)
	}

	DescribeTable("while it installs several apps has each of them installed once",
		func(ctx SpecContext, at moment) {
			t := newTenant(ctx, source)
			saw := t.witness(ctx)
			var tasks []*v1alpha1.AppInstallTask
			t.killAt(ctx, at, func() { tasks = t.all(ctx, v1alpha1.ActionInstall, version("1.0.0")) })
			for _, task := range tasks {
				t.succeed(ctx, task)
			}
			t.released(ctx)
			saw.hooks(ctx, "-pre-install", "-post-install")
			converged(ctx, t, saw)
		},
		Entry("when an operation is in status", operating),
		Entry("when a hook has begun", hookBegan("pre-install")),
		Entry("when a hook has ended", hookEnded("pre-install")),
		Entry("when a claim is there", claimMade),
		Entry("when the last hook has begun", hookBegan("post-install")),
	)

	It("while it upgrades several apps has each of them upgraded once", func(ctx SpecContext) {
		t := newTenant(ctx, source)
		saw := t.witness(ctx)
		for _, task := range t.all(ctx, v1alpha1.ActionInstall, version("1.0.0")) {
			t.succeed(ctx, task)
		}
		var tasks []*v1alpha1.AppInstallTask
		t.killAt(ctx, hookBegan("pre-upgrade"), func() { tasks = t.all(ctx, v1alpha1.ActionUpgrade) })
		for _, task := range tasks {
			t.succeed(ctx, task)
		}
		t.released(ctx)
		saw.hooks(ctx, "-pre-install", "-post-install", "-pre-upgrade", "-post-upgrade")
		for _, name := range workers {
			Expect(t.Instance(ctx, name).Status.Version).To(Equal("1.1.0"))
		}
		for _, d := range t.workloads(ctx) {
			Expect(d.Spec.Template.Labels).To(HaveKeyWithValue("version", "1.1.0"))
		}
		converged(ctx, t, saw)
	})

	It("while it removes several apps has each of them removed, and their data kept", func(ctx SpecContext) {
		t := newTenant(ctx, source)
		saw := t.witness(ctx)
		for _, task := range t.all(ctx, v1alpha1.ActionInstall) {
			t.succeed(ctx, task)
		}
		var tasks []*v1alpha1.AppInstallTask
		t.killAt(ctx, hookBegan("pre-delete"), func() { tasks = t.all(ctx, v1alpha1.ActionUninstall) })
		for _, task := range tasks {
			t.succeed(ctx, task)
		}
		Expect(t.leftovers(ctx)).To(BeEmpty())
		for _, name := range workers {
			Expect(t.Instance(ctx, name).Status.RetainedObjects).To(HaveLen(1))
		}
		saw.hooks(ctx, "-pre-install", "-post-install", "-pre-delete")
		converged(ctx, t, saw)
	})
})
