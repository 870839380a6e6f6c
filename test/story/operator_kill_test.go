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

// createLargeSource creates a source of many apps: the catalog in MARKET_CATALOG, or generated charts.
func createLargeSource(ctx context.Context, ns string) *v1alpha1.MarketSource {
	GinkgoHelper()
	if folder := os.Getenv("MARKET_CATALOG"); folder != "" {
		return cluster.CreateSource(ctx, ns, "many", "", fixture.AsOlares, fixture.ShareWithAll, func(s *v1alpha1.MarketSourceSpec) {
			s.Type, s.Helm = v1alpha1.SourceTypeDirectory, nil
			s.Directory = &v1alpha1.DirectorySource{Path: folder}
		})
	}
	GinkgoWriter.Println("MARKET_CATALOG is not set: generated charts are used")
	repo := fixture.NewRepository()
	for i := range 150 {
		name := fmt.Sprintf("app-%d", i)
		archive := packChart(name, "1.0.0", pageTemplate)
		repo.AddArchive(name, "1.0.0", archive)
	}
	return cluster.CreateSource(ctx, ns, "many", repo.URL, fixture.ShareWithAll)
}

var _ = Describe("An operator that is killed", func() {
	It("during the hydration of a large market publishes all apps", func(ctx SpecContext) {
		ns := createNamespace(ctx, "market")
		source := createLargeSource(ctx, ns)
		for _, published := range []int{1, 40, 100} {
			Eventually(func() int { return defaultOperator.countRecords(ns) }).WithContext(ctx).Should(BeNumerically(">=", published))
			defaultOperator.Kill()
			defaultOperator.createTemporaryFiles()
			Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(source), source)).To(Succeed())
			Expect(source.Status.ObservedGeneration).NotTo(Equal(source.Generation), "the hydration is not complete before the kill")
			defaultOperator.Start()
			for _, left := range defaultOperator.temporaryFiles() {
				Expect(left).NotTo(HaveSuffix("half-a-file42"))
			}
		}
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		defaultOperator.WaitIdle(ctx)
		Expect(source.Status.Failures).To(BeEmpty())
		Expect(source.Status.Apps.Total).To(BeNumerically(">=", 150))
		Expect(source.Status.Apps.Ready).To(Equal(source.Status.Apps.Total))

		By("serving each version once")
		served := publishedArchives(ctx, ns)
		Expect(len(served)).To(BeNumerically(">=", int(source.Status.Apps.Total)))
		Expect(defaultOperator.countRecords(ns)).To(Equal(len(served)))
		Expect(defaultOperator.temporaryFiles()).To(BeEmpty())
		expectStatusContract(ctx, ns)

		By("serving the same archives as an operator that is not killed")
		expectReproducible(ctx, ns)
	})
})

// createWorkerTasks creates one task for each worker.
func (t *tenant) createWorkerTasks(ctx context.Context, action v1alpha1.Action, change ...func(*v1alpha1.AppInstallTaskSpec)) []*v1alpha1.AppInstallTask {
	GinkgoHelper()
	var tasks []*v1alpha1.AppInstallTask
	for _, name := range workerNames {
		named := func(s *v1alpha1.AppInstallTaskSpec) { s.InstanceName = name }
		tasks = append(tasks, t.Task(ctx, action, "worker", append(change, named)...))
	}
	return tasks
}

// workerNames are the instances that are operated on concurrently.
var workerNames = []string{"ant", "bee", "elk", "owl"}

// workerObjects returns every combination of a worker and an ending.
func workerObjects(suffixes ...string) []string {
	names := []string{}
	for _, name := range workerNames {
		for _, suffix := range suffixes {
			names = append(names, name+suffix)
		}
	}
	slices.Sort(names)
	return names
}

// expectDeployed checks that each worker has one deployed revision and no pending one.
func (t *tenant) expectDeployed(ctx context.Context) {
	GinkgoHelper()
	var secrets corev1.SecretList
	Expect(k8sClient.List(ctx, &secrets, client.InNamespace(t.Namespace), client.MatchingLabels{"owner": "helm"})).To(Succeed())
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
	Expect(deployed).To(Equal(workerObjects("")), "%s", all)
}

// countInterrupted counts the operations that the history lists as interrupted.
func (t *tenant) countInterrupted(ctx context.Context) int {
	GinkgoHelper()
	count := 0
	for _, name := range workerNames {
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
		for _, version := range []string{"1.0.0", "1.1.0"} {
			archive := workerChart(version)
			repo.AddArchive("worker", version, archive)
		}
		source = cluster.CreateSource(ctx, createNamespace(ctx, "market"), "workers", repo.URL, fixture.ShareWithAll)
		waitTrue(ctx, source, v1alpha1.ConditionReady)
	})

	// expectConverged checks what must hold after any interruption.
	expectConverged := func(ctx context.Context, t *tenant, recorder *recorder) {
		GinkgoHelper()
		Expect(t.countInterrupted(ctx)).NotTo(BeZero(), "an operation is interrupted")
		Eventually(func() []string { return recordedNames[*corev1.PersistentVolumeClaim](recorder, watch.Added) }).WithContext(ctx).Should(Equal(workerObjects("-data")))
		Expect(recordedNames[*corev1.PersistentVolumeClaim](recorder, watch.Deleted)).To(BeEmpty())
		Eventually(func() []string { return recordedNames[*appsv1.Deployment](recorder, watch.Added) }).WithContext(ctx).Should(Equal(workerObjects("")))
		defaultOperator.WaitIdle(ctx)
		Expect(defaultOperator.temporaryFiles()).To(BeEmpty())
		expectStatusContract(ctx, t.Namespace, source.Namespace)
	}

	DescribeTable("during several installations runs each of them once",
		func(ctx SpecContext, at trigger) {
			t := newTenant(ctx, source)
			recorder := t.startRecorder(ctx)
			var tasks []*v1alpha1.AppInstallTask
			t.killOperatorAt(ctx, at, func() { tasks = t.createWorkerTasks(ctx, v1alpha1.ActionInstall, withVersion("1.0.0")) })
			for _, task := range tasks {
				t.waitSucceeded(ctx, task)
			}
			t.expectDeployed(ctx)
			recorder.expectHooksOnce(ctx, "-pre-install", "-post-install")
			expectConverged(ctx, t, recorder)
		},
		Entry("when an operation is in the status", operationStarted),
		Entry("when a hook has started", hookStarted("pre-install")),
		Entry("when a hook is complete", hookCompleted("pre-install")),
		Entry("when a claim exists", claimCreated),
		Entry("when the last hook has started", hookStarted("post-install")),
	)

	It("during several upgrades runs each of them once", func(ctx SpecContext) {
		t := newTenant(ctx, source)
		recorder := t.startRecorder(ctx)
		for _, task := range t.createWorkerTasks(ctx, v1alpha1.ActionInstall, withVersion("1.0.0")) {
			t.waitSucceeded(ctx, task)
		}
		var tasks []*v1alpha1.AppInstallTask
		t.killOperatorAt(ctx, hookStarted("pre-upgrade"), func() { tasks = t.createWorkerTasks(ctx, v1alpha1.ActionUpgrade) })
		for _, task := range tasks {
			t.waitSucceeded(ctx, task)
		}
		t.expectDeployed(ctx)
		recorder.expectHooksOnce(ctx, "-pre-install", "-post-install", "-pre-upgrade", "-post-upgrade")
		for _, name := range workerNames {
			Expect(t.Instance(ctx, name).Status.Version).To(Equal("1.1.0"))
		}
		for _, d := range t.deployments(ctx) {
			Expect(d.Spec.Template.Labels).To(HaveKeyWithValue("version", "1.1.0"))
		}
		expectConverged(ctx, t, recorder)
	})

	It("during several removals runs each of them, and keeps the data", func(ctx SpecContext) {
		t := newTenant(ctx, source)
		recorder := t.startRecorder(ctx)
		for _, task := range t.createWorkerTasks(ctx, v1alpha1.ActionInstall) {
			t.waitSucceeded(ctx, task)
		}
		var tasks []*v1alpha1.AppInstallTask
		t.killOperatorAt(ctx, hookStarted("pre-delete"), func() { tasks = t.createWorkerTasks(ctx, v1alpha1.ActionUninstall) })
		for _, task := range tasks {
			t.waitSucceeded(ctx, task)
		}
		Expect(t.listLeftovers(ctx)).To(BeEmpty())
		for _, name := range workerNames {
			Expect(t.Instance(ctx, name).Status.RetainedObjects).To(HaveLen(1))
		}
		recorder.expectHooksOnce(ctx, "-pre-install", "-post-install", "-pre-delete")
		expectConverged(ctx, t, recorder)
	})
})
