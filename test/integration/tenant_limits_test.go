package integration_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("A tenant that exceeds limits", func() {
	chart := fixture.Chart{Name: "plain", Version: "1.0.0", Files: fixture.Files{
		"templates/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{ .Release.Name }}\"}\n",
	}}

	It("has at most 100 unfinished tasks of an instance", func(ctx SpecContext) {
		const allowed = 100
		t := newTenant(ctx)
		t.Offer(ctx, chart)
		var text strings.Builder
		for i := range allowed + 10 {
			fmt.Fprintf(&text, "---\napiVersion: appmarket.io/v1alpha1\nkind: AppInstallTask\nmetadata: {name: t-%03d}\n"+
				"spec: {action: Install, suspend: true, instanceName: one, appRef: {source: %s, name: plain}}\n", i, t.Source.Name)
		}
		t.Apply(ctx, text.String())
		count := func() (rejected, waiting int) {
			var tasks v1alpha1.AppInstallTaskList
			Expect(t.Client.List(ctx, &tasks, client.InNamespace(t.Namespace))).To(Succeed())
			for i := range tasks.Items {
				task := &tasks.Items[i]
				switch {
				case task.Finished():
					rejected++
				case task.Status.ObservedGeneration >= 0 || len(task.Status.Conditions) > 0:
					waiting++
				}
			}
			return rejected, waiting
		}
		Eventually(func() string { return fmt.Sprint(count()) }).WithContext(ctx).Should(Equal(fmt.Sprint(10, allowed)))

		By("installing an instance in another namespace")
		other := newTenant(ctx)
		other.Offer(ctx, chart)
		other.Succeed(ctx, v1alpha1.ActionInstall, "plain")
	})

	It("gets no installations and watches for service accounts that do not exist", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, chart)
		t.Apply(ctx, fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: everybody}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:serviceaccounts:%s"}]
`, t.Namespace))
		var text strings.Builder
		for i := range 5 {
			fmt.Fprintf(&text, "---\napiVersion: appmarket.io/v1alpha1\nkind: AppInstance\nmetadata: {name: ghost-%d}\n"+
				"spec: {appRef: {source: %s, name: plain}, serviceAccountName: ghost-%[1]d}\n", i, t.Source.Name)
		}
		t.Apply(ctx, text.String())
		for i := range 5 {
			instance := t.Instance(ctx, fmt.Sprintf("ghost-%d", i))
			Expect(t.WaitsFor(ctx, v1alpha1.ReasonServiceAccountNotFound, instance)).To(ContainSubstring(`service account "ghost-%d" not found in namespace`, i))
			Expect(instance.Status.Releases).To(BeEmpty())
		}
	})
})
