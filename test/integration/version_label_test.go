package integration_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// labeledChart returns a chart with a ServiceAccount, and a ConfigMap with a label that is
// computed by an expression.
func labeledChart(version, expression string, more fixture.Files) fixture.Chart {
	return fixture.Chart{Name: "labeled", Version: version, Files: fixture.Files{
		"templates/account.yaml": `apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .Release.Name }}-account
`,
		"templates/settings.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-settings
  labels:
    example.com/release: ` + expression + "\n",
	}}.With(version, more)
}

var _ = Describe("A chart that uses its version as a label", func() {
	const plain = `{{ .Chart.Version | quote }}`

	It("is published with the version of the source, including the plus", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, labeledChart("1.0.0+build.7", plain, nil))
		app := t.App(ctx, "labeled")
		Expect(app.Status.SelectedVersion).To(Equal("1.0.0+build.7"))
		Expect(t.Fetch(ctx, app.Status.Versions[0].URL)).NotTo(BeEmpty())
	})

	It("can be installed if it replaces the plus", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, labeledChart("1.0.0+build.7", `{{ .Chart.Version | replace "+" "_" | quote }}`, nil))
		t.Succeed(ctx, v1alpha1.ActionInstall, "labeled")
		settings := &corev1.ConfigMap{}
		t.Get(ctx, settings, "labeled-settings")
		Expect(settings.Labels).To(HaveKeyWithValue("example.com/release", "1.0.0_build.7"))
	})

	DescribeTable("is rejected with object and label before an object is created", func(ctx SpecContext, chart fixture.Chart) {
		t := newTenant(ctx)
		t.Offer(ctx, chart)
		message := t.Fail(ctx, v1alpha1.ReasonInvalidObject, v1alpha1.ActionInstall, "labeled")
		Expect(message).To(HavePrefix(`ConfigMap/labeled-settings: metadata.labels["example.com/release"]: Invalid value: `))
		Expect(t.Leftovers(ctx)).To(BeEmpty())
		Expect(t.Names(ctx, "serviceaccounts")).NotTo(ContainElement(ContainSubstring("labeled")))
		Expect(t.Names(ctx, "appinstances")).To(BeEmpty())
	},
		Entry("if the version has a plus", labeledChart("1.0.0+build.7", plain, nil)),
		Entry("if the version is too long for a label", labeledChart("1.0.0-"+strings.Repeat("long.", 12)+"1", plain, nil)),
		Entry("if the app version has a digest", labeledChart("1.0.0", `{{ .Chart.AppVersion | quote }}`, fixture.Files{
			"Chart.yaml": "apiVersion: v2\nname: labeled\nversion: 1.0.0\nappVersion: 1.2@sha256:0123456789abcdef\n",
		})),
	)
})
