package story_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("The samples", Serial, Ordered, func() {
	demo := &tenant{namespace: "demo"}
	task := func(name string) *v1alpha1.AppInstallTask {
		return &v1alpha1.AppInstallTask{ObjectMeta: metav1.ObjectMeta{Namespace: demo.namespace, Name: name}}
	}

	BeforeAll(func(ctx SpecContext) {
		for _, name := range []string{"market", demo.namespace} {
			DeferCleanup(func(ctx SpecContext) {
				ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
				Expect(client.IgnoreNotFound(cluster.Delete(ctx, ns))).To(Succeed())
			})
		}
		applySample(ctx, "marketsource.yaml")
		applySample(ctx, "tenant.yaml")
		kubectl(ctx, "wait", "--for=condition=Ready", "marketsource/samples", "-n", "market", "--timeout=90s")
	})

	It("install hello, bring it to the newest stable version and remove it", func(ctx SpecContext) {
		applySample(ctx, "task-install-hello.yaml")
		demo.succeed(ctx, task("install-hello"))
		installed := demo.instance(ctx, "hello")
		Expect(installed.Status.Version).To(Equal("1.0.0"))
		Expect(installed.Spec.Title).To(Equal("Hello"))
		Expect(helloPage(ctx, demo)).To(ContainSubstring("Hello from the demo"))

		applySample(ctx, "task-upgrade-hello.yaml")
		demo.succeed(ctx, task("upgrade-hello"))
		Expect(demo.instance(ctx, "hello").Status.Version).To(Equal("1.1.0"))
		Expect(helloPage(ctx, demo)).To(ContainSubstring("Hello from the demo"), "the values are kept")

		applySample(ctx, "task-uninstall-hello.yaml")
		demo.succeed(ctx, task("uninstall-hello"))
		Expect(demo.leftovers(ctx)).To(BeEmpty())
	})

	It("ask for the inputs of wiki, and go on when they are given", func(ctx SpecContext) {
		applySample(ctx, "task-install-wiki.yaml")
		wiki := task("install-wiki")
		demo.waits(ctx, wiki, v1alpha1.ReasonWaitingForInput)
		Expect(wiki.Status.RequiredInputs).To(HaveLen(5))
		applySample(ctx, "task-install-wiki-inputs.yaml")
		demo.succeed(ctx, wiki)
		Expect(demo.instance(ctx, "wiki").Status.Releases).NotTo(BeEmpty())
	})

	It("keep an instance in git, which is removed with its object", func(ctx SpecContext) {
		applySample(ctx, "instance-board.yaml")
		kubectl(ctx, "wait", "--for=condition=Ready", "ainst/board-design", "-n", demo.namespace, "--timeout=90s")
		Expect(demo.instance(ctx, "board-design").Status.Entrances).NotTo(BeEmpty())
		kubectl(ctx, "delete", "-f", root("config/samples/instance-board.yaml"), "--timeout=90s")
		Expect(cluster.Get(ctx, client.ObjectKey{Namespace: demo.namespace, Name: "board-design"}, &v1alpha1.AppInstance{})).
			To(MatchError(ContainSubstring("not found")))
	})

	It("are all told of here", func() {
		files, err := filepath.Glob(root("config/samples/*.yaml"))
		Expect(err).NotTo(HaveOccurred())
		var names []string
		for _, file := range files {
			names = append(names, filepath.Base(file))
		}
		Expect(names).To(ConsistOf("marketsource.yaml", "tenant.yaml", "instance-board.yaml", "task-install-hello.yaml",
			"task-upgrade-hello.yaml", "task-uninstall-hello.yaml", "task-install-wiki.yaml", "task-install-wiki-inputs.yaml"))
	})
})

// applySample applies a sample as a person does, with the address of the sample
// market as it is here.
func applySample(ctx context.Context, name string) {
	GinkgoHelper()
	text, err := os.ReadFile(root(filepath.Join("config", "samples", name)))
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(GinkgoT().TempDir(), name)
	Expect(os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "http://127.0.0.1:8880", samples.URL)), 0o600)).To(Succeed())
	kubectl(ctx, "apply", "-f", file)
}

// helloPage is what hello shows.
func helloPage(ctx context.Context, t *tenant) string {
	GinkgoHelper()
	config := &corev1.ConfigMap{}
	Expect(cluster.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: "hello-page"}, config)).To(Succeed())
	var text strings.Builder
	for _, content := range config.Data {
		text.WriteString(content)
	}
	return text.String()
}
