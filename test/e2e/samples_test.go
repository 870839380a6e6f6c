//go:build e2e

package e2e_test

import (
	"context"
	"io"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// demo is the namespace of config/samples/tenant.yaml.
const demo = "demo"

func sampleSteps() {
	It("upgrades, rolls back, stops, resumes, configures, restarts and uninstalls hello", func(ctx SpecContext) {
		runSample(ctx, "task-upgrade-hello.yaml", demo, "upgrade-hello")
		expectPage(ctx, demo, "hello", "<p>hello 1.1</p>")
		runSample(ctx, "task-rollback-hello.yaml", demo, "rollback-hello")
		expectPage(ctx, demo, "hello", "<p>hello 1.0</p>")
		runSample(ctx, "task-stop-hello.yaml", demo, "stop-hello")
		Eventually(func() string {
			return cluster.Kubectl(ctx, "get", "pods", "--namespace", demo, "--output", "name")
		}).WithContext(ctx).Should(BeEmpty())
		runSample(ctx, "task-resume-hello.yaml", demo, "resume-hello")
		expectPage(ctx, demo, "hello", "<p>hello 1.0</p>")
		runSample(ctx, "task-configure-hello.yaml", demo, "configure-hello")
		runSample(ctx, "task-restart-hello.yaml", demo, "restart-hello")
		expectPage(ctx, demo, "hello", "<p>hello 1.0</p>")
		runSample(ctx, "task-uninstall-hello.yaml", demo, "uninstall-hello")
	})

	It("installs wiki, which has inputs and volumes", func(ctx SpecContext) {
		applySample(ctx, "task-install-wiki.yaml")
		runSample(ctx, "task-install-wiki-inputs.yaml", demo, "install-wiki")
		expectPage(ctx, demo, "wiki", "<p>wiki 2.0</p>", "visit 1, counted in /pages")
		expectPage(ctx, demo, "wiki", "visit 2, counted in /pages")
	})

	It("installs blog with its dependency, and removes both", func(ctx SpecContext) {
		runSample(ctx, "task-install-blog-with-dependencies.yaml", demo, "install-blog")
		expectPage(ctx, demo, "blog", "<p>blog 0.9</p>")
		expectPage(ctx, demo, "notes", "<p>notes 1.4</p>", "visit 1, counted in /data")
		runSample(ctx, "task-uninstall-all-notes.yaml", demo, "uninstall-notes")
	})

	It("installs team with a shared chart", func(ctx SpecContext) {
		runSample(ctx, "task-install-team-server.yaml", "teamserver-shared", "install-team")
		expectPage(ctx, "teamserver-shared", "teamserver", "<p>team-server 1.2</p>", "visit 1, counted in /rooms")
		runSample(ctx, "task-install-team.yaml", demo, "install-team")
		expectPage(ctx, demo, "team", "<p>team-client 1.2</p>")
	})

	It("installs board without a task, and clones it", func(ctx SpecContext) {
		applySample(ctx, "instance-board.yaml")
		board := &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{Namespace: demo, Name: "board-design"}}
		cluster.WaitTrue(ctx, board, v1alpha1.ConditionReady)
		expectPage(ctx, demo, "board-design", "<p>board 1.0</p>")
		runSample(ctx, "task-clone-board.yaml", demo, "clone-board")
		expectPage(ctx, demo, "board-sales", "<p>board 1.0</p>")
	})

	It("serves a source that is not shared to clients that can get it", func(ctx SpecContext) {
		address := cluster.Kubectl(ctx, "get", "service", "appmarket", "--namespace", system, "--output", "jsonpath={.spec.clusterIP}")
		url := func(namespace string) string { return "http://" + address + "/" + namespace + "/closed/index.yaml" }
		t := fixture.TenantIn(ctx, cluster, demo)
		t.Source = &v1alpha1.MarketSource{
			ObjectMeta: metav1.ObjectMeta{Namespace: demo, Name: "closed"},
			Spec:       v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: samplesURL}},
		}
		fixture.AsOlares(&t.Source.Spec)
		Expect(t.Client.Create(ctx, t.Source)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(t.Client.Delete(ctx, t.Source)).To(Succeed()) })
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		token := []string{"Authorization", "Bearer " + t.Token(ctx)}
		status, _ := fixture.Ask(ctx, url(demo))
		Expect(status).To(Equal(http.StatusUnauthorized))
		status, _ = fixture.Ask(ctx, url("market"), token...)
		Expect(status).To(Equal(http.StatusForbidden))
		Eventually(func() string {
			_, index := fixture.Ask(ctx, url(demo), token...)
			return string(index)
		}).WithContext(ctx).Should(ContainSubstring("hello-"))
	})

	It("installs clock, whose manifest has the old format", func(ctx SpecContext) {
		t := fixture.TenantIn(ctx, cluster, demo)
		t.Source = &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: "market", Name: "samples"}}
		t.Succeed(ctx, v1alpha1.ActionInstall, "clock")
		expectPage(ctx, demo, "clock", "<p>clock 3.1</p>")
	})
}

// applySample applies a file of config/samples.
func applySample(ctx context.Context, file string) {
	GinkgoHelper()
	cluster.Kubectl(ctx, "apply", "--filename", fixture.Path("config/samples/"+file))
}

// runSample applies a file of config/samples that contains a task, which must succeed.
func runSample(ctx context.Context, file, namespace, task string) {
	GinkgoHelper()
	applySample(ctx, file)
	end := (&fixture.Tenant{Cluster: cluster, Namespace: namespace}).WaitEndOf(ctx, task)
	Expect(end.Status).To(Equal(metav1.ConditionTrue), "%s: %s: %s", task, end.Reason, end.Message)
}

// expectPage waits until a Service responds with a page that contains the texts.
func expectPage(ctx context.Context, namespace, service string, texts ...string) {
	GinkgoHelper()
	address := cluster.Kubectl(ctx, "get", "service", service, "--namespace", namespace, "--output", "jsonpath={.spec.clusterIP}")
	browser := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	Eventually(func(g Gomega) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, nil)
		g.Expect(err).NotTo(HaveOccurred())
		answer, err := browser.Do(request)
		g.Expect(err).NotTo(HaveOccurred())
		defer answer.Body.Close()
		page, err := io.ReadAll(answer.Body)
		g.Expect(err).NotTo(HaveOccurred())
		for _, text := range texts {
			g.Expect(string(page)).To(ContainSubstring(text))
		}
	}).WithContext(ctx).Should(Succeed())
}
