package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A ConfigMap in valuesFrom of an instance", func() {
	It("causes an upgrade when it changes", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, echoChart)
		source := configMap(t, "given", "values.yaml", "given: {color: red}\n")
		Expect(t.Client.Create(ctx, source)).To(Succeed())
		t.Succeed(ctx, v1alpha1.ActionInstall, "echo", func(s *v1alpha1.AppInstallTaskSpec) {
			s.EnsureParameters().ValuesFrom = []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesFromConfigMap, Name: "given", Key: "values.yaml"}}
		})
		valuesJSON := func() string {
			config := &corev1.ConfigMap{}
			t.Get(ctx, config, "echo")
			return config.Data["json"]
		}
		Expect(valuesJSON()).To(ContainSubstring(`"color":"red"`))

		source.Data["values.yaml"] = "given: {color: blue}\n"
		Expect(t.Client.Update(ctx, source)).To(Succeed())
		Eventually(valuesJSON).WithContext(ctx).Should(ContainSubstring(`"color":"blue"`))
		Eventually(func() int32 { return t.Instance(ctx, "echo").Status.Revision }).WithContext(ctx).Should(BeEquivalentTo(2))
	})
})
