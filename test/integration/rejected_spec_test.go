package integration_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("An invalid spec", func() {
	DescribeTable("is rejected by the API server with the field:", func(ctx SpecContext, kind, name, spec string, says ...string) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0")) // CheckContract requires objects in the namespace.
		message := t.ApplyRejected(ctx, fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s}\nspec: %s\n", v1alpha1.GroupVersion, kind, name, spec))
		for _, part := range says {
			Expect(message).To(ContainSubstring(part))
		}
	},
		Entry("a clone without an instance", "AppInstallTask", "x", "{action: Clone, appRef: {source: charts, name: site}}", "clone is required when action is Clone", "instanceName is required when action is Clone"),
		Entry("a clone of itself", "AppInstallTask", "x", "{action: Clone, appRef: {source: charts, name: site}, clone: {from: {name: site}}, instanceName: site}", "instanceName must not be the name of the cloned instance"),
		Entry("an Install with a clone source", "AppInstallTask", "x", "{action: Install, appRef: {source: charts, name: site}, clone: {from: {name: site}}}", "clone may only be set when action is Clone"),
		Entry("a Rollback with values", "AppInstallTask", "x", "{action: Rollback, appRef: {source: charts, name: site}, upgrade: {values: {a: b}}}", "upgrade may only be set when action is Upgrade"),
		Entry("an Install with a revision", "AppInstallTask", "x", "{action: Install, appRef: {source: charts, name: site}, rollback: {revision: 2}}", "rollback may only be set when action is Rollback"),
		Entry("a timeout that is too short", "AppInstallTask", "x", "{action: Install, appRef: {source: charts, name: site}, timeout: 1ms}", "spec.timeout", "timeout must be between 1s and 24h"),
		Entry("an input without a value", "AppInstallTask", "x", "{action: Install, appRef: {source: charts, name: site}, install: {inputs: [{name: A}]}}", "spec.install.inputs[0]", "exactly one of value and valueFrom must be set"),
		Entry("an instance with a long name", "AppInstance", "a-name-that-is-much-too-long-for-helm-releases", "{appRef: {source: charts, name: site}}", "at most 40 characters"),
		Entry("a source without a URL", "MarketSource", "x", "{type: Helm}", "helm is required when type is Helm"),
		Entry("a source with two types", "MarketSource", "x", "{type: Directory, helm: {url: http://a.example}}", "helm may only be set when type is Helm", "directory is required when type is Directory"),
		Entry("a source in an OCI registry", "MarketSource", "x", "{type: Helm, helm: {url: oci://a.example/b}}", "spec.helm.url", "url must begin with http:// or https://; for a registry, use type OCI"),
		Entry("a source with a password in its URL", "MarketSource", "x", "{type: Helm, helm: {url: http://u:p@a.example}}", "url must not contain credentials; use secretRef"),
		Entry("a source with an interval that is too short", "MarketSource", "x", "{type: Helm, helm: {url: http://a.example}, interval: 1s}", "interval must be at least 10s"),
		Entry("a source that is shared by a missing selector", "MarketSource", "x", "{type: Helm, helm: {url: http://a.example}, allowedNamespaces: {from: Selector}}", "selector is required when from is Selector"),
	)

	It("is rejected if an immutable field of a task is changed", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"))
		task := func(action, app string) string {
			return fmt.Sprintf("apiVersion: %s\nkind: AppInstallTask\nmetadata: {name: mine}\nspec: {action: %s, suspend: true, appRef: {source: charts, name: %s}}\n", v1alpha1.GroupVersion, action, app)
		}
		t.Apply(ctx, task("Install", "site"))
		Expect(t.ApplyRejected(ctx, task("Stop", "site"))).To(ContainSubstring("action is immutable; create another task"))
		Expect(t.ApplyRejected(ctx, task("Install", "other"))).To(ContainSubstring("appRef is immutable; create another task"))
	})
})
