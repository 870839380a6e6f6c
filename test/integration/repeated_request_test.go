package integration_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// foreignJob is a Job that has the name of an instance's hook.
const foreignJob = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: hooked-setup}\n" +
	"spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: a, image: " + fixture.Image + "}]}}}\n"

// frozenScale is a policy that denies changes of the replicas of Deployments in a namespace.
const frozenScale = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NAMESPACE}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments, deployments/scale]}]
  validations: [{expression: object.spec.replicas == oldObject.spec.replicas, message: the scale is frozen}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NAMESPACE}
spec:
  policyName: NAMESPACE
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}}
`

var _ = Describe("A task that repeats a failed request", func() {
	// failThenSucceed runs the task until it fails twice, and then succeeds without the obstacle.
	failThenSucceed := func(ctx context.Context, t *fixture.Tenant, reason string, removeObstacle func(), action v1alpha1.Action, app string, change ...fixture.Change) {
		GinkgoHelper()
		operations := func() int { return len(t.Instance(ctx, app).Status.History) }
		t.Fail(ctx, reason, action, app, change...)
		before := operations()
		t.Fail(ctx, reason, action, app, change...)
		Expect(operations()).To(BeNumerically(">", before), "the operation is run again")
		removeObstacle()
		t.Succeed(ctx, action, app, change...)
	}
	deleteObject := func(ctx context.Context, t *fixture.Tenant, object string) func() {
		return func() { t.Kubectl(ctx, "delete", object, "--namespace", t.Namespace) }
	}

	DescribeTable("runs the operation again", func(ctx SpecContext, events string, action v1alpha1.Action, reason string) {
		t := newTenant(ctx)
		hook := hookJob("setup", events, ", helm.sh/hook-delete-policy: hook-succeeded", "", starts)
		t.Offer(ctx, hookedChart("1.0.0", hook), hookedChart("1.1.0", hook))
		version := "1.0.0"
		if action != v1alpha1.ActionInstall {
			t.Succeed(ctx, v1alpha1.ActionInstall, "hooked", fixture.Version("1.0.0"))
			version = "1.1.0"
		}
		t.Apply(ctx, foreignJob)
		failThenSucceed(ctx, t, reason, deleteObject(ctx, t, "job/hooked-setup"), action, "hooked", fixture.Version(version))
	},
		Entry("for an Install", "post-install", v1alpha1.ActionInstall, v1alpha1.ReasonInstallFailed),
		Entry("for an Upgrade", "pre-upgrade", v1alpha1.ActionUpgrade, v1alpha1.ReasonUpgradeFailed),
	)

	DescribeTable("runs the operation on the installed release again", func(ctx SpecContext, events string, action v1alpha1.Action, reason string, change ...fixture.Change) {
		t := newTenant(ctx)
		hook := hookJob("setup", events, ", helm.sh/hook-delete-policy: hook-succeeded", "", starts)
		t.Offer(ctx, hookedChart("1.0.0", hook), hookedChart("1.1.0", hook))
		t.Succeed(ctx, v1alpha1.ActionInstall, "hooked", fixture.Version("1.0.0"))
		t.Succeed(ctx, v1alpha1.ActionUpgrade, "hooked", fixture.Version("1.1.0"))
		t.Apply(ctx, foreignJob)
		failThenSucceed(ctx, t, reason, deleteObject(ctx, t, "job/hooked-setup"), action, "hooked", change...)
	},
		Entry("for a Rollback", "pre-rollback", v1alpha1.ActionRollback, v1alpha1.ReasonRollbackFailed, withRevision(1)),
		Entry("for an Uninstall", "pre-delete", v1alpha1.ActionUninstall, v1alpha1.ReasonUninstallFailed),
	)

	DescribeTable("scales the workloads again", func(ctx SpecContext, action v1alpha1.Action, reason string) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")
		if action == v1alpha1.ActionResume {
			t.Succeed(ctx, v1alpha1.ActionStop, "site")
		}
		policy := "/" + t.Namespace
		remove := func(ctx context.Context) {
			t.Kubectl(ctx, "delete", "validatingadmissionpolicybinding"+policy, "validatingadmissionpolicy"+policy, "--ignore-not-found")
		}
		t.Cluster.Apply(ctx, strings.ReplaceAll(frozenScale, "NAMESPACE", t.Namespace))
		DeferCleanup(func(ctx SpecContext) { remove(ctx) })
		scale := func() error {
			_, err := t.TryKubectl(ctx, nil, "scale", "deployment/site", "--namespace", t.Namespace, "--replicas=7", "--dry-run=server")
			return err
		}
		Eventually(scale).WithContext(ctx).Should(HaveOccurred())
		failThenSucceed(ctx, t, reason, func() {
			remove(ctx)
			Eventually(scale).WithContext(ctx).Should(Succeed())
		}, action, "site")
	},
		Entry("for a Stop", v1alpha1.ActionStop, v1alpha1.ReasonStopFailed),
		Entry("for a Resume", v1alpha1.ActionResume, v1alpha1.ReasonResumeFailed),
	)
})
