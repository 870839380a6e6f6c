package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
)

var stepForm = regexp.MustCompile("(?s)<!-- step: ([a-z]+) -->\n```[a-z]+\n(.*?)```")

var _ = Describe("The page about publishing a chart", func() {
	It("has steps that lead to an app that is ready", func(ctx SpecContext) {
		t := newMarketTenant(ctx)
		people, err := os.ReadFile(fixture.Path("config/rbac/people.yaml"))
		Expect(err).NotTo(HaveOccurred())
		cluster.Apply(ctx, string(people))
		page, err := os.ReadFile(fixture.Path("docs/publishing.md"))
		Expect(err).NotTo(HaveOccurred())
		adapt := strings.NewReplacer("namespace: market", "namespace: "+t.Namespace, "--namespace market", "--namespace "+t.Namespace,
			"market:publisher", t.Namespace+":publisher", `/market/team"`, "/"+t.Namespace+`/team" --plain-http`,
			"--password-stdin", "--password-stdin --plain-http")
		dir := GinkgoT().TempDir()
		tools := filepath.Join(dir, "bin")
		Expect(os.Mkdir(tools, 0o755)).To(Succeed())
		for name, program := range map[string]string{"helm": os.Getenv("HELM3"), "kubectl": filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")} {
			Expect(program).To(BeARegularFile())
			Expect(os.Symlink(program, filepath.Join(tools, name))).To(Succeed())
		}
		steps := stepForm.FindAllStringSubmatch(string(page), -1)
		Expect(steps).To(HaveLen(5))
		for _, step := range steps {
			text := adapt.Replace(step[2])
			if step[1] == "source" {
				cluster.Apply(ctx, text)
				continue
			}
			command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", text)
			command.Dir = dir
			command.Env = []string{
				"HOME=" + dir, "KUBECONFIG=" + cluster.Kubeconfig(), "HOST=" + strings.TrimPrefix(suite.URL, "http://"),
				"PATH=" + tools + ":" + os.Getenv("PATH"),
			}
			output, err := command.CombinedOutput()
			Expect(err).NotTo(HaveOccurred(), "%s: %s", text, output)
		}
	})
})
