package story_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("The samples", Ordered, func() {
	demo := &tenant{&fixture.Tenant{Namespace: "demo", Source: &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: "market", Name: "samples"}}}}
	task := func(name string) *v1alpha1.AppInstallTask {
		return &v1alpha1.AppInstallTask{ObjectMeta: metav1.ObjectMeta{Namespace: demo.Namespace, Name: name}}
	}

	BeforeAll(func(ctx SpecContext) {
		demo.Cluster = cluster
		for _, name := range []string{"market", demo.Namespace} {
			DeferCleanup(func(ctx SpecContext) {
				ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
				Expect(client.IgnoreNotFound(k8sClient.Delete(ctx, ns))).To(Succeed())
			})
		}
		applySample(ctx, "marketsource.yaml")
		applySample(ctx, "tenant.yaml")
		runKubectl(ctx, "wait", "--for=condition=Ready", "marketsource/samples", "-n", "market", "--timeout=90s")
	})

	It("install hello, run every action on it and remove it", func(ctx SpecContext) {
		By("installing an old version")
		applySample(ctx, "task-install-hello.yaml")
		demo.waitSucceeded(ctx, task("install-hello"))
		installed := demo.Instance(ctx, "hello")
		Expect(installed.Status.Version).To(Equal("1.0.0"))
		Expect(installed.Spec.Title).To(Equal("Hello"))
		Expect(readGreeting(ctx, demo, "hello")).To(ContainSubstring("Hello from the demo"))

		By("upgrading it to the newest stable version")
		applySample(ctx, "task-upgrade-hello.yaml")
		demo.waitSucceeded(ctx, task("upgrade-hello"))
		Expect(demo.Instance(ctx, "hello").Status.Version).To(Equal("1.1.0"))
		Expect(readGreeting(ctx, demo, "hello")).To(And(
			ContainSubstring("Hello from the demo"), ContainSubstring("Until next time")), "the values are kept")

		By("rolling back to the previous revision")
		applySample(ctx, "task-rollback-hello.yaml")
		demo.waitSucceeded(ctx, task("rollback-hello"))
		back := demo.Instance(ctx, "hello")
		Expect(back.Status.Version).To(Equal("1.0.0"))
		Expect(back.Spec.PinnedRevision).To(BeEquivalentTo(1), "the revision is pinned")
		Expect(readGreeting(ctx, demo, "hello")).To(And(
			ContainSubstring("Hello from the demo"), Not(ContainSubstring("Until next time"))))

		By("stopping and resuming it")
		applySample(ctx, "task-stop-hello.yaml")
		demo.waitSucceeded(ctx, task("stop-hello"))
		Expect(deploymentReplicas(ctx, demo, "hello")).To(BeZero())
		Expect(demo.Instance(ctx, "hello").Status.Stopped).To(BeTrue())
		applySample(ctx, "task-resume-hello.yaml")
		demo.waitSucceeded(ctx, task("resume-hello"))
		Expect(deploymentReplicas(ctx, demo, "hello")).To(BeEquivalentTo(1))

		By("configuring and restarting it")
		applySample(ctx, "task-configure-hello.yaml")
		demo.waitSucceeded(ctx, task("configure-hello"))
		Expect(demo.Instance(ctx, "hello").Status.Version).To(Equal("1.0.0"))
		Expect(readGreeting(ctx, demo, "hello")).To(ContainSubstring("Good morning"))
		applySample(ctx, "task-restart-hello.yaml")
		demo.waitSucceeded(ctx, task("restart-hello"))
		Expect(demo.Instance(ctx, "hello").Status.RestartedAt).NotTo(BeNil())

		By("canceling a suspended upgrade")
		applySample(ctx, "task-cancel-hello.yaml")
		demo.waitSucceeded(ctx, task("cancel-hello"))
		demo.waitFailed(ctx, task("upgrade-hello-later"), v1alpha1.ReasonCanceled)
		Expect(demo.Instance(ctx, "hello").Status.Version).To(Equal("1.0.0"))

		By("removing it")
		applySample(ctx, "task-uninstall-hello.yaml")
		demo.waitSucceeded(ctx, task("uninstall-hello"))
		Expect(demo.listLeftovers(ctx)).To(BeEmpty())
	})

	It("adopt a release of the helm command", func(ctx SpecContext) {
		fixture.NewHelm(cluster, "HELM3").Run(ctx, "install", "greeter", "hello", "--repo", defaultOperator.URL+"/market/samples",
			"--version", "1.0.0", "--namespace", demo.Namespace, "--set", "greeting=Good evening")
		applySample(ctx, "task-adopt-greeter.yaml")
		demo.waitSucceeded(ctx, task("adopt-greeter"))
		adopted := demo.Instance(ctx, "greeter")
		Expect(adopted.Status.Version).To(Equal("1.0.0"))
		Expect(adopted.Status.AdoptedValues).NotTo(BeNil(), "the values of the release are kept")
		Expect(readGreeting(ctx, demo, "greeter")).To(ContainSubstring("Good evening"))
	})

	It("install wiki when its inputs are set", func(ctx SpecContext) {
		applySample(ctx, "task-install-wiki.yaml")
		wiki := task("install-wiki")
		demo.waitReconciling(ctx, wiki, v1alpha1.ReasonWaitingForInput)
		Expect(wiki.Status.RequiredInputs).To(HaveLen(5))
		applySample(ctx, "task-install-wiki-inputs.yaml")
		demo.waitSucceeded(ctx, wiki)
		Expect(demo.Instance(ctx, "wiki").Status.Releases).NotTo(BeEmpty())
	})

	It("install blog with its dependency, and remove both", func(ctx SpecContext) {
		applySample(ctx, "task-install-blog-with-dependencies.yaml")
		blog := task("install-blog")
		demo.waitSucceeded(ctx, blog)
		Expect(blog.Status.Subtasks).To(ConsistOf(v1alpha1.Subtask{
			Task: "install-blog-notes", Instance: "notes", Action: v1alpha1.ActionInstall}))
		Expect(demo.Instance(ctx, "notes").Status.Releases).NotTo(BeEmpty())
		Expect(demo.Instance(ctx, "blog").Status.Releases).NotTo(BeEmpty())

		applySample(ctx, "task-uninstall-all-notes.yaml")
		removal := task("uninstall-notes")
		demo.waitSucceeded(ctx, removal)
		Expect(removal.Status.Subtasks).To(ConsistOf(v1alpha1.Subtask{
			Task: "uninstall-notes-blog", Instance: "blog", Action: v1alpha1.ActionUninstall}))
		for _, name := range []string{"notes", "blog"} {
			Expect(demo.Instance(ctx, name).Status.Releases).To(BeEmpty())
		}
		Expect(demo.Instance(ctx, "notes").Status.RetainedObjects).To(HaveLen(1), "the volume of notes is kept")
	})

	It("install a shared chart, and an app that uses it", func(ctx SpecContext) {
		server := createSharedNamespace(ctx, demo.Source, "teamserver")
		applySample(ctx, "task-install-team.yaml")
		client := task("install-team")
		demo.waitReconciling(ctx, client, v1alpha1.ReasonWaitingForDependency)
		applySample(ctx, "task-install-team-server.yaml")
		demo.waitSucceeded(ctx, client)
		Expect(server.releaseUnits(ctx, "team")).To(Equal([]string{"teamserver"}))
		Expect(demo.releaseUnits(ctx, "team")).To(Equal([]string{"team"}))
		demo.waitSucceeded(ctx, demo.Task(ctx, v1alpha1.ActionUninstall, "team", func(s *v1alpha1.AppInstallTaskSpec) { s.ServiceAccountName = "" }))
		server.waitSucceeded(ctx, server.Task(ctx, v1alpha1.ActionUninstall, "team"))
	})

	It("apply an instance, clone it and delete it", func(ctx SpecContext) {
		applySample(ctx, "instance-board.yaml")
		runKubectl(ctx, "wait", "--for=condition=Ready", "ainst/board-design", "-n", demo.Namespace, "--timeout=90s")
		origin := demo.Instance(ctx, "board-design")
		Expect(origin.Status.Entrances).NotTo(BeEmpty())

		applySample(ctx, "task-clone-board.yaml")
		demo.waitSucceeded(ctx, task("clone-board"))
		copied := demo.Instance(ctx, "board-sales")
		Expect(copied.Spec.Values).To(Equal(origin.Spec.Values))
		Expect(copied.Spec.Inputs).To(Equal(origin.Spec.Inputs))
		Expect(copied.Spec.ServiceAccountName).To(Equal(origin.Spec.ServiceAccountName))
		var titles []string
		for _, e := range copied.Status.Entrances {
			titles = append(titles, e.Title)
		}
		Expect(titles).To(Equal([]string{"Sales board", "Settings of the sales board", "Address for other programs"}))

		runKubectl(ctx, "delete", "-f", fixture.Path("config/samples/instance-board.yaml"), "--timeout=90s")
		Expect(k8sClient.Get(ctx, client.ObjectKey{Namespace: demo.Namespace, Name: "board-design"}, &v1alpha1.AppInstance{})).
			To(Satisfy(apierrors.IsNotFound))
		Expect(demo.Instance(ctx, "board-sales").Status.Releases).NotTo(BeEmpty(), "the clone is not removed")
	})

	It("offer the charts that people upload", func(ctx SpecContext) {
		applySample(ctx, "marketsource-upload.yaml")
		runKubectl(ctx, "wait", "--for=condition=Ready", "msrc/team", "-n", demo.Source.Namespace, "--timeout=90s")
		runKubectl(ctx, "delete", "-f", fixture.Path("config/samples/marketsource-upload.yaml"), "--timeout=90s")
	})

	It("are all covered by these specs", func() {
		files, err := filepath.Glob(fixture.Path("config/samples/*.yaml"))
		Expect(err).NotTo(HaveOccurred())
		var names []string
		for _, file := range files {
			names = append(names, filepath.Base(file))
		}
		Expect(names).To(ConsistOf("marketsource.yaml", "marketsource-upload.yaml", "tenant.yaml", "instance-board.yaml", "task-clone-board.yaml",
			"task-install-hello.yaml", "task-upgrade-hello.yaml", "task-rollback-hello.yaml", "task-stop-hello.yaml",
			"task-resume-hello.yaml", "task-configure-hello.yaml", "task-restart-hello.yaml", "task-cancel-hello.yaml", "task-uninstall-hello.yaml", "task-adopt-greeter.yaml",
			"task-install-wiki.yaml", "task-install-wiki-inputs.yaml",
			"task-install-blog-with-dependencies.yaml", "task-uninstall-all-notes.yaml",
			"task-install-team-server.yaml", "task-install-team.yaml"))
	})
})

// applySample applies a sample with the address of the sample market of the suite.
func applySample(ctx context.Context, name string) {
	GinkgoHelper()
	text, err := os.ReadFile(fixture.Path(filepath.Join("config", "samples", name)))
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(GinkgoT().TempDir(), name)
	Expect(os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "http://127.0.0.1:8880", sampleServer.URL)), 0o600)).To(Succeed())
	runKubectl(ctx, "apply", "-f", file)
}

// readGreeting returns the text that an instance of hello serves.
func readGreeting(ctx context.Context, t *tenant, instance string) string {
	GinkgoHelper()
	config := &corev1.ConfigMap{}
	Expect(k8sClient.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: instance + "-page"}, config)).To(Succeed())
	var text strings.Builder
	for _, content := range config.Data {
		text.WriteString(content)
	}
	return text.String()
}

// deploymentReplicas returns spec.replicas of the Deployment of an instance of hello.
func deploymentReplicas(ctx context.Context, t *tenant, instance string) int32 {
	GinkgoHelper()
	deployment := &appsv1.Deployment{}
	Expect(k8sClient.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: instance}, deployment)).To(Succeed())
	Expect(deployment.Spec.Replicas).NotTo(BeNil())
	return *deployment.Spec.Replicas
}
