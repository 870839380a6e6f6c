package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("An app that requires a node with a device", func() {
	It("runs on the cluster as soon as there is such a node, and no other app is written", func(ctx SpecContext) {
		const device = "placement.example.com/device"
		t := newTenant(ctx)
		repository := t.Offer(ctx, fixture.Chart{Name: "device"}.With("1.0.0", fixture.Files{"templates/pod.yaml": `apiVersion: v1
kind: Pod
metadata: {name: device}
spec:
  containers: [{name: app, image: "` + fixture.Image + `", resources: {limits: {` + device + `: 2}}}]
`}))
		repository.Add(fixture.Chart{Name: "plain"}.With("1.0.0", fixture.Files{"templates/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n"}))
		t.Sync(ctx)
		placement := func(name string) func() *v1alpha1.AppPlacement {
			return func() *v1alpha1.AppPlacement { return t.App(ctx, name).Status.Placement }
		}
		Eventually(placement("plain")).WithContext(ctx).Should(Equal(&v1alpha1.AppPlacement{Verdict: v1alpha1.PlacementYes}))
		Eventually(placement("device")).WithContext(ctx).Should(Equal(&v1alpha1.AppPlacement{
			Verdict: v1alpha1.PlacementNo, Reasons: []string{"a Pod requests 2 of " + device + ", but no node has this resource"},
		}))
		untouched := t.App(ctx, "plain").ResourceVersion

		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "device-" + t.Namespace}, Spec: corev1.NodeSpec{Unschedulable: true}}
		Expect(t.Client.Create(ctx, node)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(t.Client.Delete(ctx, node)).To(Succeed()) })
		// Controllers write the node, too.
		created := node.DeepCopy()
		node.Status.Allocatable = corev1.ResourceList{device: resource.MustParse("2")}
		node.Status.Capacity, node.Status.NodeInfo.Architecture = node.Status.Allocatable, "amd64"
		Expect(t.Client.Status().Patch(ctx, node, client.MergeFrom(created))).To(Succeed())
		Eventually(placement("device")).WithContext(ctx).Should(Equal(&v1alpha1.AppPlacement{Verdict: v1alpha1.PlacementYes}))
		Expect(t.App(ctx, "plain").ResourceVersion).To(Equal(untouched), "its verdict is the same")
	})
})
