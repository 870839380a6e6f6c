package release_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/appmarket/operator/internal/helm/helmtest"
)

const (
	portsChart = `apiVersion: v1
kind: Service
metadata: {name: a}
spec: {type: NodePort, selector: {a: b}, ports: %s}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: a, image: a, ports: %s}]}
`
	podChart = `apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: %s
`
	podJob = `apiVersion: batch/v1
kind: Job
metadata: {name: a}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a, env: [{name: A, value: a}, {name: A, value: b}]}]}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {v: %s}
`
	secretChart = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n%s\n"
	gearChart   = "apiVersion: test.appmarket.io/v1\nkind: Widget\nmetadata: {name: a}\nspec: %s\n"
)

// TestManyNewObjectsOfAnUpgrade is a test for the race detector: objects of one kind are created
// concurrently, and each object is updated from the response of the API server.
func TestManyNewObjectsOfAnUpgrade(t *testing.T) {
	g := NewWithT(t)
	c, namespace := helmtest.NewClient(t)
	one := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings-0}\n"
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"templates/settings.yaml": one}))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{"templates/settings.yaml": one +
		"{{- range $i := until 60 }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: more-{{ $i }}}\n{{- end }}\n"}))
	g.Expect(err).NotTo(HaveOccurred())
	for _, name := range []string{"settings-0", "more-0", "more-59"} {
		_, err := helmtest.GetConfigMap(t, namespace, name)
		g.Expect(err).NotTo(HaveOccurred(), name)
	}
}

func TestUpgradeReachesWhatTheManifestSays(t *testing.T) {
	helmtest.RequireWidgets(t)
	env := func(text string) string {
		return fmt.Sprintf(podChart, "{containers: [{name: a, image: a, env: ["+text+"]}]}")
	}
	cases := []struct {
		why    string
		charts []string // for each revision
		object string
		edit   string // before the last revision
		path   []string
		want   any // a list, or a map
	}{
		{
			why:    "a doubled variable becomes a single one",
			charts: []string{env("{name: MODE, value: a}, {name: MODE, value: b}, {name: OTHER, value: c}"), env("{name: MODE, value: b}, {name: OTHER, value: c}")},
			object: "Deployment/a", path: []string{"spec", "template", "spec", "containers", "env"},
			want: []any{map[string]any{"name": "MODE", "value": "b"}, map[string]any{"name": "OTHER", "value": "c"}},
		}, {
			why:    "a variable becomes a doubled one",
			charts: []string{env("{name: MODE, value: a}"), env("{name: MODE, value: a}, {name: MODE, value: b}")},
			object: "Deployment/a", path: []string{"spec", "template", "spec", "containers", "env"},
			want: []any{map[string]any{"name": "MODE", "value": "a"}, map[string]any{"name": "MODE", "value": "b"}},
		}, {
			why:    "a key is taken out of stringData",
			charts: []string{fmt.Sprintf(secretChart, "stringData: {kept: a, revoked: b}"), fmt.Sprintf(secretChart, "stringData: {kept: a}")},
			object: "Secret/a", path: []string{"data"},
			want: map[string]any{"kept": "YQ=="},
		}, {
			why:    "a key of another client stays in the Secret",
			charts: []string{fmt.Sprintf(secretChart, "stringData: {kept: a, revoked: b}"), fmt.Sprintf(secretChart, "data: {kept: Yg==}")},
			object: "Secret/a", edit: `{"data":{"own":"YQ=="}}`, path: []string{"data"},
			want: map[string]any{"kept": "Yg==", "own": "YQ=="},
		}, {
			why:    "a custom kind that was changed by hand",
			charts: []string{fmt.Sprintf(gearChart, "{teeth: 12}"), fmt.Sprintf(gearChart, "{teeth: 12, size: 1}")},
			object: "Widget/a", edit: `{"spec":{"teeth":13,"own":true}}`, path: []string{"spec"},
			want: map[string]any{"teeth": int64(12), "size": int64(1), "own": true, "speed": int64(1)},
		}, {
			why: "a stray dash in a list of objects, twice",
			charts: []string{
				fmt.Sprintf(podChart, "{containers: [{name: a, image: a}], imagePullSecrets: [null]}"),
				fmt.Sprintf(podChart, "{containers: [{name: b, image: a}], imagePullSecrets: [null]}"),
			},
			object: "Deployment/a", path: []string{"spec", "template", "spec", "imagePullSecrets"},
			want: []any{map[string]any{}},
		}, {
			why: "a stray dash that comes and goes",
			charts: []string{
				fmt.Sprintf(podChart, "{containers: [{name: a, image: a}]}"),
				fmt.Sprintf(podChart, "{containers: [{name: a, image: a}], imagePullSecrets: [null]}"),
				fmt.Sprintf(podChart, "{containers: [{name: a, image: a}], imagePullSecrets: [{name: x}]}"),
			},
			object: "Deployment/a", path: []string{"spec", "template", "spec", "imagePullSecrets"},
			want: []any{map[string]any{"name": "x"}},
		}, {
			why:    "what cannot be changed is as it was",
			charts: []string{fmt.Sprintf(podJob, "a"), fmt.Sprintf(podJob, "b")},
			object: "ConfigMap/a", path: []string{"data"},
			want: map[string]any{"v": "b"},
		}, {
			why:    "a variable that was given a value by hand",
			charts: []string{env("{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}"), env("{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: B, value: b}")},
			object: "Deployment/a", edit: `{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a","env":[{"name":"A","value":"x"}]}]}}}}`,
			path: []string{"spec", "template", "spec", "containers", "env"},
			want: []any{
				map[string]any{"name": "A", "valueFrom": map[string]any{"fieldRef": map[string]any{"apiVersion": "v1", "fieldPath": "metadata.name"}}},
				map[string]any{"name": "B", "value": "b"},
			},
		}, {
			why: "a Service that gives up its node port",
			charts: []string{
				"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: NodePort, externalTrafficPolicy: Local, ports: [{port: 80}]}\n",
				"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: ClusterIP, ports: [{port: 80}]}\n",
			},
			object: "Service/a", path: []string{"spec", "ports"},
			want: []any{map[string]any{"port": int64(80), "protocol": "TCP", "targetPort": int64(80)}},
		}, {
			why: "an immutable ConfigMap that stays as it is",
			charts: []string{
				"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nimmutable: true\ndata: {v: a}\n",
				"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {tier: back}}\nimmutable: true\ndata: {v: a}\n",
			},
			object: "ConfigMap/a", path: []string{"metadata", "labels"},
			want: map[string]any{"tier": "back", "app.kubernetes.io/managed-by": "Helm"},
		}, {
			why: "nulls in the fields and lists of a custom kind",
			charts: []string{
				fmt.Sprintf(gearChart, "{teeth: 12, size: 1, parts: [{name: axle, spare: null}]}"),
				fmt.Sprintf(gearChart, "{teeth: null, size: 1, parts: [{name: rim}]}"),
			},
			object: "Widget/a", path: []string{"spec"},
			want: map[string]any{"size": int64(1), "parts": []any{map[string]any{"name": "rim"}}, "speed": int64(1)},
		}, {
			why: "a failed revision has added a field",
			charts: []string{
				"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: a}\n",
				"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: b, failed: x}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 99999}]}\n",
				"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: c}\n",
			},
			object: "ConfigMap/a", path: []string{"data"},
			want: map[string]any{"v": "c"},
		},
	}
	for _, one := range cases {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			ctx := t.Context()
			_, err := c.Install(ctx, helmtest.NewSpec(map[string]string{"a.yaml": one.charts[0]}))
			g.Expect(err).NotTo(HaveOccurred())
			for i, text := range one.charts[1:] {
				isLast := i == len(one.charts)-2
				if isLast && one.edit != "" {
					helmtest.EditObject(one.object, one.edit)(t, c, namespace)
				}
				_, err = c.Upgrade(ctx, helmtest.NewSpec(map[string]string{"a.yaml": text}))
				if isLast {
					g.Expect(err).NotTo(HaveOccurred())
				}
			}
			g.Expect(nestedField(helmtest.GetLive(t, helmtest.Resources[strings.TrimSuffix(one.object, "/a")], namespace, "a").Object, one.path)).To(Equal(one.want))
			g.Expect(c.Drift(ctx, "blog")).To(BeEmpty())
		})
	}
}

// TestUpgradeThatTheAPIServerRefuses has changes that the API server rejects in every upgrade. The
// error must name the object and the field, and the other objects must be changed.
func TestUpgradeThatTheAPIServerRefuses(t *testing.T) {
	for _, one := range []struct{ why, first, then, want string }{
		{
			why: "the data of an immutable ConfigMap", want: `ConfigMap "a" is invalid: data: Forbidden: field is immutable`,
			first: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nimmutable: true\ndata: {v: a}\n",
			then:  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nimmutable: true\ndata: {v: b}\n",
		}, {
			why: "the address of a Service", want: `Service "a" is invalid: spec.clusterIP`,
			first: "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\n",
			then:  "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: None, ports: [{port: 80}]}\n",
		}, {
			why: "the selector of a Deployment", want: `Deployment.apps "a" is invalid: spec.selector`,
			first: fmt.Sprintf(podChart, "{containers: [{name: a, image: a}]}"),
			then:  strings.ReplaceAll(fmt.Sprintf(podChart, "{containers: [{name: a, image: a}]}"), "{a: b}", "{a: c}"),
		}, {
			why: "the type of a Secret", want: `Secret "a" is invalid: type: Invalid value`,
			first: fmt.Sprintf(secretChart, "type: Opaque"), then: fmt.Sprintf(secretChart, "type: example.com/other"),
		},
	} {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			other := func(v string) string {
				return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\ndata: {v: " + v + "}\n"
			}
			_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"a.yaml": one.first + other("a")}))
			g.Expect(err).NotTo(HaveOccurred())
			_, err = c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{"a.yaml": one.then + other("b")}))
			g.Expect(err).To(MatchError(ContainSubstring(one.want)))
			cm, err := helmtest.GetConfigMap(t, namespace, "other")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(cm.Data).To(HaveKeyWithValue("v", "b"))
			_, err = c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{"a.yaml": one.first + other("c")}))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(c.Drift(t.Context(), "blog")).To(BeEmpty())
		})
	}
}

func TestRollbackRemovesWhatRevisionsInBetweenHaveSet(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	settings := func(data string) helmtest.ChartSpec {
		return helmtest.NewSpec(map[string]string{"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: " + data + "\n"})
	}
	_, err := c.Install(ctx, settings("{v: a}"))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = c.Upgrade(ctx, settings("{v: b, second: x}"))
	g.Expect(err).NotTo(HaveOccurred())
	failing := settings("{v: c, third: x}")
	failing.Files = append(failing.Files, helmtest.NewChartFiles(map[string]string{"templates/s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 99999}]}\n"})...)
	_, err = c.Upgrade(ctx, failing)
	g.Expect(err).To(HaveOccurred())

	_, err = c.Rollback(ctx, helmtest.NewRollback(1))
	g.Expect(err).NotTo(HaveOccurred())
	cm, err := helmtest.GetConfigMap(t, namespace, "a")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cm.Data).To(Equal(map[string]string{"v": "a"}))
}

func TestInstallTakesUpItsOwnObjects(t *testing.T) {
	helmtest.RequireWidgets(t)
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	_, err := c.Install(ctx, helmtest.NewSpec(map[string]string{"a.yaml": fmt.Sprintf(gearChart, "{teeth: 12}") + "---\n" + newPortsChart(1053, 0)}))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(helmtest.Server.Admin.CoreV1().Secrets(namespace).Delete(ctx, "sh.helm.release.v1.blog.v1", metav1.DeleteOptions{})).To(Succeed())
	helmtest.EditObject("Widget/a", `{"spec":{"teeth":13}}`)(t, c, namespace)

	_, err = c.Install(ctx, helmtest.NewSpec(map[string]string{"a.yaml": fmt.Sprintf(gearChart, "{teeth: 12}") + "---\n" + newPortsChart(1053, 1053)}))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(portsOf(t, namespace)).To(Equal(expectedPorts(1053, 1053)))
	g.Expect(nestedField(helmtest.GetLive(t, helmtest.Resources["Widget"], namespace, "a").Object, []string{"spec", "teeth"})).To(Equal(int64(12)))
}

// nestedField returns a field of an object. For a list, it continues with the first element.
func nestedField(object map[string]any, path []string) any {
	var value any = object
	for _, key := range path {
		if list, ok := value.([]any); ok {
			value = list[0]
		}
		value, _, _ = unstructured.NestedFieldNoCopy(value.(map[string]any), key)
	}
	return value
}
