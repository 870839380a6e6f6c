package integration_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// hookedChart returns a chart with a ConfigMap and hooks. The text of a hook is completed by
// hookJob.
func hookedChart(version string, hooks ...string) fixture.Chart {
	return fixture.Chart{Name: "hooked", Version: version, Files: fixture.Files{
		"templates/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-settings\ndata:\n  version: {{ .Chart.Version | quote }}\n",
		"templates/hooks.yaml":    strings.Join(hooks, "---\n"),
	}}
}

// hookJob returns a Job that runs for the events. The other parameters are lines of the
// annotations, of the Job's spec and of the Pod's spec.
func hookJob(name, events, annotations, job, pod string) string {
	return `apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-` + name + `
  annotations: {helm.sh/hook: "` + events + `"` + annotations + `}
spec:
  backoffLimit: 0
` + job + `
  template:
` + pod + `
      restartPolicy: Never
      containers: [{name: main, image: "` + fixture.Image + `"}]
`
}

const (
	starts       = "    spec:"
	neverStarts  = "    metadata: {annotations: {localcluster/waiting: ImagePullBackOff}}\n    spec:"
	maybeStarts  = "    {{- if .Values.fail }}\n    metadata: {annotations: {localcluster/waiting: ImagePullBackOff}}\n    {{- end }}\n    spec:"
	deletedAtEnd = "  ttlSecondsAfterFinished: 0"
	failsQuickly = "  activeDeadlineSeconds: 5"
)

var _ = Describe("A chart with hooks", func() {
	DescribeTable("completes every operation if a hook is deleted when it is complete",
		func(ctx SpecContext, annotations string) {
			t := newTenant(ctx)
			hooks := []string{
				hookJob("migrate", "pre-install,pre-upgrade", "", deletedAtEnd, starts),
				hookJob("warm", "post-install,post-upgrade,post-delete", annotations, deletedAtEnd, starts),
			}
			t.Offer(ctx, hookedChart("1.0.0", hooks...), hookedChart("1.1.0", hooks...))
			t.Succeed(ctx, v1alpha1.ActionInstall, "hooked", fixture.Version("1.0.0"))
			t.Succeed(ctx, v1alpha1.ActionUpgrade, "hooked", fixture.Version("1.1.0"))
			t.Succeed(ctx, v1alpha1.ActionUninstall, "hooked")
			Expect(t.Leftovers(ctx)).To(BeEmpty())
		},
		Entry("by Kubernetes", ""),
		Entry("by Kubernetes and by Helm", `, helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"`),
		Entry("by Kubernetes, although the policy of Helm keeps it", `, helm.sh/hook-delete-policy: hook-failed`),
	)

	It("can be installed again after a hook failed, and removed completely", func(ctx SpecContext) {
		t := newTenant(ctx)
		account := "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {{ .Release.Name }}-hook\n  annotations: {helm.sh/hook: \"pre-install,pre-upgrade\", helm.sh/hook-weight: \"-10\"}\n"
		setup := hookJob("setup", "post-install,post-upgrade", ", helm.sh/hook-delete-policy: hook-succeeded", failsQuickly,
			maybeStarts+"\n      serviceAccountName: {{ .Release.Name }}-hook")
		chart := hookedChart("1.0.0", account, setup)
		chart.Files["values.yaml"] = "fail: false\n"
		t.Offer(ctx, chart)

		message := t.Fail(ctx, v1alpha1.ReasonInstallFailed, v1alpha1.ActionInstall, "hooked", fixture.Values(map[string]any{"fail": true}))
		Expect(message).To(HavePrefix("post-install Job/hooked-setup failed: DeadlineExceeded: "))
		Expect(t.Names(ctx, "jobs")).To(Equal([]string{"hooked-setup"}), "the failed Job is kept")
		t.Succeed(ctx, v1alpha1.ActionInstall, "hooked", fixture.Values(map[string]any{"fail": false}))
		t.Succeed(ctx, v1alpha1.ActionUninstall, "hooked")
		Expect(t.Leftovers(ctx)).To(BeEmpty())
		Expect(t.Names(ctx, "serviceaccounts")).NotTo(ContainElement("hooked-hook"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "hooked")
	})

	It("does not change a Job with the same name that is not part of the release", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, hookedChart("1.0.0", hookJob("setup", "pre-install", ", helm.sh/hook-delete-policy: hook-succeeded", "", starts)))
		t.Apply(ctx, "apiVersion: batch/v1\nkind: Job\nmetadata: {name: hooked-setup}\nspec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: a, image: "+fixture.Image+"}]}}}\n")
		message := t.Fail(ctx, v1alpha1.ReasonInstallFailed, v1alpha1.ActionInstall, "hooked")
		Expect(message).To(ContainSubstring("pre-install Job/hooked-setup already exists and is not managed by Helm; delete it, or "))
		t.Succeed(ctx, v1alpha1.ActionUninstall, "hooked")
		Expect(t.Names(ctx, "jobs")).To(Equal([]string{"hooked-setup"}))
	})

	DescribeTable("is removed without its delete hooks after a failed installation",
		func(ctx SpecContext, events string, change ...fixture.Change) {
			t := newTenant(ctx)
			t.Offer(ctx, hookedChart("1.0.0",
				hookJob("init", "pre-install", "", failsQuickly, neverStarts),
				hookJob("cleanup", events, "", "", starts+"\n      serviceAccountName: {{ .Release.Name }}-none")))
			message := t.Fail(ctx, v1alpha1.ReasonInstallFailed, v1alpha1.ActionInstall, "hooked", change...)
			Expect(message).To(ContainSubstring("pre-install Job/hooked-init failed: DeadlineExceeded: "))
			if len(change) == 0 {
				t.Succeed(ctx, v1alpha1.ActionUninstall, "hooked")
			}
			Eventually(func() []string { return t.Leftovers(ctx) }).WithContext(ctx).Should(BeEmpty())
		},
		Entry("by a task, with a pre-delete hook", "pre-delete"),
		Entry("by a task, with a post-delete hook", "post-delete"),
		Entry("by onFailure Remove", "pre-delete,post-delete", fixture.OnFailure(v1alpha1.FailureRemove)),
	)

	It("reports the hook that it waits for, while it waits and after the timeout", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, hookedChart("1.0.0", hookJob("init", "pre-install", "", "", neverStarts)))
		task := t.Task(ctx, v1alpha1.ActionInstall, "hooked", fixture.Timeout("4s"))
		const waits = "waiting for pre-install Job/hooked-init to end: container main: ImagePullBackOff: image " + fixture.Image
		instance := &v1alpha1.AppInstance{}
		instance.Namespace, instance.Name = t.Namespace, "hooked"
		Eventually(func(ctx SpecContext) string {
			return t.WaitReconciling(ctx, instance, v1alpha1.ReasonProgressing)
		}).WithContext(ctx).Should(Equal("installing version 1.0.0: " + waits))
		end := t.WaitEnd(ctx, task)
		Expect([]string{end.Reason, end.Message}).To(Equal([]string{v1alpha1.ReasonTimedOut, "the operation exceeded spec.timeout (4s): " + waits}))
		Eventually(func() []string { return append(t.Names(ctx, "jobs"), t.Names(ctx, "pods")...) }).WithContext(ctx).Should(BeEmpty())
	})

	It("is rejected if a hook uses a service account that is created later", func(ctx SpecContext) {
		t := newTenant(ctx)
		chart := hookedChart("1.0.0", hookJob("init", "pre-install", "", "", starts+"\n      serviceAccountName: {{ .Release.Name }}-account"))
		chart.Files["templates/account.yaml"] = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: \"{{ .Release.Name }}-account\"}\n"
		t.Offer(ctx, chart)
		message := t.Fail(ctx, v1alpha1.ReasonServiceAccountNotFound, v1alpha1.ActionInstall, "hooked")
		Expect(message).To(ContainSubstring(`Job/hooked-init: service account "hooked-account" of the pre-install hook is created only after the hook has run`))
	})
})
