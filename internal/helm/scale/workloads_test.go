package scale_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/appmarket/operator/internal/helm/helmtest"
)

// podText is the end of the manifest of a workload whose pods have the label a.

// allWorkloads contains workloads of every kind, and a ConfigMap.
var allWorkloads = map[string]string{
	"cm.yaml":     helmtest.ConfigMap,
	"web.yaml":    helmtest.DeploymentManifest("web", "3"),
	"idle.yaml":   helmtest.DeploymentManifest("idle", "0"),
	"single.yaml": strings.Replace(helmtest.DeploymentManifest("single", ""), "  replicas: \n", "", 1),
	"set.yaml":    "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: set}\nspec:\n  serviceName: set\n  replicas: 2\n  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete, whenDeleted: Retain}" + helmtest.PodText,
	"rs.yaml":     "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: rs}\nspec:\n  replicas: 4" + helmtest.PodText,
	"rc.yaml": "apiVersion: v1\nkind: ReplicationController\nmetadata: {name: rc}\nspec:\n  replicas: 5" +
		strings.Replace(helmtest.PodText, "{matchLabels: {a: b}}", "{a: b}", 1),
	"agent.yaml": "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: agent}\nspec:" + helmtest.PodText,
	"fast.yaml":  "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: fast}\nspec:" + helmtest.PodText + "      nodeSelector: {disk: ssd}\n",
	"nightly.yaml": `apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: paused}
spec:
  suspend: true
  schedule: "0 3 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}}
`,
	"job.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata: {name: import}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}\n",
}

var (
	// scaleFields are the fields by which the workloads of fleet are stopped.
	scaleFields = []struct {
		resource schema.GroupVersionResource
		name     string
		field    string
		off      any
	}{
		{helmtest.Deployments, "web", "spec.replicas", int64(0)},
		{helmtest.Deployments, "idle", "spec.replicas", int64(0)},
		{helmtest.Deployments, "single", "spec.replicas", int64(0)},
		{helmtest.Deployments.GroupVersion().WithResource("statefulsets"), "set", "spec.replicas", int64(0)},
		{helmtest.Deployments.GroupVersion().WithResource("replicasets"), "rs", "spec.replicas", int64(0)},
		{schema.GroupVersionResource{Version: "v1", Resource: "replicationcontrollers"}, "rc", "spec.replicas", int64(0)},
		{helmtest.Deployments.GroupVersion().WithResource("daemonsets"), "agent", "spec.template.spec.nodeSelector",
			map[string]any{"appmarket.io/stopped": "true"}},
		{helmtest.Deployments.GroupVersion().WithResource("daemonsets"), "fast", "spec.template.spec.nodeSelector",
			map[string]any{"appmarket.io/stopped": "true", "disk": "ssd"}},
		{schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "cronjobs"}, "nightly", "spec.suspend", true},
		{schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "cronjobs"}, "paused", "spec.suspend", true},
		{schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}, "import", "spec.suspend", true},
	}
)

// workloadSpecs returns the specs of the workloads of fleet, and their resource versions.
func workloadSpecs(t testing.TB, namespace string) (specs map[string]any, versions map[string]string) {
	t.Helper()
	specs, versions = map[string]any{}, map[string]string{}
	for _, one := range scaleFields {
		object := helmtest.GetLive(t, one.resource, namespace, one.name)
		specs[one.name], versions[one.name] = object.Object["spec"], object.GetResourceVersion()
	}
	return specs, versions
}

func expectStopped(t testing.TB, c *helmtest.ChartClient, namespace string) {
	t.Helper()
	g := NewWithT(t)
	for _, one := range scaleFields {
		object := helmtest.GetLive(t, one.resource, namespace, one.name)
		g.Expect(helmtest.FieldAt(object, one.field)).To(Equal(one.off), one.name)
		g.Expect(object.GetAnnotations()).To(HaveKey("appmarket.io/before-stop"), one.name)
	}
	stopped, total, err := c.Workloads(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]int{stopped, total}).To(Equal([]int{len(scaleFields), len(scaleFields)}))
}

func TestStopAndResume(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(allWorkloads))
	g.Expect(err).NotTo(HaveOccurred())
	before, _ := workloadSpecs(t, namespace)
	stopped, total, err := c.Workloads(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]int{stopped, total}).To(Equal([]int{2, len(scaleFields)}), "two are so by the chart")

	g.Expect(c.Stop(t.Context(), "blog")).To(Succeed())
	expectStopped(t, c, namespace)
	g.Expect(helmtest.GetLive(t, helmtest.Deployments, namespace, "web").GetAnnotations()).
		To(HaveKeyWithValue("appmarket.io/before-stop", `{"replicas":3}`))
	set := helmtest.GetLive(t, scaleFields[3].resource, namespace, "set")
	g.Expect(helmtest.FieldAt(set, "spec.persistentVolumeClaimRetentionPolicy.whenScaled")).To(Equal("Retain"), "no data is lost")
	g.Expect(set.GetAnnotations()).To(HaveKeyWithValue("appmarket.io/before-stop", `{"replicas":2,"whenScaled":"Delete"}`))
	g.Expect(c.Drift(t.Context(), "blog")).To(BeEmpty())
	_, versions := workloadSpecs(t, namespace)
	g.Expect(c.Stop(t.Context(), "blog")).To(Succeed())
	_, again := workloadSpecs(t, namespace)
	g.Expect(again).To(Equal(versions), "what is stopped is not touched again")

	g.Expect(c.Resume(t.Context(), "blog")).To(Succeed())
	after, versions := workloadSpecs(t, namespace)
	g.Expect(after).To(Equal(before))
	for _, one := range scaleFields {
		g.Expect(helmtest.GetLive(t, one.resource, namespace, one.name).GetAnnotations()).
			NotTo(HaveKey("appmarket.io/before-stop"), one.name)
	}
	g.Expect(c.Resume(t.Context(), "blog")).To(Succeed())
	_, again = workloadSpecs(t, namespace)
	g.Expect(again).To(Equal(versions), "what runs is not touched")
}

func TestStopIsCompletedAfterACrash(t *testing.T) {
	cases := []struct {
		why  string
		lost bool // the last change succeeds, but its response is lost
	}{
		{why: "between two objects"},
		{why: "while a change is carried out", lost: true},
	}
	for _, one := range cases {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			_, err := c.Install(t.Context(), helmtest.NewSpec(allWorkloads))
			g.Expect(err).NotTo(HaveOccurred())
			before, _ := workloadSpecs(t, namespace)
			for n := range len(scaleFields) {
				crashing, ctx := crashAfter(t, namespace, n, one.lost)
				g.Expect(crashing.Stop(ctx, "blog")).To(MatchError(context.Canceled), "after %d", n)
				stopped, _, err := c.Workloads(t.Context(), "blog")
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(stopped).To(BeNumerically("<=", n+3), "it went no further")
				g.Expect(c.Stop(t.Context(), "blog")).To(Succeed())
				expectStopped(t, c, namespace)

				crashing, ctx = crashAfter(t, namespace, n, one.lost)
				g.Expect(crashing.Resume(ctx, "blog")).To(MatchError(context.Canceled), "after %d", n)
				g.Expect(c.Resume(t.Context(), "blog")).To(Succeed())
				after, _ := workloadSpecs(t, namespace)
				g.Expect(after).To(Equal(before), "after %d", n)
			}
		})
	}
}

// crashAfter returns a client, and a context that is canceled at the patch after n patches. If lost
// is set, that patch succeeds.
func crashAfter(t testing.TB, namespace string, n int, lost bool) (*helmtest.ChartClient, context.Context) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	patches := 0
	return helmtest.NewInterceptedClient(t, namespace, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		if request.Method == http.MethodPatch {
			patches++
		}
		if patches <= n {
			return next.RoundTrip(request)
		}
		if lost {
			response, err := next.RoundTrip(request)
			if err == nil {
				err = response.Body.Close()
			}
			cancel()
			return nil, errors.Join(errors.New("connection lost"), err)
		}
		cancel()
		return nil, ctx.Err()
	}), ctx
}

func TestStopNotesWhatWasAtTheLastMoment(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"web.yaml": helmtest.DeploymentManifest("web", "3")}))
	g.Expect(err).NotTo(HaveOccurred())
	var patches atomic.Int64
	racing := helmtest.NewInterceptedClient(t, namespace, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		if request.Method == http.MethodPatch && patches.Add(1) == 1 {
			helmtest.PatchObject(t, helmtest.Deployments, namespace, "web", `{"spec":{"replicas":7}}`)
		}
		return next.RoundTrip(request)
	})
	g.Expect(racing.Stop(t.Context(), "blog")).To(Succeed())
	g.Expect(patches.Load()).To(BeNumerically("==", 2))
	g.Expect(helmtest.GetLive(t, helmtest.Deployments, namespace, "web").GetAnnotations()).
		To(HaveKeyWithValue("appmarket.io/before-stop", `{"replicas":7}`))
}

// TestStoppedIsCurrent sets the statuses of workloads without pods, like their controllers.
func TestStoppedIsCurrent(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(allWorkloads))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Stop(t.Context(), "blog")).To(Succeed())
	admin, err := dynamic.NewForConfig(helmtest.Server.Config)
	g.Expect(err).NotTo(HaveOccurred())
	for _, one := range scaleFields {
		object := helmtest.GetLive(t, one.resource, namespace, one.name)
		if one.resource.Resource == "jobs" {
			continue // kstatus waits for a suspended job to start
		}
		played := map[string]any{"observedGeneration": object.GetGeneration(), "replicas": int64(0)}
		switch one.resource.Resource {
		case "deployments":
			played["conditions"] = []any{
				map[string]any{"type": "Available", "status": "True"},
				map[string]any{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
			}
		case "daemonsets":
			played = map[string]any{"observedGeneration": object.GetGeneration(), "currentNumberScheduled": int64(0),
				"desiredNumberScheduled": int64(0), "numberMisscheduled": int64(0), "numberReady": int64(0)}
		case "cronjobs":
			played = map[string]any{}
		}
		object.Object["status"] = played
		object, err = admin.Resource(one.resource).Namespace(namespace).UpdateStatus(t.Context(), object, metav1.UpdateOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		verdict, err := status.Compute(object)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(verdict.Status).To(Equal(status.CurrentStatus), one.name+": "+verdict.Message)
	}
}
