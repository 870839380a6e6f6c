package integration_test

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// formsLabels are the labels of the pods of formsChart.
const formsLabels = "app.kubernetes.io/name: forms"

// formsChart is a chart with a Deployment that contains lists of the values.
var formsChart = templateChart("imagePullSecrets: []\nvolumes: []\nreplicas: 1\n", `apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {`+formsLabels+`}}
  template:
    metadata: {labels: {`+formsLabels+`}}
    spec:
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets: {{ toJson . }}
      {{- end }}
      {{- with .Values.volumes }}
      volumes: {{ toJson . }}
      {{- end }}
      containers: [{name: main, image: "`+fixture.Image+`"}]
`)

var _ = Describe("A Deployment with the labels of a release that does not exist", func() {
	preparedDeployment := func(namespace string) string {
		return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: forms
  labels: {app.kubernetes.io/managed-by: Helm}
  annotations: {meta.helm.sh/release-name: forms, meta.helm.sh/release-namespace: ` + namespace + `}
spec:
  selector: {matchLabels: {` + formsLabels + `}}
  template:
    metadata: {labels: {` + formsLabels + `}}
    spec: {containers: [{name: main, image: "` + fixture.Image + `"}]}
`
	}

	DescribeTable("is adopted by a release with a null in a list that the Deployment does not have", func(ctx SpecContext, byTask bool) {
		t := newTenant(ctx)
		t.Offer(ctx, formsChart)
		t.Apply(ctx, preparedDeployment(t.Namespace))
		values := map[string]any{"imagePullSecrets": []any{nil}}
		if byTask {
			t.Succeed(ctx, v1alpha1.ActionInstall, "forms", fixture.Values(values))
		} else {
			raw, err := json.Marshal(values)
			Expect(err).NotTo(HaveOccurred())
			instance := &v1alpha1.AppInstance{
				ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "forms"},
				Spec: v1alpha1.AppInstanceSpec{
					AppRef:             v1alpha1.AppReference{Source: t.Source.Name, Namespace: t.Source.Namespace, Name: "forms"},
					ServiceAccountName: fixture.Account, Values: &runtime.RawExtension{Raw: raw},
				},
			}
			Expect(t.Client.Create(ctx, instance)).To(Succeed())
			t.WaitTrue(ctx, instance, v1alpha1.ConditionReady)
		}
		deployment := &appsv1.Deployment{}
		t.Get(ctx, deployment, "forms")
		Expect(deployment.Spec.Template.Spec.Containers).To(HaveLen(1))
	},
		Entry("by a task", true),
		Entry("by an instance", false),
	)

	It("is not changed by a task with a null in a list of named objects", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, formsChart)
		t.Apply(ctx, preparedDeployment(t.Namespace))
		end := t.Do(ctx, v1alpha1.ActionInstall, "forms", fixture.Values(map[string]any{"volumes": []any{nil}}))
		Expect(end.Reason).To(Equal(v1alpha1.ReasonInvalidObject), end.Message)
		Expect(end.Message).To(ContainSubstring("spec.template.spec.volumes[0].name: Required value"))
	})
})

var _ = Describe("An app whose values have a null in a list", func() {
	withNull := func(replicas int) map[string]any {
		return map[string]any{"imagePullSecrets": []any{nil}, "replicas": replicas}
	}
	expectReplicas := func(ctx SpecContext, t *fixture.Tenant, replicas int32) {
		GinkgoHelper()
		deployment := &appsv1.Deployment{}
		t.Get(ctx, deployment, "forms")
		Expect(deployment.Spec.Replicas).To(HaveValue(Equal(replicas)))
	}

	It("is installed, and its other values are changed", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, formsChart)
		t.Succeed(ctx, v1alpha1.ActionInstall, "forms", fixture.Values(withNull(1)))
		t.Succeed(ctx, v1alpha1.ActionConfigure, "forms", fixture.Values(withNull(2)))
		expectReplicas(ctx, t, 2)
	})

	It("gets the null by a change, and its other values are changed", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, formsChart)
		t.Succeed(ctx, v1alpha1.ActionInstall, "forms")
		t.Succeed(ctx, v1alpha1.ActionConfigure, "forms", fixture.Values(withNull(1)))
		t.Succeed(ctx, v1alpha1.ActionConfigure, "forms", fixture.Values(withNull(2)))
		expectReplicas(ctx, t, 2)
		t.Succeed(ctx, v1alpha1.ActionRollback, "forms")
		expectReplicas(ctx, t, 1)
	})
})
