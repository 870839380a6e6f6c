package integration_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// restrictOperator starts the operator again as the service account of the chart, with the
// rights that the chart gives it where tenants are named, until the spec ends.
func restrictOperator(ctx context.Context, tenants ...string) {
	GinkgoHelper()
	system := cluster.Namespace(ctx, "system")
	manifests, err := exec.CommandContext(ctx, os.Getenv("HELM3"), "template", "appmarket", fixture.Path("charts/appmarket"),
		"--kube-version", "1.36.0", "--namespace", system, "--set", "tenants={"+strings.Join(tenants, ",")+"}",
		"--show-only", "templates/rbac.yaml", "--show-only", "templates/impersonation.yaml").Output()
	Expect(err).NotTo(HaveOccurred())
	cluster.Apply(ctx, string(manifests))
	DeferCleanup(func(ctx SpecContext) {
		_, err := cluster.TryKubectl(ctx, strings.NewReader(string(manifests)), "delete", "--filename", "-")
		Expect(err).NotTo(HaveOccurred())
	})
	token := cluster.Kubectl(ctx, "create", "token", "appmarket", "--namespace", system)
	config, err := os.ReadFile(cluster.Kubeconfig())
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(os.WriteFile(file, config, 0o600)).To(Succeed())
	for _, args := range [][]string{
		{"set-credentials", "operator", "--token", strings.TrimSpace(token)},
		{"set-context", "--current", "--user", "operator"},
	} {
		out, err := exec.CommandContext(ctx, filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"),
			append([]string{"config", "--kubeconfig", file}, args...)...).CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(out))
	}
	before := operator.Env
	operator.Stop()
	operator.Env = []string{"KUBECONFIG=" + file}
	operator.Start()
	DeferCleanup(func() {
		operator.Stop()
		operator.Env = before
		operator.Start()
	})
}

var _ = Describe("A namespace whose service accounts the operator may not act as", func() {
	It("is told so before its task is admitted, and can install once an administrator allows it", Serial, func(ctx SpecContext) {
		allowed, denied := newTenant(ctx), newTenant(ctx)
		restrictOperator(ctx, allowed.Namespace)
		allowed.Offer(ctx, site("1.0.0"))
		allowed.Succeed(ctx, v1alpha1.ActionInstall, "site")

		denied.Offer(ctx, site("1.0.0"))
		message := denied.Fail(ctx, v1alpha1.ReasonPermissionDenied, v1alpha1.ActionInstall, "site")
		Expect(message).To(ContainSubstring("value tenants of the operator's chart"))
		var instances v1alpha1.AppInstanceList
		Expect(denied.Client.List(ctx, &instances, client.InNamespace(denied.Namespace))).To(Succeed())
		Expect(instances.Items).To(BeEmpty(), "the task was not admitted")

		By("following the message")
		Expect(message).To(ContainSubstring("ClusterRole appmarket-impersonated-accounts"))
		binding := strings.Fields(cluster.Kubectl(ctx, "get", "rolebinding", "appmarket-impersonated-accounts", "--namespace", allowed.Namespace,
			"--output", "jsonpath={.subjects[0].namespace} {.subjects[0].name}"))
		Expect(binding).To(HaveLen(2))
		cluster.Kubectl(ctx, "create", "rolebinding", "appmarket-impersonated-accounts", "--namespace", denied.Namespace,
			"--clusterrole", "appmarket-impersonated-accounts", "--serviceaccount", fmt.Sprintf("%s:%s", binding[0], binding[1]))
		denied.Succeed(ctx, v1alpha1.ActionInstall, "site")
	})

	It("can neither stop nor remove what was installed before", Serial, func(ctx SpecContext) {
		denied := newTenant(ctx)
		denied.Offer(ctx, site("1.0.0"))
		denied.Succeed(ctx, v1alpha1.ActionInstall, "site", fixture.As("running"))
		restrictOperator(ctx, "default")
		for _, action := range []v1alpha1.Action{v1alpha1.ActionStop, v1alpha1.ActionUninstall} {
			message := denied.Fail(ctx, v1alpha1.ReasonPermissionDenied, action, "site", fixture.As("running"))
			Expect(message).To(ContainSubstring("the operator may not act as service account tenant"), string(action))
		}
	})
})
