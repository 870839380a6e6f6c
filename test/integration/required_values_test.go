package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// gateChart returns a chart whose template fails with the default values.
func gateChart(template string, more fixture.Files) fixture.Chart {
	return fixture.Chart{Name: "gate", Version: "1.0.0", Files: fixture.Files{
		"values.yaml": "host: \"\"\n",
		"templates/gate.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  host: ` + template + "\n",
	}}.With("1.0.0", more)
}

var _ = Describe("A chart with required values", func() {
	DescribeTable("is published with its message as a warning, and installed with values", func(ctx SpecContext, template, says string) {
		t := newTenant(ctx)
		t.Offer(ctx, gateChart(template, nil))
		app := t.App(ctx, "gate")
		t.WaitTrue(ctx, app, v1alpha1.ConditionReady)
		Expect(app.Status.SelectedVersion).To(Equal("1.0.0"))
		Expect(app.Status.Summary.Warnings).To(ContainElement(ContainSubstring(says)))

		message := t.Fail(ctx, v1alpha1.ReasonRenderFailed, v1alpha1.ActionInstall, "gate", fixture.As("without"))
		Expect(message).To(ContainSubstring(says))
		Expect(t.Names(ctx, "configmaps")).NotTo(ContainElement("without"))

		t.Succeed(ctx, v1alpha1.ActionInstall, "gate", fixture.As("with"),
			fixture.Values(values{"host": "gate.example", "ingress": values{"hosts": []string{"gate.example"}}}))
		config := &corev1.ConfigMap{}
		t.Get(ctx, config, "with")
		Expect(config.Data["host"]).To(Equal("gate.example"))
	},
		Entry("if it calls required", `{{ required "set the host of the gate" .Values.host }}`, "templates/gate.yaml:6: set the host of the gate"),
		Entry("if it calls fail", `{{ if not .Values.host }}{{ fail "no gate without a host" }}{{ end }}{{ .Values.host }}`, "templates/gate.yaml:6: no gate without a host"),
		Entry("if it reads a field of a missing value", `{{ index .Values.ingress.hosts 0 }}`, "templates/gate.yaml:6: "),
	)

	It("renders with customParams that set them", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(gateChart(`{{ required "set the host of the gate" .Values.host }}`, nil))
		t.AddSource(ctx, repository, func(s *v1alpha1.MarketSourceSpec) {
			s.CustomParams = &runtime.RawExtension{Raw: []byte(`{"host": "market.example"}`)}
		})
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		summary := t.App(ctx, "gate").Status.Summary
		Expect(summary.Warnings).To(BeEmpty())
		Expect(summary.Kinds).To(HaveExactElements(v1alpha1.KindCount{Kind: "ConfigMap", Count: 1}))
		t.Succeed(ctx, v1alpha1.ActionInstall, "gate")
	})

	It("waits for a required input", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, gateChart(`{{ required "set the host of the gate" .Values.host }}`, fixture.Files{
			"questions.yaml": "questions:\n- {variable: host, label: Host, required: true}\n",
		}))
		task := t.Task(ctx, v1alpha1.ActionInstall, "gate", func(s *v1alpha1.AppInstallTaskSpec) { s.OnMissingInput = v1alpha1.MissingInputWait })
		t.WaitReconciling(ctx, task, v1alpha1.ReasonWaitingForInput)
		Expect(task.Status.RequiredInputs).To(HaveExactElements(HaveField("Name", "host")))
		before := client.MergeFrom(task.DeepCopy())
		task.Spec.EnsureParameters().Inputs = []v1alpha1.InputValue{{Name: "host", Value: ptr.To("asked.example")}}
		Expect(t.Client.Patch(ctx, task, before)).To(Succeed())
		Expect(t.WaitEnd(ctx, task).Message).NotTo(BeEmpty())
		config := &corev1.ConfigMap{}
		t.Get(ctx, config, "gate")
		Expect(config.Data["host"]).To(Equal("asked.example"))
	})

	It("reads objects of the cluster when it is installed", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, gateChart(`{{ if not (lookup "v1" "ConfigMap" .Release.Namespace "key") }}{{ fail "create the ConfigMap key first" }}{{ end }}x`, nil))
		message := t.Fail(ctx, v1alpha1.ReasonRenderFailed, v1alpha1.ActionInstall, "gate", fixture.As("early"))
		Expect(message).To(ContainSubstring("create the ConfigMap key first"))
		Expect(t.Client.Create(ctx, configMap(t, "key", "a", "b"))).To(Succeed())
		t.Succeed(ctx, v1alpha1.ActionInstall, "gate", fixture.As("late"))
	})

	It("is rejected if it fails with all values", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(gateChart(`{{ .Values.host | nosuch }}`, nil))
		t.AddSource(ctx, repository)
		Eventually(func(g Gomega) {
			app := &v1alpha1.AppInfo{}
			g.Expect(t.Client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "charts.gate"}, app)).To(Succeed())
			g.Expect(app.Status.Conditions).To(ContainElement(And(HaveField("Type", "Stalled"), HaveField("Reason", v1alpha1.ReasonRenderFailed),
				HaveField("Message", ContainSubstring(`templates/gate.yaml:6: function "nosuch" not defined`)))))
		}).WithContext(ctx).Should(Succeed())
	})
})

var _ = Describe("A library chart", func() {
	It("is published, and cannot be installed", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, fixture.Chart{Name: "shared", Version: "1.0.0", Files: fixture.Files{
			"Chart.yaml":           "apiVersion: v2\nname: shared\nversion: 1.0.0\ntype: library\n",
			"templates/_names.tpl": `{{ define "shared.name" }}{{ .Release.Name }}{{ end }}`,
		}})
		app := t.App(ctx, "shared")
		t.WaitTrue(ctx, app, v1alpha1.ConditionReady)
		Expect(app.Status.Summary.Type).To(Equal("library"))
		Expect(t.Source.Status.Apps.Failed).To(BeZero())
		Expect(t.Fail(ctx, v1alpha1.ReasonRenderFailed, v1alpha1.ActionInstall, "shared")).To(ContainSubstring("the chart is a library"))
	})
})
