package integration_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/repo"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// catalogLabel is the label with which the app catalog of Headlamp selects Services.
const catalogLabel = "catalog.headlamp.dev/is-catalog"

// findService returns the Service of a set of manifests in a namespace of the test.
func findService(manifests []byte, namespace string) *corev1.Service {
	GinkgoHelper()
	for document := range strings.SplitSeq("\n"+string(manifests), "\n---") {
		service := &corev1.Service{}
		Expect(yaml.Unmarshal([]byte(document), service)).To(Succeed())
		if service.Kind == "Service" && service.Name == "appmarket" {
			service.Namespace = namespace
			return service
		}
	}
	Fail("Service appmarket not found in the manifests")
	return nil
}

// newHeadlampProxy returns a function that sends requests as the proxy of Headlamp does: to the port named
// http of the Service, at its DNS name, which is mapped to the operator of the suite.
func newHeadlampProxy(service *corev1.Service) func(path string) []byte {
	GinkgoHelper()
	var port int32
	for _, p := range service.Spec.Ports {
		if p.Name == "http" || p.Name == "https" {
			port = p.Port
		}
	}
	Expect(port).NotTo(BeZero(), "no port of Service %s is named http", service.Name)
	host := fmt.Sprintf("%s.%s:%d", service.Name, service.Namespace, port)
	proxyClient := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address != host {
				return nil, fmt.Errorf("dial %s: not the address of the Service", address)
			}
			return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(suite.URL, "http://"))
		},
	}}
	return func(path string) []byte {
		GinkgoHelper()
		response, err := proxyClient.Get("http://" + host + path)
		Expect(err).NotTo(HaveOccurred())
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		Expect(err).NotTo(HaveOccurred())
		Expect(response.StatusCode).To(Equal(http.StatusOK), "%s: %s", path, body)
		return body
	}
}

var _ = Describe("The app catalog of Headlamp", func() {
	DescribeTable("finds the repository and its charts", func(ctx SpecContext, render func(ctx context.Context) *exec.Cmd) {
		t := newMarketTenant(ctx)
		manifests, err := render(ctx).Output()
		Expect(err).NotTo(HaveOccurred())
		Expect(t.Client.Create(ctx, findService(manifests, t.Namespace))).To(Succeed())
		chart := siteChart("1.0.0")
		chart.Name = "listed"
		// This market is not the first one, so the entries of the joined index have prefixes.
		entry := t.Namespace + "_charts_listed"
		t.Offer(ctx, chart)
		shared := t.Source
		before := client.MergeFrom(shared.DeepCopy())
		shared.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}
		Expect(t.Client.Patch(ctx, shared, before)).To(Succeed())

		var found corev1.ServiceList
		Expect(t.Client.List(ctx, &found, client.InNamespace(t.Namespace), client.MatchingLabels{catalogLabel: ""})).To(Succeed())
		Expect(found.Items).To(HaveLen(1))
		Expect(found.Items[0].Annotations).To(And(
			HaveKeyWithValue("catalog.headlamp.dev/protocol", "helm"), HaveKeyWithValue("catalog.headlamp.dev/name", "appmarket")))

		get := newHeadlampProxy(&found.Items[0])
		var index repo.IndexFile
		Eventually(func() map[string]repo.ChartVersions {
			index = repo.IndexFile{}
			Expect(yaml.Unmarshal(get("/charts/index.yaml"), &index)).To(Succeed())
			return index.Entries
		}).WithContext(ctx).Should(HaveKey(entry))
		Expect(string(get("/values/" + entry + "/1.0.0/values.yaml"))).To(Equal(chart.Files["values.yaml"]))

		By("installing the chart with Helm, as its backend does")
		release, err := runHelm(ctx, t, "install", "by-headlamp", entry, "--repo", suite.URL+"/charts/", "--version", "1.0.0")
		Expect(err).NotTo(HaveOccurred(), release)
		uninstalled, err := runHelm(ctx, t, "uninstall", "by-headlamp", "--wait")
		Expect(err).NotTo(HaveOccurred(), uninstalled)
	},
		Entry("if kustomize installs the operator", func(ctx context.Context) *exec.Cmd {
			return exec.CommandContext(ctx, filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), "kustomize", fixture.Path("config/manager"))
		}),
		Entry("if the chart installs the operator", func(ctx context.Context) *exec.Cmd {
			return exec.CommandContext(ctx, os.Getenv("HELM3"), "template", "appmarket", fixture.Path("charts/appmarket"), "--kube-version", "1.36.0",
				"--set", "image.repository=registry.example/operator")
		}),
	)
})
