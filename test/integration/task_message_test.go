package integration_test

import (
	"context"
	"net"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// waitingHookChart returns the chart site with an init hook whose pod never starts.
func waitingHookChart(version string) fixture.Chart {
	return siteChart(version).With(version, fixture.Files{"templates/hook.yaml": `apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-init
  annotations: {helm.sh/hook: "pre-install,pre-upgrade"}
spec:
  template:
    metadata: {annotations: {localcluster/waiting: ContainerCreating}}
    spec: {restartPolicy: Never, containers: [{name: init, image: ` + fixture.Image + `}]}
`})
}

var _ = Describe("A task", func() {
	patchObject := func(ctx context.Context, t *fixture.Tenant, o client.Object, change func()) {
		GinkgoHelper()
		before := client.MergeFrom(o.DeepCopyObject().(client.Object))
		change()
		Expect(t.Client.Patch(ctx, o, before)).To(Succeed())
	}

	It("that is canceled reports the result for the instance", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, waitingHookChart("1.0.0"))
		task := t.Task(ctx, v1alpha1.ActionInstall, "site")
		message := t.WaitReconciling(ctx, task, v1alpha1.ReasonProgressing)
		Eventually(func() string { return t.WaitReconciling(ctx, task, v1alpha1.ReasonProgressing) }).WithContext(ctx).
			Should(HavePrefix("installing version 1.0.0: waiting for pre-install Job/site-init to end"), message)
		patchObject(ctx, t, task, func() { task.Spec.Cancel = new(true) })
		end := t.WaitEnd(ctx, task)
		Expect(end.Message).To(Equal("canceled by spec.cancel; removed"))
		t.RecordMessage(end.Reason + ": " + end.Message)
	})

	It("that is applied again after an Uninstall reports that the instance has changed", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		const text = "apiVersion: appmarket.io/v1alpha1\nkind: AppInstallTask\nmetadata: {name: mine}\n" +
			"spec: {action: Install, appRef: {source: charts, name: site}, serviceAccountName: " + fixture.Account + "}\n"
		t.Apply(ctx, text)
		Expect(t.WaitEndOf(ctx, "mine").Status).To(Equal(metav1.ConditionTrue))
		t.Kubectl(ctx, "delete", "appinstalltask", "mine", "-n", t.Namespace)
		t.Succeed(ctx, v1alpha1.ActionUninstall, "site")
		t.Apply(ctx, text)
		end := t.WaitEndOf(ctx, "mine")
		Expect(end.Reason).To(Equal(v1alpha1.ReasonSuperseded), end.Message)
		Expect(end.Message).To(And(ContainSubstring(`instance "site" is now in state Uninstalled`), ContainSubstring("set another spec.runID")))
		t.RecordMessage(end.Reason + ": " + end.Message)
	})

	It("that is finished reports that a change of its spec has no effect", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		task := t.Do(ctx, v1alpha1.ActionInstall, "site", fixture.Version("latest")).Task
		patchObject(ctx, t, task, func() { task.Spec.EnsureParameters().Version = "1.0.0" })
		var message string
		Eventually(func() string { message = t.WaitEnd(ctx, task).Message; return message }).WithContext(ctx).
			Should(ContainSubstring("; spec was changed after the end of the task, and only ttlSecondsAfterFinished has an effect"))
		t.RecordMessage(message)
	})

	It("that is created before its source waits for the source", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(siteChart("1.0.0"))
		t.Source = &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "charts"}}
		task := t.Task(ctx, v1alpha1.ActionInstall, "site")
		message := t.WaitReconciling(ctx, task, v1alpha1.ReasonWaitingForSource)
		Expect(message).To(And(HavePrefix(`source "charts" not found in namespace `), HaveSuffix("; the task waits for the source until 30s after its creation")))
		t.RecordMessage(message)
		t.AddSource(ctx, repository)
		Expect(t.WaitEnd(ctx, task).Status).To(Equal(metav1.ConditionTrue))
	})

	It("that references a source of another namespace reports what it waits for", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Source = &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "charts"}}
		task := t.Task(ctx, v1alpha1.ActionInstall, "site")
		message := t.WaitReconciling(ctx, task, v1alpha1.ReasonWaitingForSource)
		Expect(message).To(And(HavePrefix(`source "charts" not found in namespace "default" or not shared with namespace `), ContainSubstring("; correct spec.appRef, or have the namespace added to spec.allowedNamespaces of the source; ")))
		t.RecordMessage(message)
	})

	DescribeTable("stops and resumes an instance whose spec cannot be resolved", func(ctx SpecContext, says, condition string, removeSource func(ctx context.Context, t *fixture.Tenant)) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")
		removeSource(ctx, t)
		t.Succeed(ctx, v1alpha1.ActionStop, "site")
		end := t.Succeed(ctx, v1alpha1.ActionResume, "site")
		Expect(end.Message).To(And(HavePrefix("running version 1.0.0, 3 objects ready; "), ContainSubstring(says)))
		t.RecordMessage(end.Message)
		instance := t.Instance(ctx, "site")
		t.WaitTrue(ctx, instance, v1alpha1.ConditionReady)

		By("reporting it when the spec is changed")
		patchObject(ctx, t, instance, func() { instance.Spec.Version = "2.0.0" })
		Eventually(func(g Gomega) {
			g.Expect(t.Client.Get(ctx, client.ObjectKeyFromObject(instance), instance)).To(Succeed())
			g.Expect(instance.Status.Conditions).To(ContainElement(And(HaveField("Type", condition), HaveField("Status", metav1.ConditionTrue),
				HaveField("ObservedGeneration", instance.Generation))))
		}).WithContext(ctx).Should(Succeed())
	},
		Entry("because its source was deleted", `source "charts" not found`, v1alpha1.ConditionStalled, func(ctx context.Context, t *fixture.Tenant) {
			deleteInUse(ctx, t, "marketsource", "charts")
		}),
		Entry("because its app was deleted", `app "site" not found`, v1alpha1.ConditionStalled, func(ctx context.Context, t *fixture.Tenant) {
			patchObject(ctx, t, t.Source, func() { t.Source.Spec.Filter = &v1alpha1.AppFilter{Exclude: []string{"site"}} })
			t.WaitReconciling(ctx, t.App(ctx, "site"), v1alpha1.ReasonInUse)
			deleteInUse(ctx, t, "appinfo", "charts.site")
			t.WaitTrue(ctx, t.Instance(ctx, "site"), v1alpha1.ConditionStalled)
		}),
		Entry("because its source is not synced", "to list its apps: ", v1alpha1.ConditionReconciling, func(ctx context.Context, t *fixture.Tenant) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(listener.Close)
			patchObject(ctx, t, t.Source, func() { t.Source.Spec.Helm.URL = "http://" + listener.Addr().String() })
			deleteInUse(ctx, t, "appinfo", "charts.site")
			t.WaitReconciling(ctx, t.Instance(ctx, "site"), v1alpha1.ReasonWaitingForSource)
		}),
	)
})

var _ = Describe("An instance with an available update", func() {
	It("gets one event for each published version", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := t.Offer(ctx, siteChart("1.0.0"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")
		events := func() []string {
			out := t.Kubectl(ctx, "get", "events", "-n", t.Namespace, "--field-selector", "involvedObject.kind=AppInstance,reason=UpdateAvailable",
				"--sort-by=.metadata.creationTimestamp", "--output", `jsonpath={range .items[*]}{.message}{"\n"}{end}`)
			return strings.Split(strings.TrimSpace(out), "\n")
		}
		first, second := `version 1.1.0 of app "site" is available; version 1.0.0 is installed`, `version 1.2.0 of app "site" is available; version 1.0.0 is installed`
		repository.Add(siteChart("1.1.0"))
		t.Sync(ctx)
		Eventually(events).WithContext(ctx).Should(Equal([]string{first}))
		repository.Add(siteChart("1.2.0"))
		t.Sync(ctx)
		Eventually(events).WithContext(ctx).Should(ConsistOf(first, second))

		By("upgrading and rolling back without further events")
		t.Succeed(ctx, v1alpha1.ActionUpgrade, "site", fixture.Version("1.2.0"))
		t.Succeed(ctx, v1alpha1.ActionRollback, "site")
		Expect(t.Instance(ctx, "site").Status.AvailableUpdate).To(Equal("1.2.0"))
		Expect(events()).To(ConsistOf(first, second))
	})
})

// deleteInUse deletes an object that instances use, and removes its finalizer as an administrator
// can.
func deleteInUse(ctx context.Context, t *fixture.Tenant, kind, name string) {
	GinkgoHelper()
	t.Kubectl(ctx, "delete", kind, name, "-n", t.Namespace, "--wait=false")
	t.Kubectl(ctx, "patch", kind, name, "-n", t.Namespace, "--type", "merge", "--patch", `{"metadata":{"finalizers":null}}`)
	t.Kubectl(ctx, "wait", "--for=delete", kind+"/"+name, "-n", t.Namespace, "--timeout=30s")
}
