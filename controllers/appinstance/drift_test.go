package appinstance_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("Drift", func() {
	It("is over when an operation makes of the objects what they are already", func() {
		b := newInstanceFixture()
		content := configMapFiles()
		content["templates/page.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine-page}\ndata: {color: {{ .Values.color }}}\n"
		b.PublishVersion("1.0.0", content)
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.DriftPolicy = v1alpha1.DriftWarn })
		b.expectReady("1.0.0", 1)

		config := &corev1.ConfigMap{}
		Expect(server.Client.Get(b.ctx, types.NamespacedName{Namespace: b.instance.Namespace, Name: "mine-page"}, config)).To(Succeed())
		before := client.MergeFrom(config.DeepCopy())
		config.Data["color"] = "red"
		Expect(server.Client.Patch(b.ctx, config, before)).To(Succeed())
		Eventually(func() string {
			_, _ = b.reconcileInstance()
			return b.conditionStatus(v1alpha1.ConditionDrifted)
		}).Should(Equal("True Drifted"))

		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Values = valuesWithColor("red") })
		b.expectReady("1.0.0", 2)
		Expect(b.conditionStatus(v1alpha1.ConditionDrifted)).To(BeEmpty())
		Expect(b.instance.Status.Drift).To(BeEmpty())
	})
})
