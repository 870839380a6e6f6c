package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// echoChart is a chart that stores its values, as a template does and as JSON.
var echoChart = fixture.Chart{Name: "echo", Version: "1.0.0", Files: fixture.Files{
	"values.yaml": "own: {large: 1234567890123, tenth: 0.10, thousand: 1e3, octal: 0644}\n",
	"templates/a.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  json: {{ omit .Values "global" | toJson | quote }}
  large: {{ with .Values.given }}{{ .large | quote }}{{ else }}none{{ end }}
`,
}}

var _ = Describe("Values", func() {
	valuesFrom := func(name, key string, optional bool) fixture.Change {
		return func(s *v1alpha1.AppInstallTaskSpec) {
			s.EnsureParameters().ValuesFrom = append(s.EnsureParameters().ValuesFrom, v1alpha1.ValuesReference{Kind: v1alpha1.ValuesFromConfigMap, Name: name, Key: key, Optional: ptr.To(optional)})
		}
	}
	valuesJSON := func(ctx SpecContext, t *fixture.Tenant, name string) string {
		config := &corev1.ConfigMap{}
		t.Get(ctx, config, name)
		return config.Data["json"]
	}
	const own = `"own":{"large":1234567890123,"octal":420,"tenth":0.1,"thousand":1000}`

	It("keep the digits of numbers, from every kind of input", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(echoChart)
		t.AddSource(ctx, repository, func(s *v1alpha1.MarketSourceSpec) {
			s.CustomParams = &runtime.RawExtension{Raw: []byte(`{"params": {"large": 1234567890123, "tenth": 0.10, "text": "0.10"}}`)}
			s.Platform = &v1alpha1.Platform{Profile: v1alpha1.ProfileHelm, Values: &runtime.RawExtension{Raw: []byte(`{"platform": {"large": 9007199254740991}}`)}}
		})
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		Expect(t.Client.Create(ctx, configMap(t, "numbers", "values.yaml", "from: {large: 1234567890123, tenth: 0.10, thousand: 1e3, text: \"1e3\"}\n"))).To(Succeed())
		t.Succeed(ctx, v1alpha1.ActionInstall, "echo", valuesFrom("numbers", "values.yaml", false),
			fixture.Values(values{"given": values{"large": 1234567890123, "tenth": 0.1, "text": "012"}}))
		Expect(valuesJSON(ctx, t, "echo")).To(Equal(`{"from":{"large":1234567890123,"tenth":0.1,"text":"1e3","thousand":1000},` +
			`"given":{"large":1234567890123,"tenth":0.1,"text":"012"},` + own + `,` +
			`"params":{"large":1234567890123,"tenth":0.1,"text":"0.10"},"platform":{"large":9007199254740991}}`))
		config := &corev1.ConfigMap{}
		t.Get(ctx, config, "echo")
		Expect(config.Data["large"]).To(Equal("1.234567890123e+12"), "Helm formats a number of a values file in the same way")
	})

	DescribeTable("are rejected if they are not a map", func(ctx SpecContext, text, says string) {
		t := newTenant(ctx)
		t.Offer(ctx, echoChart)
		Expect(t.Client.Create(ctx, configMap(t, "wrong", "values.yaml", text))).To(Succeed())
		message := t.Fail(ctx, v1alpha1.ReasonInvalidValues, v1alpha1.ActionInstall, "echo", valuesFrom("wrong", "values.yaml", false))
		Expect(message).To(And(ContainSubstring(`ConfigMap "wrong"`), ContainSubstring(says)))
	},
		Entry("but a list", "- a\n", "values must be a map, but are a list"),
		Entry("but a string", "hello\n", "but are a string"),
		Entry("but two documents", "a: 1\n---\nb: 2\n", "several YAML documents"),
	)

	It("can be missing or empty if they are optional", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, echoChart)
		Expect(t.Client.Create(ctx, configMap(t, "empty", "values.yaml", "# nothing\n---\n"))).To(Succeed())
		t.Succeed(ctx, v1alpha1.ActionInstall, "echo", valuesFrom("gone", "values.yaml", true), valuesFrom("empty", "nokey", true), valuesFrom("empty", "values.yaml", false))
		Expect(valuesJSON(ctx, t, "echo")).To(Equal("{" + own + "}"))
	})

	It("cause a warning if values.yaml has a second document, which Helm ignores", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, echoChart.With("1.0.0", fixture.Files{"values.yaml": "own: 1\n---\nlost: 2\n"}))
		Expect(t.App(ctx, "echo").Status.Summary.Warnings).To(HaveExactElements(ContainSubstring("several YAML documents")))
		t.Succeed(ctx, v1alpha1.ActionInstall, "echo")
	})
})
