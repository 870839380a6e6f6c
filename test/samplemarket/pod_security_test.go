package samplemarket_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// podsOf returns the Pod templates of rendered documents, including hooks.
func podsOf(t *testing.T, app, version string) []corev1.PodTemplateSpec {
	t.Helper()
	g := NewWithT(t)
	draft, err := hydrateChart(t, app, version)
	g.Expect(err).NotTo(HaveOccurred())
	var pods []corev1.PodTemplateSpec
	for _, unit := range draft.Units {
		for _, document := range unit.Documents {
			var workload struct {
				Kind string
				Spec struct{ Template *corev1.PodTemplateSpec }
			}
			g.Expect(yaml.Unmarshal([]byte(document.Text), &workload)).To(Succeed())
			if workload.Kind == "Pod" {
				workload.Spec.Template = &corev1.PodTemplateSpec{}
				g.Expect(yaml.Unmarshal([]byte(document.Text), workload.Spec.Template)).To(Succeed())
			}
			if workload.Spec.Template != nil {
				pods = append(pods, *workload.Spec.Template)
			}
		}
	}
	return pods
}

func TestEverySampleRunsUnderRestrictedPodSecurity(t *testing.T) {
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, each := range []struct {
		app, version string
		pods         int
	}{
		{"hello", "1.0.0", 1}, {"hello", "1.1.0", 1}, {"hello", "1.2.0-rc.1", 1}, {"notes", "1.4.2", 1}, {"wiki", "2.0.1", 1},
		{"blog", "0.9.0", 2}, {"board", "1.0.3", 1}, {"clock", "3.1.0", 1}, {"team", "1.2.0", 2},
	} {
		t.Run(each.app+" "+each.version, func(t *testing.T) {
			g := NewWithT(t)
			pods := podsOf(t, each.app, each.version)
			g.Expect(pods).To(HaveLen(each.pods))
			for _, pod := range pods {
				result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec))
				g.Expect(result.Allowed).To(BeTrue(), result.ForbiddenDetail())
				for _, container := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
					g.Expect(*container.SecurityContext.ReadOnlyRootFilesystem).To(BeTrue(), container.Name)
				}
			}
		})
	}
}
