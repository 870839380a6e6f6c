package integration_test

import (
	"encoding/base64"
	"math/rand/v2"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// randomText returns text that hardly becomes smaller when it is compressed.
func randomText(seed byte, size int) string {
	raw := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(raw) // It never fails.
	return base64.StdEncoding.EncodeToString(raw)
}

// largeChart returns a chart whose release record exceeds the size limit of a Secret. Two of its files
// are unused, and a ConfigMap contains the third.
func largeChart(version string, seed byte) fixture.Chart {
	return fixture.Chart{Name: "large", Version: version, Files: fixture.Files{
		"files/a.b64":    randomText(seed, 700<<10),
		"files/b.b64":    randomText(seed+1, 700<<10),
		"files/crlf.txt": "version " + version + "\r\nsecond line\r\n",
		"templates/settings.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-settings
data:
{{ (.Files.Glob "files/*.txt").AsConfig | indent 2 }}
`,
	}}
}

// smallChart returns the same chart without the large files.
func smallChart(version string) fixture.Chart {
	return largeChart(version, 0).With(version, fixture.Files{"files/a.b64": "", "files/b.b64": ""})
}

var _ = Describe("A release whose record exceeds the size of a Secret", func() {
	// settings returns the file in the release's ConfigMap.
	settings := func(ctx SpecContext, t *fixture.Tenant) string {
		GinkgoHelper()
		found := &corev1.ConfigMap{}
		t.Get(ctx, found, "large-settings")
		return found.Data["crlf.txt"]
	}

	DescribeTable("is installed, upgraded, rolled back and removed completely", func(ctx SpecContext, first, second fixture.Chart) {
		t := newTenant(ctx)
		t.Offer(ctx, first, second)
		t.Succeed(ctx, v1alpha1.ActionInstall, "large", fixture.Version(first.Version))
		Expect(settings(ctx, t)).To(Equal("version 1.0.0\r\nsecond line\r\n"))
		t.Succeed(ctx, v1alpha1.ActionUpgrade, "large", fixture.Version(second.Version))
		Expect(settings(ctx, t)).To(HavePrefix("version 1.1.0"))
		t.Succeed(ctx, v1alpha1.ActionRollback, "large")
		Expect(settings(ctx, t)).To(HavePrefix("version 1.0.0"))
		t.Succeed(ctx, v1alpha1.ActionUninstall, "large")
		Expect(t.Leftovers(ctx)).To(BeEmpty())
		Expect(t.Names(ctx, "secrets")).To(BeEmpty())
	},
		Entry("if both versions are large", largeChart("1.0.0", 1), largeChart("1.1.0", 3)),
		Entry("if only the new version is large", smallChart("1.0.0"), largeChart("1.1.0", 3)),
		Entry("if only the old version is large", largeChart("1.0.0", 1), smallChart("1.1.0")),
	)

	It("keeps no part of a revision that is removed from the history", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, largeChart("1.0.0", 1), smallChart("1.1.0"), smallChart("1.2.0"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "large", fixture.Version("1.0.0"))
		Expect(len(t.Names(ctx, "secrets"))).To(BeNumerically(">", 1), "the record is stored in parts")
		t.Kubectl(ctx, "patch", "appinstance", "large", "--namespace", t.Namespace, "--type", "merge", "--patch", `{"spec":{"revisionHistoryLimit":1}}`)
		t.Succeed(ctx, v1alpha1.ActionUpgrade, "large", fixture.Version("1.1.0"))
		t.Succeed(ctx, v1alpha1.ActionUpgrade, "large", fixture.Version("1.2.0"))
		// Helm deletes old revisions before an upgrade, but never the deployed one.
		Expect(t.Names(ctx, "secrets")).To(Equal([]string{"sh.helm.release.v1.large.v2", "sh.helm.release.v1.large.v3"}))
		t.Succeed(ctx, v1alpha1.ActionUninstall, "large")
		Expect(t.Names(ctx, "secrets")).To(BeEmpty())
	})
})
