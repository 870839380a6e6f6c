package integration_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("A task for an app whose hydration fails", func() {
	const settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{ .Release.Name }}\"}\n"
	chart := func(version string, files fixture.Files) fixture.Chart {
		return fixture.Chart{Name: "part", Version: version, Files: fixture.Files{"templates/a.yaml": settings}}.With(version, files)
	}
	const needs = "apiVersion: v2\nname: part\nversion: VERSION\ndependencies: [{name: base, version: 1.0.0, repository: \"file://../base\"}]\n"

	It("fails immediately with the reason of the app if the only version has a URL that cannot be fetched", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Serve("/index.yaml", indexWith("  part:", "  - {name: part, version: 1.0.0, urls: ['ftp://charts.example/part']}"))
		t.AddSource(ctx, repository)
		end := t.Do(ctx, v1alpha1.ActionInstall, "part")
		Expect(end.Reason).To(Equal(v1alpha1.ReasonFetchFailed), end.Message)
		Expect(end.Message).To(And(ContainSubstring("get ftp://charts.example/part: "), ContainSubstring(`app "part"`)))

		By("repeating the task when the source has the archive")
		repository.Add(chart("1.0.0", nil))
		t.Sync(ctx)
		Eventually(func() string { return t.App(ctx, "part").Status.SelectedVersion }).WithContext(ctx).Should(Equal("1.0.0"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "part")
	})

	DescribeTable("fails immediately if the requested version cannot be published, and the instance is not changed",
		func(ctx SpecContext, reason, text string, files fixture.Files) {
			t := newTenant(ctx)
			bad := fixture.Files{}
			for name, content := range files {
				bad[name] = strings.ReplaceAll(content, "VERSION", "1.1.0")
			}
			t.Offer(ctx, chart("1.0.0", nil))
			t.Succeed(ctx, v1alpha1.ActionInstall, "part")
			repository := fixture.NewRepository()
			repository.Add(chart("1.0.0", nil), chart("1.1.0", bad))
			t.Kubectl(ctx, "patch", "marketsource", t.Source.Name, "--namespace", t.Namespace, "--type=merge",
				"--patch", `{"spec":{"helm":{"url":"`+repository.URL+`"}}}`)
			app := t.App(ctx, "part")
			t.WaitStalled(ctx, app, reason)
			for _, action := range []v1alpha1.Action{v1alpha1.ActionUpgrade, v1alpha1.ActionInstall} {
				end := t.Do(ctx, action, "part", fixture.Version("1.1.0"), fixture.As(map[v1alpha1.Action]string{
					v1alpha1.ActionUpgrade: "part", v1alpha1.ActionInstall: "other",
				}[action]))
				Expect(end.Reason).To(Equal(reason), "%s: %s", action, end.Message)
				Expect(end.Message).To(ContainSubstring(text))
			}
			Expect(t.Instance(ctx, "part").Status.Version).To(Equal("1.0.0"))
			t.Succeed(ctx, v1alpha1.ActionInstall, "part", fixture.As("third"))
		},
		Entry("because of a dependency outside of its archive", v1alpha1.ReasonNotAllowed, `dependency "base" 1.0.0: repository "file://../base" is outside of the chart`, fixture.Files{"Chart.yaml": needs}),
		Entry("because of an invalid template", v1alpha1.ReasonRenderFailed, "templates/a.yaml", fixture.Files{"templates/a.yaml": "{{ if }}\n"}),
		Entry("because of invalid rendered YAML", v1alpha1.ReasonRenderFailed, "templates/a.yaml", fixture.Files{"templates/a.yaml": settings + "  : :\n"}),
	)
})
