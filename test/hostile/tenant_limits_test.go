package hostile_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// endlessHook is an app with a hook whose Pod never starts.
var endlessHook = newChart(fixture.Files{"templates/hook.yaml": `apiVersion: batch/v1
kind: Job
metadata: {name: "{{ .Release.Name }}-hook", annotations: {helm.sh/hook: pre-install}}
spec:
  template:
    metadata: {annotations: {localcluster/waiting: ContainerCreating}}
    spec: {restartPolicy: Never, containers: [{name: main, image: "` + fixture.Image + `"}]}
`})

var _ = Describe("A tenant", func() {
	It("with 16 installations that wait a day for hooks does not block other tenants", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, endlessHook)
		runAttack(ctx, func() string {
			var text strings.Builder
			for i := range 16 {
				fmt.Fprintf(&text, "---\napiVersion: appmarket.io/v1alpha1\nkind: AppInstance\nmetadata: {name: m%d}\n"+
					"spec: {appRef: {source: charts, name: victim}, serviceAccountName: %s, timeout: 24h}\n", i, fixture.Account)
			}
			t.Apply(ctx, text.String())
			Eventually(func() []string { return t.Names(ctx, "jobs") }).WithContext(ctx).ShouldNot(BeEmpty())
			_, err := backgroundTenant.installApp(ctx)
			Expect(err).NotTo(HaveOccurred())
			t.Kubectl(ctx, "delete", "appinstances", "--all", "--wait=false", "--namespace", t.Namespace)
			Eventually(func() []string { return t.Names(ctx, "appinstances") }).WithContext(ctx).Should(BeEmpty())
			return "all installations wait for their hooks, and are removed"
		})
	})

	It("with 300 instances of a chart whose rendering does not end does not block other tenants", Serial, func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, newChart(fixture.Files{"templates/more.yaml": withLookup(runEndlessly)}))
		runAttack(ctx, func() string {
			var text strings.Builder
			for i := range 300 {
				fmt.Fprintf(&text, "---\napiVersion: appmarket.io/v1alpha1\nkind: AppInstance\nmetadata: {name: m%d}\n"+
					"spec: {appRef: {source: charts, name: victim}, serviceAccountName: %s}\n", i, fixture.Account)
			}
			t.Apply(ctx, text.String())
			_, err := backgroundTenant.installApp(ctx)
			Expect(err).NotTo(HaveOccurred())
			t.Kubectl(ctx, "delete", "appinstances", "--all", "--wait=false", "--namespace", t.Namespace)
			Eventually(func() int { return len(t.Names(ctx, "appinstances")) }).WithContext(ctx).Should(
				BeNumerically("<=", 8), "half of the slots, whose instances are being rendered")
			return "at most 8 are rendered at the same time, and the others are removed at once"
		})
	})

	It("with 400 tasks of one instance gets about a hundred of them accepted", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, newChart(nil))
		runAttack(ctx, func() string {
			inParallel(400, func(int) {
				t.Task(ctx, v1alpha1.ActionInstall, "victim", fixture.As("one"), func(s *v1alpha1.AppInstallTaskSpec) { s.Suspend = new(true) })
			})
			var rejected int
			Eventually(func() int {
				var tasks v1alpha1.AppInstallTaskList
				Expect(t.Client.List(ctx, &tasks, client.InNamespace(t.Namespace))).To(Succeed())
				rejected = 0
				for i := range tasks.Items {
					if tasks.Items[i].Finished() {
						rejected++
					}
				}
				return rejected
			}).WithContext(ctx).Should(BeNumerically(">=", 250), "of tasks that are created at the same time, a few more than the limit are accepted")
			return fmt.Sprintf("%d tasks AllowanceExceeded", rejected)
		})
	})

	It("with 40 service accounts that do not exist gets nothing installed", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, newChart(nil))
		runAttack(ctx, func() string {
			var text strings.Builder
			for i := range 40 {
				fmt.Fprintf(&text, "---\napiVersion: appmarket.io/v1alpha1\nkind: AppInstance\nmetadata: {name: ghost-%d}\n"+
					"spec: {appRef: {source: charts, name: victim}, serviceAccountName: ghost-%[1]d}\n", i)
			}
			t.Apply(ctx, text.String())
			for i := range 40 {
				t.WaitCondition(ctx, t.Instance(ctx, fmt.Sprintf("ghost-%d", i)), v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonServiceAccountNotFound)
			}
			return "each instance is ServiceAccountNotFound"
		})
	})
})
