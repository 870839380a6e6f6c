package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// pumpChart has a dependency with defaults that the chart itself does not repeat.
var pumpChart = fixture.Chart{Name: "pump", Version: "1.0.0", Files: fixture.Files{
	"Chart.yaml":               "apiVersion: v2\nname: pump\nversion: 1.0.0\ndependencies:\n- {name: valve, version: 1.0.0}\n",
	"values.yaml":              "valve:\n  limits: {flow: 5} # liters\n",
	"charts/valve/Chart.yaml":  "apiVersion: v2\nname: valve\nversion: 1.0.0\n",
	"charts/valve/values.yaml": "limits: {flow: 1, heat: 90}\nprobes: {tcp: {port: 1}}\n",
	"charts/valve/templates/a.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  limits: {{ .Values.limits | toJson | quote }}
  probes: {{ .Values.probes | toJson | quote }}
`,
}}

var _ = Describe("A null value for a default of a dependency", func() {
	data := func(ctx SpecContext, t *fixture.Tenant, name string) map[string]string {
		config := &corev1.ConfigMap{}
		t.Get(ctx, config, name)
		return config.Data
	}

	It("removes the default through values of a task", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, pumpChart)
		t.Succeed(ctx, v1alpha1.ActionInstall, "pump", fixture.Values(values{"valve": values{"limits": values{"heat": nil}, "probes": nil}}))
		Expect(data(ctx, t, "pump")).To(And(HaveKeyWithValue("limits", `{"flow":5}`), HaveKeyWithValue("probes", "null")))
	})

	It("removes the default through valuesFrom", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, pumpChart)
		Expect(t.Client.Create(ctx, configMap(t, "given", "values.yaml", "valve: {limits: {heat: null}}\n"))).To(Succeed())
		t.Succeed(ctx, v1alpha1.ActionInstall, "pump", func(s *v1alpha1.AppInstallTaskSpec) {
			s.EnsureParameters().ValuesFrom = []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesFromConfigMap, Name: "given"}}
		})
		Expect(data(ctx, t, "pump")).To(HaveKeyWithValue("limits", `{"flow":5}`))
	})

	It("removes the default through customParams and platform values of the source", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(pumpChart)
		t.AddSource(ctx, repository, func(s *v1alpha1.MarketSourceSpec) {
			s.CustomParams = &runtime.RawExtension{Raw: []byte(`{"valve": {"limits": {"heat": null, "flow": null}}}`)}
			s.Platform = &v1alpha1.Platform{Profile: v1alpha1.ProfileHelm, Values: &runtime.RawExtension{Raw: []byte(`{"valve": {"probes": {"tcp": null}}}`)}}
		})
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		t.Succeed(ctx, v1alpha1.ActionInstall, "pump")
		Expect(data(ctx, t, "pump")).To(And(HaveKeyWithValue("limits", "{}"), HaveKeyWithValue("probes", "{}")))
	})
})

// configMap returns a ConfigMap of the tenant with one entry.
func configMap(t *fixture.Tenant, name, key, text string) *corev1.ConfigMap {
	config := &corev1.ConfigMap{Data: map[string]string{key: text}}
	config.Namespace, config.Name = t.Namespace, name
	return config
}
