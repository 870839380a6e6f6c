//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
	"github.com/appmarket/operator/test/samplemarket"
)

// imageName is the image of the operator as users write it; the node asks the registry of
// the test for every registry.
const imageName = "registry.example/appmarket"

func installSteps() {
	It("installs with kustomize into a restricted namespace", func(ctx SpecContext) {
		overlay := kustomizeOverlay()
		cluster.Kubectl(ctx, "apply", "--server-side", "--kustomize", fixture.Path("config/crd"))
		cluster.Kubectl(ctx, "apply", "--server-side", "--kustomize", overlay)
		cluster.Kubectl(ctx, "rollout", "status", "deployment/appmarket", "--namespace", system, "--timeout", "80s")
		Expect(cluster.Kubectl(ctx, "get", "namespace", system, "--output", "jsonpath={.metadata.labels}")).
			To(ContainSubstring(`"pod-security.kubernetes.io/enforce":"restricted"`))
		expectImage(ctx)
	})

	It("removes what kustomize installed", func(ctx SpecContext) {
		cluster.Kubectl(ctx, "delete", "--kustomize", kustomizeOverlay(), "--timeout", "80s")
		cluster.Kubectl(ctx, "delete", "--kustomize", fixture.Path("config/crd"), "--timeout", "30s")
		expectNothingLeft(ctx)
	})

	It("installs from an OCI chart into a restricted namespace", func(ctx SpecContext) {
		cluster.Apply(ctx, `{apiVersion: v1, kind: Namespace, metadata: {name: `+system+`, labels: {pod-security.kubernetes.io/enforce: restricted}}}`)
		auditedFrom = time.Now()
		dir := GinkgoT().TempDir()
		helm(ctx, "package", fixture.Path("charts/appmarket"), "--destination", dir)
		archives, err := filepath.Glob(filepath.Join(dir, "appmarket-*.tgz"))
		Expect(err).NotTo(HaveOccurred())
		Expect(archives).To(HaveLen(1))
		helm(ctx, "push", archives[0], "oci://"+registryAddress+"/charts", "--plain-http")
		helm(ctx, "install", "appmarket", "oci://"+registryAddress+"/charts/appmarket", "--plain-http",
			"--version", strings.TrimSuffix(strings.TrimPrefix(filepath.Base(archives[0]), "appmarket-"), ".tgz"),
			"--namespace", system, "--wait", "--timeout", "80s",
			"--set", "image.repository="+imageName, "--set", "image.tag="+digest,
			"--set", fmt.Sprintf(`registryMirrors.%s=http://%s`, strings.ReplaceAll(samplemarket.Registry, ".", `\.`), registryAddress))
		expectImage(ctx)
	})

	It("fills a market", func(ctx SpecContext) {
		text, err := os.ReadFile(fixture.Path("config/samples/marketsource.yaml"))
		Expect(err).NotTo(HaveOccurred())
		Expect(string(text)).To(ContainSubstring("http://127.0.0.1:8880"))
		cluster.Apply(ctx, strings.ReplaceAll(string(text), "http://127.0.0.1:8880", samplesURL))
		source := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: "market", Name: "samples"}}
		cluster.WaitTrue(ctx, source, v1alpha1.ConditionReady)
		Eventually(func() int {
			return strings.Count(cluster.Kubectl(ctx, "get", "appinfo", "--namespace", "market", "--output",
				`jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`), "True")
		}).WithContext(ctx).Should(Equal(7), "the eighth does not render")
	})
}

// kustomizeOverlay writes the overlay that docs/installing.md describes, and returns its
// folder.
func kustomizeOverlay() string {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	base, err := filepath.Rel(dir, fixture.Path("config/default"))
	Expect(err).NotTo(HaveOccurred())
	text := fmt.Sprintf("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [%s]\n"+
		"images:\n  - {name: appmarket, newName: %s, digest: %q}\n", base, imageName, digest)
	Expect(os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600)).To(Succeed())
	return dir
}

// expectImage checks that the pod of the operator runs the image under test.
func expectImage(ctx context.Context) {
	GinkgoHelper()
	Expect(cluster.Kubectl(ctx, "get", "pods", "--namespace", system, "--selector", "app.kubernetes.io/name=appmarket",
		"--output", "jsonpath={.items[*].status.containerStatuses[*].imageID}")).To(ContainSubstring(digest))
}

// helm runs helm as the administrator of the cluster, and returns what it printed.
func helm(ctx context.Context, args ...string) string {
	GinkgoHelper()
	command := exec.CommandContext(ctx, os.Getenv("HELM3"), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig())
	out, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "helm %v: %s", args, out)
	return string(out)
}
