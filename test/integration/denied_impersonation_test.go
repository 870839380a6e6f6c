package integration_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// restrictOperator restarts the operator as the service account of the chart, with the permissions
// that the chart grants for named tenants, until the spec ends.
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

// allowImpersonation binds the role of the chart to the operator in a namespace, with a copy of the
// binding in the namespace named by like.
func allowImpersonation(ctx context.Context, namespace, like string) {
	GinkgoHelper()
	const name = "appmarket-impersonated-accounts"
	operator := cluster.Kubectl(ctx, "get", "rolebinding", name, "--namespace", like,
		"--output", "jsonpath={.subjects[0].namespace}:{.subjects[0].name}")
	cluster.Kubectl(ctx, "create", "rolebinding", name, "--namespace", namespace, "--clusterrole", name, "--serviceaccount", operator)
}

var _ = Describe("A namespace whose service accounts the operator cannot impersonate", func() {
	It("gets its task rejected, and can install when an administrator permits it", Serial, func(ctx SpecContext) {
		allowed, denied := newTenant(ctx), newTenant(ctx)
		restrictOperator(ctx, allowed.Namespace)
		allowed.Offer(ctx, siteChart("1.0.0"))
		allowed.Succeed(ctx, v1alpha1.ActionInstall, "site")

		denied.Offer(ctx, siteChart("1.0.0"))
		message := denied.Fail(ctx, v1alpha1.ReasonPermissionDenied, v1alpha1.ActionInstall, "site")
		Expect(message).To(ContainSubstring("value tenants of the operator's chart"))
		var instances v1alpha1.AppInstanceList
		Expect(denied.Client.List(ctx, &instances, client.InNamespace(denied.Namespace))).To(Succeed())
		Expect(instances.Items).To(BeEmpty(), "the task is not admitted")

		By("creating the binding that the message names")
		Expect(message).To(ContainSubstring("ClusterRole appmarket-impersonated-accounts"))
		allowImpersonation(ctx, denied.Namespace, allowed.Namespace)
		denied.Succeed(ctx, v1alpha1.ActionInstall, "site")
	})

	It("gets an instance that waits, and is installed when an administrator permits it", Serial, func(ctx SpecContext) {
		denied := newTenant(ctx)
		denied.Offer(ctx, siteChart("1.0.0"))
		restrictOperator(ctx, "default")
		instance := &v1alpha1.AppInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: denied.Namespace, Name: "mine"},
			Spec:       v1alpha1.AppInstanceSpec{AppRef: v1alpha1.AppReference{Source: "charts", Name: "site"}, ServiceAccountName: fixture.Account},
		}
		Expect(denied.Client.Create(ctx, instance)).To(Succeed())
		Expect(denied.WaitsFor(ctx, v1alpha1.ReasonPermissionDenied, instance)).To(ContainSubstring("value tenants of the operator's chart"))
		allowImpersonation(ctx, denied.Namespace, "default")
		denied.WaitTrue(ctx, instance, v1alpha1.ConditionReady)
	})

	It("can neither stop nor remove an earlier installation", Serial, func(ctx SpecContext) {
		denied := newTenant(ctx)
		denied.Offer(ctx, siteChart("1.0.0"))
		denied.Succeed(ctx, v1alpha1.ActionInstall, "site", fixture.As("running"))
		restrictOperator(ctx, "default")
		for _, action := range []v1alpha1.Action{v1alpha1.ActionStop, v1alpha1.ActionUninstall} {
			message := denied.Fail(ctx, v1alpha1.ReasonPermissionDenied, action, "site", fixture.As("running"))
			Expect(message).To(ContainSubstring(`the operator cannot impersonate service account "tenant"`), string(action))
		}
	})
})
