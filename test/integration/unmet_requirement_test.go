package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// conflicting is the part of an app manifest that excludes the app rival.
const conflicting = "options: {conflicts: [{name: rival, type: application}]}\n"

var _ = Describe("A task whose requirements are not met names the requirement and the remedy", func() {
	It("if a quota is exceeded", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		t.Apply(ctx, "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {count/deployments.apps: \"0\"}}\n")
		message := t.Fail(ctx, v1alpha1.ReasonQuotaExceeded, v1alpha1.ActionInstall, "site")
		Expect(message).To(And(HavePrefix("exceeded quota: small, requested: "), ContainSubstring("; free resources in namespace ")))
	})

	It("if a storage class does not exist", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, templateChart("", "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: \"{{ .Release.Name }}-data\"}\n"+
			"spec: {storageClassName: absent, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n"))
		message := t.Fail(ctx, v1alpha1.ReasonStorageClassNotFound, v1alpha1.ActionInstall, "forms")
		Expect(message).To(ContainSubstring(`PersistentVolumeClaim/forms-data: StorageClass "absent" not found; create it`))
	})

	It("if the cluster does not serve a kind", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, templateChart("", "apiVersion: {{ .Release.Namespace }}.example.com/v1\nkind: Gadget\nmetadata: {name: {{ .Release.Name }}}\n"))
		message := t.Fail(ctx, v1alpha1.ReasonNoKindMatch, v1alpha1.ActionInstall, "forms")
		Expect(message).To(HavePrefix(`Gadget/forms: no matches for kind "Gadget" in version `))
	})

	It("if the service account lacks permissions in its own namespace", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		t.Apply(ctx, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: poor}\n")
		message := t.Fail(ctx, v1alpha1.ReasonPermissionDenied, v1alpha1.ActionInstall, "site",
			func(s *v1alpha1.AppInstallTaskSpec) { s.ServiceAccountName = "poor" })
		Expect(message).To(And(HavePrefix(`service account "poor" lacks `), HaveSuffix("; apply status.preflight[0].remedy")))
	})

	It("if its source has withdrawn the app", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		t.Kubectl(ctx, "patch", "appinfo", "charts.site", "-n", t.Namespace, "--type", "merge", "--patch", `{"spec":{"withdrawn":true}}`)
		Eventually(func() bool { return t.App(ctx, "site").Spec.Withdrawn }).WithContext(ctx).Should(BeTrue())
		message := t.Fail(ctx, v1alpha1.ReasonWithdrawn, v1alpha1.ActionInstall, "site")
		Expect(message).To(Equal(`app "site" has been withdrawn by its source and cannot be newly installed; use another app`))
	})

	It("if a required app is not installed", func(ctx SpecContext) {
		t := newTenant(ctx)
		offerApps(ctx, t, fixture.App("base", plainFiles, ""), fixture.App("user", plainFiles, "", "base"))
		task := t.Task(ctx, v1alpha1.ActionInstall, "user")
		message := t.WaitReconciling(ctx, task, v1alpha1.ReasonWaitingForDependency)
		Expect(message).To(And(HavePrefix(`app "user" requires app "base" `), HaveSuffix("; install it, or set spec.dependencies to Install")))
		t.RecordMessage(v1alpha1.ReasonWaitingForDependency + ": " + message)
	})

	It("if a required app cannot be published", func(ctx SpecContext) {
		t := newTenant(ctx)
		broken := fixture.Files{"templates/page.yaml": "{{ nothing }}"}
		offerApps(ctx, t, fixture.App("base", broken, ""), fixture.App("user", plainFiles, "", "base"))
		t.WaitStalled(ctx, t.App(ctx, "base"), v1alpha1.ReasonRenderFailed)
		message := t.Fail(ctx, v1alpha1.ReasonDependencyFailed, v1alpha1.ActionInstall, "user")
		Expect(message).To(ContainSubstring(`, but it cannot be installed: app "base" has no published version; its hydration is stalled: `))
	})

	It("if a conflicting app is installed", func(ctx SpecContext) {
		t := newTenant(ctx)
		offerApps(ctx, t, fixture.App("rival", plainFiles, ""), fixture.App("mine", plainFiles, conflicting))
		t.Succeed(ctx, v1alpha1.ActionInstall, "rival")
		message := t.Fail(ctx, v1alpha1.ReasonConflictingApp, v1alpha1.ActionInstall, "mine")
		Expect(message).To(Equal(`app "mine" conflicts with app "rival" of instance "rival"; uninstall that instance first`))
	})

	It("if other instances depend on the instance", func(ctx SpecContext) {
		t := newTenant(ctx)
		offerApps(ctx, t, fixture.App("base", plainFiles, ""), fixture.App("user", plainFiles, "", "base"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "base")
		t.Succeed(ctx, v1alpha1.ActionInstall, "user")
		message := t.Fail(ctx, v1alpha1.ReasonHasDependents, v1alpha1.ActionUninstall, "base")
		Expect(message).To(HavePrefix(`other instances depend on app "base" (user); uninstall them first`))
	})

	It("if another task of the instance precedes it", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		first := t.Task(ctx, v1alpha1.ActionInstall, "site", func(s *v1alpha1.AppInstallTaskSpec) { s.Suspend = new(true) })
		t.WaitReconciling(ctx, first, v1alpha1.ReasonSuspended)
		task := t.Task(ctx, v1alpha1.ActionStop, "site")
		message := t.WaitReconciling(ctx, task, v1alpha1.ReasonWaitingForTurn)
		Expect(message).To(ContainSubstring("(Install) of the same instance, which waits indefinitely because its spec.startDeadline is not set: suspended by spec.suspend; "))
		t.RecordMessage(v1alpha1.ReasonWaitingForTurn + ": " + message)
	})
})

var _ = Describe("An app whose registry does not respond", func() {
	It("is served, and names the image", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, templateChart("", "apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Release.Name }}}\nspec: {containers: [{name: web, image: \"images.example.invalid/web:1\"}]}\n"))
		app := t.App(ctx, "forms")
		message := t.WaitCondition(ctx, app, v1alpha1.ConditionAnalyzed, "True", v1alpha1.ReasonAnalyzed)
		Expect(message).To(HavePrefix("1 image, 1 not looked up: "))
		t.WaitTrue(ctx, app, v1alpha1.ConditionReady)
		t.RecordMessage(v1alpha1.ReasonAnalyzed + ": " + message)
	})
})
