package integration_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
)

// applyServiceAccountPolicy applies the policy of config/admission, bound to the namespace of a
// tenant, and waits until it is enforced.
func applyServiceAccountPolicy(ctx context.Context, t *fixture.Tenant) {
	GinkgoHelper()
	text, err := os.ReadFile(fixture.Path("config/admission/service_accounts.yaml"))
	Expect(err).NotTo(HaveOccurred())
	policy := string(text)
	Expect(strings.Count(policy, "name: appmarket-service-accounts")).To(Equal(2))
	policy = strings.ReplaceAll(policy, "appmarket-service-accounts", "service-accounts-"+t.Namespace)
	policy = strings.Replace(policy, "  validationActions:", fmt.Sprintf(
		"  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %s}}}\n  validationActions:", t.Namespace), 1)
	cluster.Apply(ctx, policy)
	DeferCleanup(func(ctx SpecContext) {
		_, err := cluster.TryKubectl(ctx, strings.NewReader(policy), "delete", "--filename", "-")
		Expect(err).NotTo(HaveOccurred())
	})
}

var _ = Describe("The admission policy for service accounts", func() {
	const user = "jane"
	instance := func(name, account string) string {
		return fmt.Sprintf("apiVersion: appmarket.io/v1alpha1\nkind: AppInstance\nmetadata: {name: %s}\n"+
			"spec: {appRef: {source: none, name: none}%s}\n", name, account)
	}
	task := func(name, action, account string) string {
		return fmt.Sprintf("apiVersion: appmarket.io/v1alpha1\nkind: AppInstallTask\nmetadata: {name: %s}\n"+
			"spec: {action: %s, instanceName: app, appRef: {source: none, name: none}%s}\n", name, action, account)
	}
	const one, two = ", serviceAccountName: one", ", serviceAccountName: two"

	It("requires the permission to use the service account", func(ctx SpecContext) {
		t := newTenant(ctx)
		applyServiceAccountPolicy(ctx, t)
		// Jane may write tasks and instances, and use only the service account "one".
		t.Apply(ctx, `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: jane}
rules:
- {apiGroups: [appmarket.io], resources: [appinstances, appinstalltasks], verbs: ["*"]}
- {apiGroups: [appmarket.io], resources: [serviceaccounts], resourceNames: [one], verbs: [use]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: jane}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: jane}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}]
`)
		applyAs := func(text, as string) string {
			out, _ := t.TryKubectl(ctx, strings.NewReader(text), "apply", "--namespace", t.Namespace, "--as", as, "--filename", "-")
			return out
		}
		rejection := func(account string) string {
			return fmt.Sprintf("jane may not have apps installed as service account %s of namespace %s: that takes the verb use for serviceaccounts of appmarket.io", account, t.Namespace)
		}
		attempts := 0
		Eventually(func() string {
			attempts++
			return applyAs(instance(fmt.Sprintf("probe-%d", attempts), two), user)
		}).WithContext(ctx).Should(ContainSubstring(rejection("two")))

		By("writing instances")
		Expect(applyAs(instance("app", one), user)).To(ContainSubstring("created"))
		Expect(applyAs(instance("app", two), user)).To(ContainSubstring(rejection("two")))
		Expect(applyAs(instance("other", ""), user)).To(ContainSubstring(rejection("default")))
		Expect(t.TryKubectl(ctx, nil, "annotate", "appinstance", "app", "--namespace", t.Namespace, "--as", user, "seen=true")).To(ContainSubstring("annotated"))

		By("writing tasks")
		Expect(applyAs(task("install-one", "Install", one), user)).To(ContainSubstring("created"))
		Expect(applyAs(task("install-two", "Install", two), user)).To(ContainSubstring(rejection("two")))
		Expect(applyAs(task("install-default", "Install", ""), user)).To(ContainSubstring(rejection("default")))
		Expect(applyAs(task("uninstall", "Uninstall", ""), user)).To(ContainSubstring("created"), "the service account of the instance is used")
		Expect(applyAs(task("uninstall-two", "Uninstall", two), user)).To(ContainSubstring(rejection("two")))

		By("writing as a user that can impersonate service accounts, as the operator can")
		t.Apply(ctx, `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: operator}
rules:
- {apiGroups: [appmarket.io], resources: [appinstances, appinstalltasks], verbs: ["*"]}
- {apiGroups: [""], resources: [serviceaccounts], verbs: [impersonate]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: operator}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: operator}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: operator}]
`)
		Eventually(func() string { return applyAs(instance("app", two), "operator") }).WithContext(ctx).Should(ContainSubstring("configured"))
		Expect(applyAs(instance("app", one), user)).To(ContainSubstring("configured"))
	})
})
