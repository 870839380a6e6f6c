package integration_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// applyRequesterPolicy applies the policy of config/requester, bound to the namespace of a tenant, for an
// operator with the given user name.
func applyRequesterPolicy(ctx context.Context, t *fixture.Tenant, operator string) {
	GinkgoHelper()
	text, err := os.ReadFile(fixture.Path("config/requester/requester.yaml"))
	Expect(err).NotTo(HaveOccurred())
	policy := strings.ReplaceAll(string(text), "name: appmarket-requester", "name: requester-"+t.Namespace)
	policy = strings.Replace(policy, "policyName: appmarket-requester", fmt.Sprintf(
		"policyName: requester-%[1]s\n  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}}", t.Namespace), 1)
	const user = "system:serviceaccount:appmarket-system:appmarket"
	Expect(policy).To(ContainSubstring("'" + user + "'"))
	cluster.Apply(ctx, strings.Replace(policy, user, operator, 1))
	DeferCleanup(func(ctx SpecContext) {
		_, err := cluster.TryKubectl(ctx, strings.NewReader(policy), "delete", "--filename", "-")
		Expect(err).NotTo(HaveOccurred())
	})
}

var _ = Describe("The admission policy for the requester of a task", func() {
	requesterOf := func(ctx context.Context, t *fixture.Tenant, name string) string {
		GinkgoHelper()
		task := &v1alpha1.AppInstallTask{}
		t.Get(ctx, task, name)
		return task.Annotations[v1alpha1.RequestedByAnnotation]
	}

	It("records the user who created a task, and does not let users change it", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		t.Apply(ctx, `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: tasks}
rules: [{apiGroups: [appmarket.io], resources: [appinstalltasks], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: tasks}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: tasks}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}, {apiGroup: rbac.authorization.k8s.io, kind: User, name: operator}]
`)
		applyRequesterPolicy(ctx, t, "operator")
		apply := func(name, annotations, as string) string {
			out, _ := t.TryKubectl(ctx, strings.NewReader(fmt.Sprintf("apiVersion: appmarket.io/v1alpha1\nkind: AppInstallTask\nmetadata: {name: %[1]s, annotations: {%[2]s}}\n"+
				"spec: {action: Install, instanceName: %[1]s, suspend: true, serviceAccountName: %[3]s, appRef: {source: %[4]s, namespace: %[5]s, name: site}}\n",
				name, annotations, fixture.Account, t.Source.Name, t.Source.Namespace)), "apply", "--namespace", t.Namespace, "--as", as, "--filename", "-")
			return out
		}
		By("creating tasks, until the policy is enforced")
		attempts := 0
		Eventually(func() string {
			attempts++
			name := fmt.Sprintf("probe-%d", attempts)
			Expect(apply(name, "", "jane")).To(ContainSubstring("created"))
			return requesterOf(ctx, t, name)
		}).WithContext(ctx).Should(Equal("jane"))
		const forged = "appmarket.io/requested-by: admin"
		Expect(apply("forged", forged+", note: a", "jane")).To(ContainSubstring("created"))
		Expect(requesterOf(ctx, t, "forged")).To(Equal("jane"))
		Expect(apply("subtask", forged, "operator")).To(ContainSubstring("created"))
		Expect(requesterOf(ctx, t, "subtask")).To(Equal("admin"), "the operator names the requester of the parent")

		By("changing tasks")
		change := func(name, change string) {
			GinkgoHelper()
			out, err := t.TryKubectl(ctx, nil, "annotate", "appinstalltask", name, "--namespace", t.Namespace, "--as", "jane", "--overwrite", change)
			Expect(err).NotTo(HaveOccurred(), out)
		}
		change("forged", "appmarket.io/requested-by=admin")
		change("forged", "appmarket.io/requested-by-")
		Expect(requesterOf(ctx, t, "forged")).To(Equal("jane"))
		task := &v1alpha1.AppInstallTask{}
		t.Get(ctx, task, "forged")
		Expect(task.Annotations).To(HaveKeyWithValue("note", "a"))
		change("probe-1", "appmarket.io/requested-by=admin")
		Expect(requesterOf(ctx, t, "probe-1")).NotTo(Equal("admin"))

		By("running a task")
		out, err := t.TryKubectl(ctx, nil, "patch", "appinstalltask", "forged", "--namespace", t.Namespace, "--as", "jane", "--type=merge", "--patch", `{"spec":{"suspend":false}}`)
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(t.WaitEndOf(ctx, "forged").Reason).To(Equal(v1alpha1.ReasonSucceeded))
		Expect(t.Instance(ctx, "forged").Status.History[0].Operation.RequestedBy).To(Equal("jane"))
	})
})
