package scale_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	"github.com/appmarket/operator/internal/outcome"
)

// restartTime is the time of the restarts of these tests, in UTC as it is written.
var restartTime = metav1.NewTime(time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC))

const restartTimeText = "2026-11-29T10:00:00Z"

// restartTimes returns the time of the last restart of each workload that has one.
func restartTimes(t testing.TB, namespace string) map[string]any {
	t.Helper()
	found := map[string]any{}
	for _, one := range scaleFields {
		object := helmtest.GetLive(t, one.resource, namespace, one.name)
		annotations, _ := helmtest.FieldAt(object, "spec.template.metadata.annotations").(map[string]any)
		if at, restarted := annotations["kubectl.kubernetes.io/restartedAt"]; restarted {
			found[one.name] = at
		}
	}
	return found
}

func TestRestart(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(allWorkloads))
	g.Expect(err).NotTo(HaveOccurred())
	before, _ := workloadSpecs(t, namespace)

	g.Expect(c.Restart(t.Context(), "blog", &restartTime)).To(Succeed())
	want := map[string]any{}
	for _, name := range []string{"web", "idle", "single", "set", "agent", "fast"} {
		want[name] = restartTimeText
	}
	g.Expect(restartTimes(t, namespace)).To(Equal(want))
	g.Expect(c.Drift(t.Context(), "blog")).To(BeEmpty())
	g.Expect(c.Correct(t.Context(), "blog")).To(BeEmpty())

	_, versions := workloadSpecs(t, namespace)
	g.Expect(c.Restart(t.Context(), "blog", &restartTime)).To(Succeed())
	_, again := workloadSpecs(t, namespace)
	g.Expect(again).To(Equal(versions), "a workload with this time is not changed")

	rel, err := c.Upgrade(t.Context(), helmtest.NewSpec(allWorkloads))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(rel.Revision).To(Equal(2), "a restart has no revision")
	g.Expect(restartTimes(t, namespace)).To(Equal(want), "an upgrade keeps the time")

	g.Expect(c.Restart(t.Context(), "blog", nil)).To(Succeed())
	after, _ := workloadSpecs(t, namespace)
	for name, spec := range after {
		// An empty map of annotations has no effect on the Pods.
		g.Expect(withoutEmptyAnnotations(spec)).To(Equal(before[name]), name)
	}
}

// withoutEmptyAnnotations removes an empty map of annotations from the Pod template of a spec.
func withoutEmptyAnnotations(spec any) any {
	template, _ := spec.(map[string]any)["template"].(map[string]any)
	metadata, _ := template["metadata"].(map[string]any)
	if annotations, found := metadata["annotations"].(map[string]any); found && len(annotations) == 0 {
		delete(metadata, "annotations")
	}
	return spec
}

func TestRestartOfAChartThatSetsTheTime(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	manifest := strings.Replace(helmtest.DeploymentManifest("web", "1"), "metadata: {labels: {a: b}}",
		`metadata: {labels: {a: b}, annotations: {kubectl.kubernetes.io/restartedAt: "2020-01-01T00:00:00Z"}}`, 1)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"a.yaml": manifest}))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Restart(t.Context(), "blog", &restartTime)).To(Succeed())
	g.Expect(c.Drift(t.Context(), "blog")).To(BeEmpty())
	g.Expect(c.Correct(t.Context(), "blog")).To(BeEmpty())
	g.Expect(helmtest.FieldAt(helmtest.GetLive(t, helmtest.Deployments, namespace, "web"), "spec.template.metadata.annotations")).
		To(HaveKeyWithValue("kubectl.kubernetes.io/restartedAt", restartTimeText))
}

func TestRestartContinuesAfterAFailure(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{
		"a.yaml": helmtest.DeploymentManifest("paused", "1"), "b.yaml": helmtest.DeploymentManifest("web", "1"),
	}))
	g.Expect(err).NotTo(HaveOccurred())
	helmtest.PatchObject(t, helmtest.Deployments, namespace, "paused", `{"spec":{"paused":true}}`)
	err = c.Restart(t.Context(), "blog", &restartTime)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonRestartFailed))
	g.Expect(err).To(MatchError(ContainSubstring("Deployment/paused: spec.paused is true")))
	restartedAt := func(name string) any {
		annotations, _ := helmtest.FieldAt(helmtest.GetLive(t, helmtest.Deployments, namespace, name), "spec.template.metadata.annotations").(map[string]any)
		return annotations["kubectl.kubernetes.io/restartedAt"]
	}
	g.Expect(restartedAt("web")).To(Equal(restartTimeText))
	g.Expect(restartedAt("paused")).To(BeNil())

	generation := helmtest.GetLive(t, helmtest.Deployments, namespace, "web").GetGeneration()
	helmtest.PatchObject(t, helmtest.Deployments, namespace, "paused", `{"spec":{"paused":null}}`)
	g.Expect(c.Restart(t.Context(), "blog", &restartTime)).To(Succeed())
	g.Expect(restartedAt("paused")).To(Equal(restartTimeText))
	g.Expect(helmtest.GetLive(t, helmtest.Deployments, namespace, "web").GetGeneration()).To(Equal(generation), "its Pods are not replaced again")
}

func TestRestartThatIsInterrupted(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(allWorkloads))
	g.Expect(err).NotTo(HaveOccurred())
	patches := 0
	failing := helmtest.NewInterceptedClient(t, namespace, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		if request.Method == http.MethodPatch {
			if patches++; patches > 2 {
				return nil, errors.New("connection refused")
			}
		}
		return next.RoundTrip(request)
	})
	err = failing.Restart(t.Context(), "blog", &restartTime)
	g.Expect(err).To(HaveOccurred())
	g.Expect(restartTimes(t, namespace)).To(HaveLen(2))
	_, versions := workloadSpecs(t, namespace)
	done := restartTimes(t, namespace)
	g.Expect(c.Restart(t.Context(), "blog", &restartTime)).To(Succeed())
	g.Expect(restartTimes(t, namespace)).To(HaveLen(6))
	_, after := workloadSpecs(t, namespace)
	for name := range done {
		g.Expect(after[name]).To(Equal(versions[name]), name)
	}
}
