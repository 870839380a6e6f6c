package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("A clone of an instance that is pinned to a revision", func() {
	cloneOf := func(s *v1alpha1.AppInstallTaskSpec) {
		s.EnsureParameters().Title = "Copy"
		s.Clone.From.Name = "site"
	}
	text := func(text string) fixture.Change { return fixture.Values(map[string]any{"text": text}) }

	It("is rejected without version and values, because the spec has others than the revision", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"), siteChart("1.1.0"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "site", fixture.Version("1.0.0"), text("first"))
		t.Succeed(ctx, v1alpha1.ActionUpgrade, "site", fixture.Version("1.1.0"), text("second"))
		t.Succeed(ctx, v1alpha1.ActionRollback, "site")
		message := t.Fail(ctx, v1alpha1.ReasonInvalidState, v1alpha1.ActionClone, "site", fixture.As("copy"), cloneOf)
		Expect(message).To(ContainSubstring(`instance "site" is pinned to revision 1 by spec.pinnedRevision`))

		By("setting version and values")
		t.Succeed(ctx, v1alpha1.ActionClone, "site", fixture.As("copy"), cloneOf, fixture.Version("1.0.0"), text("first"))
		settings := &corev1.ConfigMap{}
		t.Get(ctx, settings, "copy-settings")
		Expect(settings.Data).To(HaveKeyWithValue("text", "first"))
		Expect(t.Instance(ctx, "copy").Status.Version).To(Equal("1.0.0"))
	})

	It("is created after the instance was upgraded again", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"), siteChart("1.1.0"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "site", fixture.Version("1.0.0"), text("first"))
		t.Succeed(ctx, v1alpha1.ActionUpgrade, "site", fixture.Version("1.1.0"), text("second"))
		t.Succeed(ctx, v1alpha1.ActionRollback, "site")
		t.Succeed(ctx, v1alpha1.ActionUpgrade, "site", fixture.Version("1.1.0"), text("third"))
		t.Succeed(ctx, v1alpha1.ActionClone, "site", fixture.As("copy"), cloneOf)
		settings := &corev1.ConfigMap{}
		t.Get(ctx, settings, "copy-settings")
		Expect(settings.Data).To(HaveKeyWithValue("text", "third"))
	})
})
