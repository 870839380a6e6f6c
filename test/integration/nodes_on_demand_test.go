package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// The status of an autoscaler changes the checks of the whole cluster.
var _ = Describe("An app that fits no existing node", Serial, func() {
	It("is installed as soon as an autoscaler can add a node", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, fixture.Chart{Name: "large"}.With("1.0.0", fixture.Files{"templates/job.yaml": `apiVersion: batch/v1
kind: CronJob
metadata: {name: large}
spec:
  schedule: "0 0 1 1 *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          nodeSelector: {example.com/size: large}
          containers: [{name: app, image: "` + fixture.Image + `", resources: {requests: {cpu: 900}}}]
`}))
		t.Fail(ctx, v1alpha1.ReasonUnschedulable, v1alpha1.ActionInstall, "large")

		status := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "cluster-autoscaler-status"},
			Data: map[string]string{"status": "autoscalerStatus: Running\nclusterWide: {health: {status: Healthy}}\n" +
				"nodeGroups: [{name: large, health: {status: Healthy, cloudProviderTarget: 0, minSize: 0, maxSize: 3}}]\n"},
		}
		Expect(t.Client.Create(ctx, status)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(t.Client.Delete(ctx, status)).To(Succeed()) })
		// The state of the cluster is cached for some time.
		Eventually(func() string { return t.Do(ctx, v1alpha1.ActionInstall, "large").Reason }).WithContext(ctx).
			Should(Equal(v1alpha1.ReasonSucceeded))
	})
})
