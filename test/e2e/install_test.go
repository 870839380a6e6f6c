//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// imagePath is the path of the operator's image, and imageName its name in the release files. The
// node uses the registry of the test as mirror of every registry.
const (
	imagePath = "appmarket/operator"
	imageName = "ghcr.io/" + imagePath
)

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

	It("removes the installation of kustomize", func(ctx SpecContext) {
		cluster.Kubectl(ctx, "delete", "--kustomize", kustomizeOverlay(), "--timeout", "80s")
		cluster.Kubectl(ctx, "delete", "--kustomize", fixture.Path("config/crd"), "--timeout", "30s")
		expectNothingLeft(ctx)
	})

	It("installs the chart of an older version into a restricted namespace", func(ctx SpecContext) {
		cluster.Apply(ctx, `{apiVersion: v1, kind: Namespace, metadata: {name: `+system+`, labels: {pod-security.kubernetes.io/enforce: restricted}}}`)
		auditedFrom = time.Now()
		pushChart(ctx, releasedChart())
		pushChart(ctx, olderChart(ctx))
		began := time.Now()
		runHelm(ctx, "install", "appmarket", chartReference, "--plain-http", "--version", olderVersion,
			"--namespace", system, "--wait", "--timeout", "80s", "--set", "podAnnotations.chart=older", "--set", mirrorOf("ghcr.io"), "--set", mirrorOf("samples.appmarket.io"),
			// The repositories have private addresses here, which only market namespaces may
			// access.
			"--set", "marketNamespaces={market,"+demo+",appmarket-tenant-0,appmarket-tenant-1,appmarket-tenant-2}")
		addLine("ready after %.1f s", time.Since(began).Seconds())
		expectImage(ctx)
	})

	// This is the Pod of helm test with the IP of the Service, because the node has no DNS.
	It("passes the test of the chart", func(ctx SpecContext) {
		pod := &corev1.Pod{}
		Expect(yaml.UnmarshalStrict([]byte(runHelm(ctx, "get", "hooks", "appmarket", "--namespace", system)), pod)).To(Succeed())
		address := cluster.Kubectl(ctx, "get", "service", "appmarket", "--namespace", system, "--output", "jsonpath={.spec.clusterIP}")
		pod.Spec.HostAliases = []corev1.HostAlias{{IP: address, Hostnames: []string{"appmarket." + system + ".svc"}}}
		Expect(cluster.Client.Create(ctx, pod)).To(Succeed())
		cluster.Kubectl(ctx, "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/"+pod.Name, "--namespace", system, "--timeout", "80s")
		Expect(cluster.Kubectl(ctx, "logs", pod.Name, "--namespace", system)).
			To(And(ContainSubstring("/readyz is served"), ContainSubstring("/index.yaml is served")))
		cluster.Kubectl(ctx, "delete", "pod", pod.Name, "--namespace", system, "--timeout", "60s")
	})

	It("installs the first app with the second command", func(ctx SpecContext) {
		text, err := os.ReadFile(releaseFile("samples.yaml"))
		Expect(err).NotTo(HaveOccurred())
		url := regexp.MustCompile(`url: https://\S+`)
		Expect(url.FindAllString(string(text), -1)).To(HaveLen(1), "the test replaces the URL")
		began := time.Now()
		cluster.Apply(ctx, url.ReplaceAllLiteralString(string(text), "url: "+samplesURL))
		end := (&fixture.Tenant{Cluster: cluster, Namespace: demo}).WaitEndOf(ctx, "install-hello")
		Expect(end.Status).To(Equal(metav1.ConditionTrue), "%s: %s", end.Reason, end.Message)
		addLine("the first app is ready after %.1f s", time.Since(began).Seconds())
		expectPage(ctx, demo, "hello", "<p>hello 1.0</p>", "Hello from the demo")
	})

	It("publishes the apps of the market", func(ctx SpecContext) {
		source := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: "market", Name: "samples"}}
		cluster.WaitTrue(ctx, source, v1alpha1.ConditionReady)
		Eventually(func() int {
			return strings.Count(cluster.Kubectl(ctx, "get", "appinfo", "--namespace", "market", "--output",
				`jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`), "True")
		}).WithContext(ctx).Should(Equal(7), "one of eight apps does not render")
	})

	It("upgrades the chart while an app runs", func(ctx SpecContext) {
		pod := func() string {
			return cluster.Kubectl(ctx, "get", "pods", "--namespace", demo, "--output", "jsonpath={.items[*].metadata.uid}")
		}
		before := pod()
		operator := operatorPod(ctx).Name
		cluster.Kubectl(ctx, "apply", "--server-side", "--filename", releaseFile("crds.yaml"))
		runHelm(ctx, "upgrade", "appmarket", chartReference, "--plain-http", "--version", versionOf(releasedChart()),
			"--namespace", system, "--reset-then-reuse-values", "--set", "podAnnotations.chart=released", "--wait", "--timeout", "80s")
		Eventually(func() string { return operatorPod(ctx).Name }).WithContext(ctx).ShouldNot(Equal(operator))
		expectImage(ctx)
		hello := &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{Namespace: demo, Name: "hello"}}
		cluster.WaitTrue(ctx, hello, v1alpha1.ConditionReady)
		Expect(pod()).To(Equal(before), "the Pods of the app are not replaced")
	})
}

// chartReference is the reference from which the chart is installed.
const chartReference = "oci://" + registryAddress + "/charts/appmarket"

// olderVersion is the version of the chart from which the test upgrades. There is no earlier
// release, so it is the current chart with another version.
const olderVersion = "0.0.1"

// releasedChart returns the archive of the chart that make chart wrote.
func releasedChart() string {
	GinkgoHelper()
	archives, err := filepath.Glob(releaseFile("appmarket-*.tgz"))
	Expect(err).NotTo(HaveOccurred())
	Expect(archives).To(HaveLen(1))
	return archives[0]
}

// versionOf returns the version in the name of an archive.
func versionOf(archive string) string {
	return strings.TrimSuffix(strings.TrimPrefix(filepath.Base(archive), "appmarket-"), ".tgz")
}

// olderChart returns an archive of the released chart under olderVersion.
func olderChart(ctx context.Context) string {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	fixture.Run(ctx, "tar", "-C", dir, "-xzf", releasedChart())
	runHelm(ctx, "package", filepath.Join(dir, "appmarket"), "--version", olderVersion, "--destination", dir)
	return filepath.Join(dir, "appmarket-"+olderVersion+".tgz")
}

// pushChart pushes the archive of a chart to the registry of the test.
func pushChart(ctx context.Context, archive string) {
	GinkgoHelper()
	runHelm(ctx, "push", archive, "oci://"+registryAddress+"/charts", "--plain-http")
}

// mirrorOf returns the chart value that makes the operator use the registry of the test as mirror
// of another one, as the node does.
func mirrorOf(name string) string {
	return fmt.Sprintf(`registryMirrors.%s=http://%s`, strings.ReplaceAll(name, ".", `\.`), registryAddress)
}

// kustomizeOverlay writes the overlay from docs/installing.md and returns its folder.
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

// expectImage checks that the Pod of the operator runs the image under test.
func expectImage(ctx context.Context) {
	GinkgoHelper()
	Expect(cluster.Kubectl(ctx, "get", "pods", "--namespace", system, "--selector", "app.kubernetes.io/name=appmarket",
		"--output", "jsonpath={.items[*].status.containerStatuses[*].imageID}")).To(ContainSubstring(digest))
}

// runHelm runs helm as the administrator of the cluster and returns its output.
func runHelm(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return fixture.NewHelm(cluster, "HELM3").Run(ctx, args...)
}
