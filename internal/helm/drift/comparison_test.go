package drift_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/appmarket/operator/internal/helm/helmtest"
	plain "github.com/appmarket/operator/internal/release"
)

// driftChart contains spellings that are common in charts: quantities in other notations, unknown
// fields, nulls, and ports that share a number.
const driftChart = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
  annotations:
spec:
  replicas: 2
  bogus: {a: 1}
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers:
      - name: web
        image: nginx:1
        env: [{name: PASSWORD, value: hunter2}]
        resources: {requests: {cpu: 0.5, memory: 1024Mi}}
      - {name: log, image: fluent:1, resources: }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {nodeSelector: {disk: ssd}, containers: [{name: web, image: nginx}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  color: red
  size: "1"
  page: |+
    last line

---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: hunter2, user: me}
---
apiVersion: v1
kind: Service
metadata: {name: dns}
spec:
  selector: {a: b}
  ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: import}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata: {name: photos, labels: {app: web}}
  spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
- apiVersion: test.appmarket.io/v1
  kind: Widget
  metadata: {name: gear}
  spec: {teeth: 12, parts: [{name: axle, length: 3}, {name: rim}], sizes: [1, 2]}
`

// driftObjects are the objects of driftChart, as kind and name.
var driftObjects = []string{
	"PersistentVolumeClaim/photos", "Deployment/web", "DaemonSet/agent", "ConfigMap/settings", "Secret/login",
	"Service/dns", "Job/import", "Widget/gear",
}

// formatDrift formats drift as lines such as "ConfigMap/settings data.color".
func formatDrift(found []plain.Drifted) []string {
	lines := []string{}
	for _, one := range found {
		line := one.Object.String()
		if one.Missing {
			line += " missing"
		}
		lines = append(lines, strings.TrimSpace(line+" "+strings.Join(one.Fields, " ")))
	}
	return lines
}

// deleteImmediately deletes an object immediately, as another client.
func deleteImmediately(t testing.TB, namespace, object string) {
	t.Helper()
	kind, name, _ := strings.Cut(object, "/")
	admin, err := dynamic.NewForConfig(helmtest.Server.Config)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	objects := admin.Resource(helmtest.Resources[kind]).Namespace(namespace)
	_, err = objects.Patch(context.Background(), name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	background := metav1.DeletePropagationBackground
	NewWithT(t).Expect(objects.Delete(context.Background(), name, metav1.DeleteOptions{PropagationPolicy: &background})).To(Succeed())
}

func addAutoscaler(kind string) func(testing.TB, *helmtest.ChartClient, string) {
	return func(t testing.TB, _ *helmtest.ChartClient, namespace string) {
		by := helmtest.NewAutoscalerSpec(kind, nil, 9)
		by.ScaleTargetRef.Name = "web"
		_, err := helmtest.Server.Admin.AutoscalingV2().HorizontalPodAutoscalers(namespace).Create(t.Context(),
			&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "scaler"}, Spec: *by}, metav1.CreateOptions{})
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		helmtest.PatchObject(t, helmtest.Deployments, namespace, "web", `{"spec":{"replicas":5}}`)
	}
}

func TestDriftIsFoundAndCorrected(t *testing.T) {
	type doing = func(testing.TB, *helmtest.ChartClient, string)
	remove := func(object string) doing {
		return func(t testing.TB, _ *helmtest.ChartClient, namespace string) { deleteImmediately(t, namespace, object) }
	}
	stop := func(t testing.TB, c *helmtest.ChartClient, _ string) {
		NewWithT(t).Expect(c.Stop(t.Context(), "blog")).To(Succeed())
	}
	const web = `{"name":"web","image":"nginx:1","env":[{"name":"PASSWORD","value":"hunter2"}],"resources":{"requests":{"cpu":"500m","memory":"1Gi"}}}`
	const log = `{"name":"log","image":"fluent:1"}`
	containers := func(all ...string) doing {
		return helmtest.EditObject("Deployment/web", `{"spec":{"template":{"spec":{"containers":[`+strings.Join(all, ",")+`]}}}}`)
	}
	cases := []struct {
		why  string
		do   []doing
		want []string
		left []string // objects that Correct does not change
	}{
		{why: "nothing was changed, and quantities only have another notation"},
		{
			why:  "an image",
			do:   []doing{containers(strings.Replace(web, "nginx:1", "evil:1", 1), log)},
			want: []string{"Deployment/web spec.template.spec.containers[name=web].image"},
		}, {
			why:  "an environment, without its value",
			do:   []doing{containers(strings.Replace(web, "hunter2", "hunter3", 1), log)},
			want: []string{"Deployment/web spec.template.spec.containers[name=web].env[name=PASSWORD].value"},
		}, {
			why:  "a container is gone",
			do:   []doing{containers(web)},
			want: []string{"Deployment/web spec.template.spec.containers[name=log]"},
		}, {
			why: "a container and a field of another client",
			do: []doing{
				containers(web, log, `{"name":"mesh","image":"envoy"}`),
				helmtest.EditObject("Deployment/web", `{"metadata":{"annotations":{"note":"mine"}},"spec":{"revisionHistoryLimit":3,"paused":true}}`),
			},
		}, {
			why: "labels, the one of Helm among them",
			do:  []doing{helmtest.EditObject("Deployment/web", `{"metadata":{"labels":{"app":null,"app.kubernetes.io/managed-by":"me"}}}`)},
			want: []string{
				"Deployment/web metadata.labels.app metadata.labels[app.kubernetes.io/managed-by]",
			},
		}, {
			why:  "settings changed, removed and added",
			do:   []doing{helmtest.EditObject("ConfigMap/settings", `{"data":{"color":"blue","size":null,"shape":"round"}}`)},
			want: []string{"ConfigMap/settings data.color data.size"},
		}, {
			why:  "all settings are gone",
			do:   []doing{helmtest.EditObject("ConfigMap/settings", `{"data":null}`)},
			want: []string{"ConfigMap/settings data.color data.page data.size"},
		}, {
			why:  "a secret, without its value",
			do:   []doing{helmtest.EditObject("Secret/login", `{"data":{"password":"bm9ib2R5"}}`)},
			want: []string{"Secret/login data.password"},
		}, {
			why: "objects are gone, and are made again in the order of the manifest",
			do:  []doing{remove("Service/dns"), remove("ConfigMap/settings"), remove("Deployment/web"), remove("Widget/gear")},
			want: []string{
				"ConfigMap/settings missing", "Service/dns missing", "Deployment/web missing", "Widget/gear missing",
			},
		}, {
			why: "a job is gone after its time",
			do:  []doing{remove("Job/import")},
		}, {
			why:  "a claim is gone, and its data with it",
			do:   []doing{remove("PersistentVolumeClaim/photos")},
			want: []string{"PersistentVolumeClaim/photos missing"},
			left: []string{"PersistentVolumeClaim/photos missing"},
		}, {
			why:  "a claim has changed",
			do:   []doing{helmtest.EditObject("PersistentVolumeClaim/photos", `{"metadata":{"labels":{"app":null}}}`)},
			want: []string{"PersistentVolumeClaim/photos metadata.labels.app"},
			left: []string{"PersistentVolumeClaim/photos metadata.labels.app"},
		}, {
			why:  "one of two ports of the same number",
			do:   []doing{helmtest.EditObject("Service/dns", `{"spec":{"ports":[{"name":"dns","port":53,"protocol":"UDP","targetPort":53}]}}`)},
			want: []string{"Service/dns spec.ports[name=dns-tcp]"},
		}, {
			why:  "replicas that only the chart specifies",
			do:   []doing{helmtest.EditObject("Deployment/web", `{"spec":{"replicas":5}}`)},
			want: []string{"Deployment/web spec.replicas"},
		}, {
			why: "replicas that are scaled",
			do:  []doing{addAutoscaler("Deployment")},
		}, {
			why:  "replicas of a workload next to one that is scaled",
			do:   []doing{addAutoscaler("StatefulSet")},
			want: []string{"Deployment/web spec.replicas"},
		}, {
			why: "workloads are stopped",
			do:  []doing{stop},
		}, {
			why:  "a stopped workload has another image",
			do:   []doing{stop, containers(strings.Replace(web, "nginx:1", "evil:1", 1), log)},
			want: []string{"Deployment/web spec.template.spec.containers[name=web].image"},
		}, {
			why:  "an object of a custom kind",
			do:   []doing{helmtest.EditObject("Widget/gear", `{"spec":{"teeth":13,"parts":[{"name":"axle","length":4},{"name":"rim"}],"sizes":[1,3,4],"mine":true,"speed":9}}`)},
			want: []string{"Widget/gear spec.parts[name=axle].length spec.sizes[1] spec.sizes[2] spec.teeth"},
		}, {
			why:  "only the order differs",
			do:   []doing{helmtest.EditObject("Widget/gear", `{"spec":{"parts":[{"name":"rim"},{"name":"axle","length":3}]}}`)},
			want: []string{"Widget/gear spec.parts"},
		}, {
			why:  "another release has taken an object over",
			do:   []doing{helmtest.EditObject("ConfigMap/settings", `{"metadata":{"annotations":{"meta.helm.sh/release-name":"other"}},"data":{"color":"blue"}}`)},
			want: []string{"ConfigMap/settings data.color metadata.annotations[meta.helm.sh/release-name]"},
			left: []string{"ConfigMap/settings data.color metadata.annotations[meta.helm.sh/release-name]"},
		},
	}
	helmtest.RequireWidgets(t)
	for _, one := range cases {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			ctx := t.Context()
			if one.want == nil {
				one.want = []string{}
			}
			if one.left == nil {
				one.left = []string{}
			}
			_, err := c.Install(ctx, helmtest.NewSpec(map[string]string{"all.yaml": driftChart}))
			g.Expect(err).NotTo(HaveOccurred())
			for _, do := range one.do {
				do(t, c, namespace)
			}
			before := driftVersions(t, namespace)

			found, err := c.Drift(ctx, "blog")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(formatDrift(found)).To(Equal(one.want))
			g.Expect(fmt.Sprintf("%+v", found)).NotTo(Or(ContainSubstring("hunter"), ContainSubstring("bm9ib2R5")))
			g.Expect(driftVersions(t, namespace)).To(Equal(before), "to look changes nothing")

			corrected, err := c.Correct(ctx, "blog")
			g.Expect(err).NotTo(HaveOccurred())
			if len(one.left) == 0 {
				g.Expect(formatDrift(corrected)).To(Equal(one.want))
			} else {
				g.Expect(corrected).To(BeEmpty())
			}
			after := driftVersions(t, namespace)
			for _, object := range driftObjects {
				touched := before[object] != after[object]
				g.Expect(touched).To(Equal(strings.Contains(fmt.Sprint(formatDrift(corrected)), object)), object)
			}
			found, err = c.Drift(ctx, "blog")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(formatDrift(found)).To(Equal(one.left))
			if len(one.left) == 0 {
				_, err = c.Upgrade(ctx, helmtest.NewSpec(map[string]string{"all.yaml": driftChart}))
				g.Expect(err).NotTo(HaveOccurred(), "helm finds its own")
			}
		})
	}
}

// driftVersions returns the resource version of each object of driftChart.
func driftVersions(t testing.TB, namespace string) map[string]string {
	t.Helper()
	admin, err := dynamic.NewForConfig(helmtest.Server.Config)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	versions := map[string]string{}
	for _, object := range driftObjects {
		kind, name, _ := strings.Cut(object, "/")
		live, err := admin.Resource(helmtest.Resources[kind]).Namespace(namespace).Get(context.Background(), name, metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			versions[object] = live.GetResourceVersion()
		}
	}
	return versions
}
