package chart_test

import (
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
)

func operatorDeployment(t *testing.T, values ...string) appsv1.Deployment {
	t.Helper()
	return findOnly[appsv1.Deployment](t, renderChart(t, values...), "Deployment", "appmarket")
}

func TestSecurityContextsAreValues(t *testing.T) {
	g := NewWithT(t)
	pod := operatorDeployment(t).Spec.Template.Spec
	g.Expect(*pod.SecurityContext.FSGroup).To(BeEquivalentTo(65532))
	g.Expect(*pod.SecurityContext.RunAsNonRoot).To(BeTrue())
	g.Expect(*pod.Containers[0].SecurityContext.ReadOnlyRootFilesystem).To(BeTrue())

	t.Run("OpenShift assigns users and groups", func(t *testing.T) {
		g := NewWithT(t)
		pod := operatorDeployment(t, "podSecurityContext={runAsUser: null, runAsGroup: null, fsGroup: null}").Spec.Template.Spec
		g.Expect(pod.SecurityContext.RunAsUser).To(BeNil())
		g.Expect(pod.SecurityContext.RunAsGroup).To(BeNil())
		g.Expect(pod.SecurityContext.FSGroup).To(BeNil())
		g.Expect(*pod.SecurityContext.RunAsNonRoot).To(BeTrue(), "the other fields stay")
		g.Expect(pod.SecurityContext.SeccompProfile.Type).To(Equal(corev1.SeccompProfileTypeRuntimeDefault))
	})
	t.Run("the container", func(t *testing.T) {
		g := NewWithT(t)
		pod := operatorDeployment(t, "securityContext.privileged=false", "securityContext.capabilities.add=[NET_BIND_SERVICE]").Spec.Template.Spec
		context := pod.Containers[0].SecurityContext
		g.Expect(*context.Privileged).To(BeFalse())
		g.Expect(context.Capabilities.Add).To(ConsistOf(corev1.Capability("NET_BIND_SERVICE")))
		g.Expect(context.Capabilities.Drop).To(ConsistOf(corev1.Capability("ALL")))
	})
}

func TestMemoryLimitIsPassedToTheProgram(t *testing.T) {
	g := NewWithT(t)
	container := operatorDeployment(t, "env=[{name: HTTPS_PROXY, value: proxy}]").Spec.Template.Spec.Containers[0]
	g.Expect(container.Args).To(ContainElement("--memory-limit=$(MEMORY_LIMIT)"))
	g.Expect(container.Env).To(HaveLen(2))
	g.Expect(container.Env[0].Name).To(Equal("MEMORY_LIMIT"))
	g.Expect(container.Env[0].ValueFrom.ResourceFieldRef.Resource).To(Equal("limits.memory"))
	g.Expect(container.Env[1].Name).To(Equal("HTTPS_PROXY"))
}

func TestPlacementOfThePod(t *testing.T) {
	g := NewWithT(t)
	made := operatorDeployment(t, "revisionHistoryLimit=0",
		"topologySpreadConstraints=[{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]", "priorityClassName=high")
	g.Expect(*made.Spec.RevisionHistoryLimit).To(BeZero())
	g.Expect(made.Spec.Template.Spec.TopologySpreadConstraints).To(HaveLen(1))
	g.Expect(made.Spec.Template.Spec.PriorityClassName).To(Equal("high"))
}

func TestDisruptionBudget(t *testing.T) {
	g := NewWithT(t)
	g.Expect(renderChart(t).ofKind("PodDisruptionBudget")).To(BeEmpty())
	for value, want := range map[string]string{"0": "0", "1": "1", "50%": "50%"} {
		budget := findOnly[policyv1.PodDisruptionBudget](t,
			renderChart(t, "podDisruptionBudget.enabled=true", "podDisruptionBudget.maxUnavailable="+value), "PodDisruptionBudget", "appmarket")
		g.Expect(budget.Spec.MaxUnavailable.String()).To(Equal(want))
		g.Expect(*budget.Spec.UnhealthyPodEvictionPolicy).To(Equal(policyv1.AlwaysAllow))
		g.Expect(budget.Spec.Selector.MatchLabels).To(Equal(operatorDeployment(t).Spec.Selector.MatchLabels))
	}
}

// TestChartTest checks that the Pod of helm test requests the Service, which must not select this
// Pod.
func TestChartTest(t *testing.T) {
	g := NewWithT(t)
	all := renderChart(t, "repository.service.port=8080", "image.tag=1.2.3", "repository.url=https://charts.example.com",
		"podSecurityContext.runAsUser=null", "nodeSelector={disk: fast}")
	pod := findOnly[corev1.Pod](t, all, "Pod", "appmarket-test")
	g.Expect(pod.Annotations).To(HaveKeyWithValue("helm.sh/hook", "test"))
	g.Expect(pod.Spec.Containers[0].Args).To(Equal([]string{
		"check", "http://appmarket.appmarket-system.svc:8080/readyz", "http://appmarket.appmarket-system.svc:8080/index.yaml",
	}))
	g.Expect(pod.Spec.Containers[0].Image).To(Equal("ghcr.io/appmarket/operator:1.2.3"))
	operator := findOnly[appsv1.Deployment](t, all, "Deployment", "appmarket").Spec.Template.Spec
	g.Expect(pod.Spec.SecurityContext).To(Equal(operator.SecurityContext))
	g.Expect(pod.Spec.Containers[0].SecurityContext).To(Equal(operator.Containers[0].SecurityContext))
	g.Expect(pod.Spec.NodeSelector).To(Equal(operator.NodeSelector))
	service := findOnly[corev1.Service](t, all, "Service", "appmarket")
	g.Expect(pod.Labels["app.kubernetes.io/name"]).NotTo(Equal(service.Spec.Selector["app.kubernetes.io/name"]))
}
