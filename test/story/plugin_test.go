package story_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// plugin is the program of the kubectl plugin, used in a namespace.
type plugin struct {
	program, namespace string
}

// buildPlugin builds the plugin with the flags of a release, for a folder of PATH.
func buildPlugin(ctx context.Context, namespace string) *plugin {
	GinkgoHelper()
	program := filepath.Join(GinkgoT().TempDir(), "kubectl-market")
	fixture.Run(ctx, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -X main.buildVersion=1.2.3",
		"-o", program, fixture.Path("cmd/kubectl-market"))
	return &plugin{program, namespace}
}

// try runs a command and returns its output, its messages and its exit code.
func (p *plugin) try(ctx context.Context, arguments ...string) (out, messages string, code int) {
	GinkgoHelper()
	command := exec.CommandContext(ctx, p.program, append(arguments, "--namespace", p.namespace)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig())
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		Expect(err).NotTo(HaveOccurred())
	}
	return stdout.String(), stderr.String(), command.ProcessState.ExitCode()
}

// run runs a command that must succeed, and returns its output.
func (p *plugin) run(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	out, messages, code := p.try(ctx, arguments...)
	Expect(code).To(BeZero(), "%v: %s%s", arguments, out, messages)
	return out
}

var _ = Describe("A user with the kubectl plugin only", Ordered, func() {
	var p *plugin
	var t *tenant

	BeforeAll(func(ctx SpecContext) {
		ns := createNamespace(ctx, "market")
		t = newTenant(ctx, &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "samples"}})
		p = buildPlugin(ctx, t.Namespace)
		out := p.run(ctx, "source", "add", "samples", sampleServer.URL, "--market", ns, "--allowed-namespaces", "all", "--profile", "olares", "--wait")
		Expect(out).To(And(ContainSubstring("marketsource.appmarket.io/samples created"), ContainSubstring("7 of 8 apps served")))
	})

	// page returns the page that the app serves.
	page := func(ctx context.Context) string {
		GinkgoHelper()
		var config corev1.ConfigMap
		t.Get(ctx, &config, "hello-page")
		return config.Data["index.html"]
	}
	inMarket := func(arguments ...string) []string { return append(arguments, "--market", t.Source.Namespace) }

	It("finds an app", func(ctx SpecContext) {
		Expect(p.run(ctx, inMarket("search", "hello")...)).To(MatchRegexp(`samples/hello +1\.1\.0`))
		Expect(p.run(ctx, inMarket("show", "hello", "--versions")...)).To(And(ContainSubstring("1.0.0"), ContainSubstring("1.2.0-rc.1")))
		Expect(p.run(ctx, inMarket("images", "hello", "-o", "name")...)).To(Equal("samples.appmarket.io/hello:1.1\n"))
		Expect(p.run(ctx, inMarket("search", "--failed")...)).To(ContainSubstring("samples/broken"))
	})

	It("installs it", func(ctx SpecContext) {
		out, messages, code := p.try(ctx, inMarket("install", "samples/hello", "--version", "1.0.0", "--set", "greeting=Hello plugin",
			"--service-account", fixture.Account, "--wait", "--timeout", "80s")...)
		Expect(code).To(BeZero(), messages)
		Expect(out).To(MatchRegexp(`^appinstalltask\.appmarket\.io/install-hello-\w{5} created\ninstalled ` + t.Namespace + `/hello 1\.0\.0\n$`))
		for _, milestone := range []string{"Admitted", "Resolved", "Applied", "Healthy"} {
			Expect(messages).To(MatchRegexp(`(?m)^` + milestone + ` +\d+s`))
		}
		Expect(page(ctx)).To(ContainSubstring("Hello plugin"))
		Expect(p.run(ctx, "apps")).To(MatchRegexp(`hello +samples/hello +1\.0\.0 +Running +1\.1\.0`))
		_, _, code = p.try(ctx, "apps", "--updates", "--exit-code")
		Expect(code).To(Equal(10))
	})

	It("is rejected without a change", func(ctx SpecContext) {
		_, messages, code := p.try(ctx, inMarket("install", "samples/hello", "--service-account", fixture.Account, "--wait")...)
		Expect(code).To(Equal(2), messages)
		Expect(messages).To(And(ContainSubstring("was rejected; nothing was changed"), ContainSubstring("AlreadyInstalled")))
	})

	It("configures it", func(ctx SpecContext) {
		Expect(p.run(ctx, "configure", "hello", "--set", "replicas=2", "--wait")).To(HaveSuffix("configured " + t.Namespace + "/hello\n"))
		Expect(*t.deployments(ctx)[0].Spec.Replicas).To(BeEquivalentTo(2))
		Expect(page(ctx)).To(ContainSubstring("Hello plugin"), "other values are kept")
	})

	It("upgrades it", func(ctx SpecContext) {
		out, messages, code := p.try(ctx, "upgrade", "hello", "--set", "farewell=See you", "--wait")
		Expect(code).To(BeZero(), messages)
		Expect(out).To(HaveSuffix("upgraded " + t.Namespace + "/hello to 1.1.0\n"))
		Expect(messages).To(HavePrefix("Version:   1.0.0 -> 1.1.0\nValues:    set farewell\n"))
		Expect(page(ctx)).To(And(ContainSubstring("Hello plugin"), ContainSubstring("See you")))
	})

	It("rolls it back", func(ctx SpecContext) {
		Expect(p.run(ctx, "rollback", "hello", "--to-revision", "1", "--wait")).To(ContainSubstring("rolled back " + t.Namespace + "/hello to 1.0.0"))
		Expect(t.Instance(ctx, "hello").Status.Version).To(Equal("1.0.0"))
		Expect(p.run(ctx, "status", "hello")).To(And(ContainSubstring("samples/hello  1.0.0"), ContainSubstring("pinned to revision 1"), ContainSubstring("objects  3 of 3 ready")))
		Expect(p.run(ctx, "events", "hello")).To(ContainSubstring("appinstance/hello"))
	})

	It("stops and resumes it", func(ctx SpecContext) {
		p.run(ctx, "stop", "hello", "--wait")
		Expect(p.run(ctx, "apps")).To(ContainSubstring("Stopped"))
		p.run(ctx, "resume", "hello", "--wait")
		Expect(p.run(ctx, "apps")).To(ContainSubstring("Running"))
	})

	It("restarts it", func(ctx SpecContext) {
		Expect(p.run(ctx, "restart", "hello", "--wait")).To(HaveSuffix("restarted " + t.Namespace + "/hello\n"))
		Expect(t.deployments(ctx)[0].Spec.Template.Annotations).To(HaveKey("kubectl.kubernetes.io/restartedAt"))
	})

	It("uninstalls it", func(ctx SpecContext) {
		_, messages, code := p.try(ctx, "uninstall", "hello")
		Expect(code).To(Equal(1))
		Expect(messages).To(And(ContainSubstring("Deleted:   3 objects"), ContainSubstring("use --yes")))
		Expect(p.run(ctx, "uninstall", "hello", "--yes", "--wait")).To(HaveSuffix("uninstalled " + t.Namespace + "/hello\n"))
		Expect(t.listLeftovers(ctx)).To(BeEmpty())
	})

	It("specifies the inputs that a task waits for, after it has canceled another task", func(ctx SpecContext) {
		install := inMarket("install", "wiki", "--service-account", fixture.Account, "--input", "WIKI_LANGUAGE=en", "--wait")
		nameOf := func(out string) string { return regexp.MustCompile(`install-wiki-\w+`).FindString(out) }
		out, messages, code := p.try(ctx, install...)
		Expect(code).To(Equal(3), messages)
		Expect(messages).To(And(ContainSubstring("WIKI_ADMIN_PASSWORD"), Not(ContainSubstring("WIKI_LANGUAGE"))))
		Expect(messages).To(HaveSuffix("hint: kubectl market inputs " + nameOf(out) + " -n " + t.Namespace + "\n"))
		Expect(p.run(ctx, "cancel", nameOf(out), "--wait")).To(HaveSuffix("canceled " + t.Namespace + "/" + nameOf(out) + "\n"))

		out, messages, code = p.try(ctx, install...)
		Expect(code).To(Equal(3), messages)
		password := t.createInputSecret(ctx, "WIKI_ADMIN_PASSWORD", "correct horse battery").ValueFrom.SecretKeyRef
		Expect(p.run(ctx, "inputs", nameOf(out), "--input", "WIKI_ADMIN_EMAIL=admin@wiki.example", "--input", "WIKI_PUBLIC_URL=https://wiki.example",
			"--input", "WIKI_HOME=start", "--secret-input", "WIKI_ADMIN_PASSWORD="+password.Name+"/"+password.Key, "--wait")).To(
			ContainSubstring("installed " + t.Namespace + "/wiki"))
	})

	It("suspends and removes the source", func(ctx SpecContext) {
		p.run(ctx, inMarket("source", "suspend", "samples")...)
		Expect(p.run(ctx, inMarket("source", "remove", "samples", "--yes")...)).To(ContainSubstring("deleted"))
	})
})
