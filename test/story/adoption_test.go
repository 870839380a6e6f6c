package story_test

import (
	"context"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/test/fixture"
)

// podUIDs returns the UIDs of the Pods of the actor chart.
func (t *tenant) podUIDs(ctx context.Context) []string {
	GinkgoHelper()
	var pods corev1.PodList
	Expect(k8sClient.List(ctx, &pods, client.InNamespace(t.Namespace), client.MatchingLabels{"app": "actor"})).To(Succeed())
	var found []string
	for _, pod := range pods.Items {
		found = append(found, string(pod.UID))
	}
	slices.Sort(found)
	return found
}

var _ = Describe("A release of the helm command", func() {
	It("is adopted without a restart, upgraded with its values and uninstalled", func(ctx SpecContext) {
		env := newEnvironment(ctx)
		t := newTenant(ctx, env.source)
		env.helm.Run(ctx, "install", "actor", env.archives[older], "--namespace", t.Namespace, "--set", "hooks=false", "--wait")
		pods, deployed := t.podUIDs(ctx), t.deployments(ctx)[0]
		Expect(pods).To(HaveLen(1))

		By("adopting it")
		t.waitSucceeded(ctx, t.NamedTask(ctx, "adopt", v1alpha1.ActionAdopt, "actor"))
		instance := t.Instance(ctx, "actor")
		Expect(transitions.StateOf(instance)).To(Equal(transitions.Running))
		Expect(instance.Status.Version).To(Equal(older))
		Expect(instance.Status.Releases).To(HaveLen(1))
		Expect(instance.Status.Releases[0].Revision).To(BeEquivalentTo(1), "no revision is created")
		defaultOperator.WaitIdle(ctx)
		Expect(t.podUIDs(ctx)).To(Equal(pods), "the Pods are not restarted")
		Expect(t.deployments(ctx)[0].ResourceVersion).To(Equal(deployed.ResourceVersion), "the Deployment is not written")

		By("upgrading it")
		t.waitSucceeded(ctx, t.NamedTask(ctx, "upgrade", v1alpha1.ActionUpgrade, "actor", withVersion(newer)))
		Expect(t.deployments(ctx)[0].Spec.Template.Labels).To(HaveKeyWithValue("version", newer))
		Expect(env.createdHooks(t.Namespace)).To(BeEmpty(), "the upgrade keeps hooks=false of the adopted release")

		By("uninstalling it")
		t.waitSucceeded(ctx, t.NamedTask(ctx, "remove", v1alpha1.ActionUninstall, "actor"))
		Expect(t.listLeftovers(ctx)).To(BeEmpty())
		Expect(t.Instance(ctx, "actor").Status.RetainedObjects).To(HaveLen(1))
	})
})

// scaledChart returns a chart with a Deployment that an autoscaler keeps between 2 and 4 Pods.
func scaledChart() []byte {
	GinkgoHelper()
	return packChart("scaled", "1.0.0", chartFile{"templates/scaled.yaml", fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector:
    matchLabels: {app: scaled}
  template:
    metadata:
      labels: {app: scaled}
    spec:
      containers:
        - name: scaled
          image: %s
          resources:
            requests: {cpu: 1m}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .Release.Name }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .Release.Name }}}
  minReplicas: 2
  maxReplicas: 4
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: 80}
`, fixture.Image)})
}

var _ = Describe("An app with an autoscaler", func() {
	It("is stopped, and resumed with as many Pods as the autoscaler allows", func(ctx SpecContext) {
		repo, archive := fixture.NewRepository(), scaledChart()
		repo.AddArchive("scaled", "1.0.0", archive)
		source := cluster.CreateSource(ctx, createNamespace(ctx, "market"), "scales", repo.URL, fixture.ShareWithAll)
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		t := newTenant(ctx, source)
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "scaled"}}
		replicas := func() int {
			GinkgoHelper()
			Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(d), d)).To(Succeed())
			return int(*d.Spec.Replicas)
		}
		t.waitSucceeded(ctx, t.NamedTask(ctx, "install", v1alpha1.ActionInstall, "scaled"))
		Eventually(replicas).WithContext(ctx).Should(Equal(2), "the autoscaler sets the minimum")

		t.waitSucceeded(ctx, t.NamedTask(ctx, "stop", v1alpha1.ActionStop, "scaled"))
		Expect(replicas()).To(BeZero())
		Expect(t.instanceState(ctx, "scaled")).To(Equal(transitions.Stopped))

		t.waitSucceeded(ctx, t.NamedTask(ctx, "resume", v1alpha1.ActionResume, "scaled"))
		Expect(replicas()).To(And(BeNumerically(">=", 2), BeNumerically("<=", 4)))
		Expect(t.instanceState(ctx, "scaled")).To(Equal(transitions.Running))
	})
})

var _ = Describe("Drifted objects", func() {
	It("are reported or corrected according to the drift policy of the instance", func(ctx SpecContext) {
		env := newEnvironment(ctx)
		t := newTenant(ctx, env.source)
		t.waitSucceeded(ctx, t.NamedTask(ctx, "install", v1alpha1.ActionInstall, "actor"))
		instance := t.Instance(ctx, "actor")
		policy := func(of v1alpha1.DriftPolicy) {
			GinkgoHelper()
			patchSpec(ctx, instance, func(i *v1alpha1.AppInstance) { i.Spec.DriftPolicy = of })
		}
		image := func() string { return t.deployments(ctx)[0].Spec.Template.Spec.Containers[0].Image }
		original := image()
		policy(v1alpha1.DriftWarn)
		defaultOperator.WaitIdle(ctx)

		By("changing an image")
		patch := values{"spec": values{"template": values{"spec": values{"containers": []values{{"name": "actor", "image": "changed.example/actor:2"}}}}}}
		d := t.deployments(ctx)[0]
		Expect(k8sClient.Patch(ctx, &d, client.RawPatch(types.StrategicMergePatchType, patch.toRaw().Raw))).To(Succeed())
		waitTrue(ctx, instance, v1alpha1.ConditionDrifted)
		Expect(instance.Status.Drift).To(HaveLen(1))
		Expect(instance.Status.Drift[0].Object.String()).To(Equal("Deployment/actor"))
		Expect(instance.Status.Drift[0].Fields).To(ContainElement(ContainSubstring("image")))
		Expect(image()).NotTo(Equal(original))

		By("setting the policy Correct")
		policy(v1alpha1.DriftCorrect)
		Eventually(image).WithContext(ctx).Should(Equal(original))
		Eventually(func(g Gomega) {
			instance = t.Instance(ctx, "actor")
			g.Expect(instance.Status.Drift).To(BeEmpty())
			g.Expect(transitions.StateOf(instance)).To(Equal(transitions.Running))
		}).WithContext(ctx).Should(Succeed())
		By("changing the image so that the Pods do not become ready")
		patch = values{"spec": values{"template": values{"metadata": values{"annotations": values{waitingAnnotation: "ContainerCreating"}}}}}
		d = t.deployments(ctx)[0]
		Expect(k8sClient.Patch(ctx, &d, client.RawPatch(types.MergePatchType, patch.toRaw().Raw))).To(Succeed())
		patch = values{"spec": values{"template": values{"spec": values{"containers": []values{{"name": "actor", "image": "changed.example/actor:3"}}}}}}
		Expect(k8sClient.Patch(ctx, &d, client.RawPatch(types.StrategicMergePatchType, patch.toRaw().Raw))).To(Succeed())
		Eventually(image).WithContext(ctx).Should(Equal(original))
		Expect(t.Instance(ctx, "actor").Status.History).To(HaveLen(1), "no operation is run")
	})
})
