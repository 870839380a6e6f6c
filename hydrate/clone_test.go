package hydrate_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/outcome"
)

// newTemplateChart returns a chart with one template.
func newTemplateChart(template string) []chart.File {
	return newWebChart(map[string]string{"templates/page.yaml": template})
}

// analyzeClone returns the clone safety of a chart with its final files.
func analyzeClone(t *testing.T, files []chart.File) *hydrate.CloneSafety {
	t.Helper()
	d := applyCustomParams(t, nil, files)
	NewWithT(t).Expect(customizing.Apply(t.Context(), d)).To(Succeed())
	return d.Clone
}

// objectYAML returns the first fields of an object that has the name of its release.
func objectYAML(apiVersion, kind string) string {
	return "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata: {name: '{{ .Release.Name }}'}\n"
}

// podYAML returns a Deployment with the name of its release and these lines in its pod spec.
func podYAML(lines ...string) string {
	return objectYAML("apps/v1", "Deployment") + "spec:\n  template:\n    spec:\n      " + strings.Join(lines, "\n      ") + "\n"
}

// podWithVolume returns a pod with a hostPath volume and its mount.
func podWithVolume(volume, mount string) string {
	return podYAML("volumes: [{name: data, hostPath: "+volume+"}]",
		"containers: [{name: main, image: a, volumeMounts: [{name: data, mountPath: /data"+mount+"}]}]")
}

func TestCloneVerdict(t *testing.T) {
	for _, c := range []struct {
		why        string
		template   string
		verdict    string
		collisions []string
	}{
		{"nothing at all", "", hydrate.CloneSafe, nil},
		{"a name of the release's own", objectYAML("v1", "Service"), hydrate.CloneSafe, nil},
		{"the usual helper, which leaves out a chart name that is there already",
			"apiVersion: v1\nkind: Service\nmetadata: {name: '{{ if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}'}\n",
			hydrate.CloneSafe, nil},
		{"a fixed name", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n",
			hydrate.CloneNamespacedOnly, []string{"Service web: same name in all releases"}},
		{"the same name in another group is another object",
			"apiVersion: v1\nkind: {{ if eq .Release.Name \"web\" }}Service{{ else }}Secret{{ end }}\nmetadata: {name: web}\n", hydrate.CloneSafe, nil},
		{"the version of an API makes no other object",
			"apiVersion: apps/{{ if eq .Release.Name \"web\" }}v1{{ else }}v1beta1{{ end }}\nkind: Deployment\nmetadata: {name: web}\n",
			hydrate.CloneNamespacedOnly, []string{"Deployment web: same name in all releases"}},
		{"a random name", "apiVersion: v1\nkind: Secret\nmetadata: {name: 'web-{{ randAlphaNum 12 | lower }}'}\n", hydrate.CloneSafe, nil},
		{"a name that the API server gives", "apiVersion: v1\nkind: Secret\nmetadata: {generateName: web-}\n", hydrate.CloneSafe, nil},
		{"a fixed name of a hook", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: setup, annotations: {helm.sh/hook: pre-install}}\n",
			hydrate.CloneNamespacedOnly, []string{"Job setup: same name in all releases"}},
		{"a fixed name in a list", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: web}}\n",
			hydrate.CloneNamespacedOnly, []string{"Service web: same name in all releases"}},
		{"a fixed namespace", "apiVersion: v1\nkind: Secret\nmetadata: {name: token, namespace: kube-system}\n",
			hydrate.CloneUnsafe, []string{"Secret kube-system/token: same name in all namespaces"}},
		{"a name of its own in a fixed namespace", "apiVersion: v1\nkind: Secret\nmetadata: {name: '{{ .Release.Name }}', namespace: kube-system}\n", hydrate.CloneSafe, nil},
		{"the release's namespace, written out", "apiVersion: v1\nkind: Secret\nmetadata: {name: token, namespace: '{{ .Release.Namespace }}'}\n",
			hydrate.CloneNamespacedOnly, []string{"Secret token: same name in all releases"}},
		{"an object of the cluster", "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: z}\n",
			hydrate.CloneUnsafe, []string{"ClusterRole z: same name in all namespaces"}},
		{"an object of the cluster of the release's own", objectYAML("rbac.authorization.k8s.io/v1", "ClusterRole"), hydrate.CloneSafe, nil},
		{"an object of the cluster named after the namespace", "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: '{{ .Release.Namespace }}'}\n",
			hydrate.CloneNamespacedOnly, []string{"PersistentVolume default: same name in all releases"}},
		{"a kind of the cluster's name in another group is unknown", "apiVersion: example.com/v1\nkind: ClusterRole\nmetadata: {name: z}\n",
			hydrate.CloneNamespacedOnly, []string{"ClusterRole z: same name in all releases"}},
		{"a kind that the chart itself defines for the cluster",
			"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: '{{ .Release.Name }}.example.com'}\n" +
				"spec: {group: example.com, scope: Cluster, names: {kind: Zone}}\n---\napiVersion: example.com/v1\nkind: Zone\nmetadata: {name: north}\n",
			hydrate.CloneUnsafe, []string{"Zone north: same name in all namespaces"}},

		{"a host", objectYAML("networking.k8s.io/v1", "Ingress") + "spec: {rules: [{host: App.example}]}\n",
			hydrate.CloneUnsafe, []string{"Ingress web: host app.example"}},
		{"a host and a path", objectYAML("networking.k8s.io/v1", "Ingress") + "spec: {rules: [{host: app.example, http: {paths: [{path: /}, {path: /api/}]}}]}\n",
			hydrate.CloneUnsafe, []string{"Ingress web: host app.example", "Ingress web: host app.example, path /api"}},
		{"a path of its own on a shared host", objectYAML("networking.k8s.io/v1", "Ingress") + "spec: {rules: [{host: app.example, http: {paths: [{path: '/{{ .Release.Name }}'}]}}]}\n", hydrate.CloneSafe, nil},
		{"a host of its own", objectYAML("networking.k8s.io/v1", "Ingress") + "spec: {rules: [{host: '{{ .Release.Name }}.example'}]}\n", hydrate.CloneSafe, nil},
		{"a host of the namespace", objectYAML("networking.k8s.io/v1", "Ingress") + "spec: {rules: [{host: '{{ .Release.Namespace }}.example'}]}\n",
			hydrate.CloneNamespacedOnly, []string{"Ingress web: host default.example"}},
		{"no host means all", objectYAML("networking.k8s.io/v1", "Ingress") + "spec: {defaultBackend: {service: {name: a}}}\n",
			hydrate.CloneUnsafe, []string{"Ingress web: host *"}},
		{"a hostname of a gateway", objectYAML("gateway.networking.k8s.io/v1", "HTTPRoute") + "spec: {parentRefs: [{name: public, namespace: edge}], hostnames: [app.example]}\n",
			hydrate.CloneUnsafe, []string{"HTTPRoute web: host app.example"}},
		{"a hostname of a gateway of the namespace", objectYAML("gateway.networking.k8s.io/v1", "HTTPRoute") + "spec: {parentRefs: [{name: public}], hostnames: [app.example]}\n",
			hydrate.CloneNamespacedOnly, []string{"HTTPRoute web: host app.example"}},
		{"a gateway of the release's own", objectYAML("gateway.networking.k8s.io/v1", "HTTPRoute") + "spec: {parentRefs: [{name: '{{ .Release.Name }}'}], hostnames: [app.example]}\n", hydrate.CloneSafe, nil},

		{"a node port", objectYAML("v1", "Service") + "spec: {ports: [{port: 80, nodePort: 30080}, {port: 81}]}\n",
			hydrate.CloneUnsafe, []string{"Service web: node port 30080"}},
		{"addresses", objectYAML("v1", "Service") + "spec: {clusterIP: 10.0.0.9, externalIPs: [192.0.2.1], loadBalancerIP: 192.0.2.2, ports: [{port: 53, protocol: UDP}]}\n",
			hydrate.CloneUnsafe, []string{
				"Service web: cluster address 10.0.0.9",
				"Service web: external address 192.0.2.1, port 53/UDP",
				"Service web: load balancer address 192.0.2.2, port 53/UDP",
			}},
		{"a headless service has no address", objectYAML("v1", "Service") + "spec: {clusterIP: None, ports: [{port: 80}]}\n", hydrate.CloneSafe, nil},

		{"a host port", podYAML("containers: [{name: main, image: a, ports: [{containerPort: 80, hostPort: 8080}]}]"),
			hydrate.CloneUnsafe, []string{"Deployment web: host port 8080/TCP"}},
		{"a port of a container alone", podYAML("containers: [{name: main, image: a, ports: [{containerPort: 80}]}]"), hydrate.CloneSafe, nil},
		{"the network of the node", podYAML("hostNetwork: true", "containers: [{name: main, image: a, ports: [{containerPort: 80, protocol: UDP}]}]"),
			hydrate.CloneUnsafe, []string{"Deployment web: host port 80/UDP"}},
		{"a host port at an address, in an unknown kind", objectYAML("example.com/v1", "Fleet") +
			"spec: {pods: {containers: [{name: main, ports: [{containerPort: 80, hostPort: 80, hostIP: 192.0.2.1}]}]}}\n",
			hydrate.CloneUnsafe, []string{"Fleet web: host port 80/TCP at 192.0.2.1"}},

		{"a host path", podWithVolume("{path: /data/app/}", ""), hydrate.CloneUnsafe, []string{"Deployment web: host path /data/app"}},
		{"a host path of a type", podWithVolume("{path: /data/app, type: DirectoryOrCreate}", ""), hydrate.CloneUnsafe, []string{"Deployment web: host path /data/app"}},
		{"a host path of its own", podWithVolume("{path: '/data/{{ .Release.Name }}'}", ""), hydrate.CloneSafe, nil},
		{"a host path of the namespace", podWithVolume("{path: '/data/{{ .Release.Namespace }}'}", ""),
			hydrate.CloneNamespacedOnly, []string{"Deployment web: host path /data/default"}},
		{"a host path that is only read", podWithVolume("{path: /data/app}", ", readOnly: true"), hydrate.CloneSafe, nil},
		{"a device", podWithVolume("{path: /dev/kvm}", ""), hydrate.CloneSafe, nil},
		{"a socket by its type", podWithVolume("{path: /srv/agent, type: Socket}", ""), hydrate.CloneSafe, nil},
		{"a socket by its name", podWithVolume("{path: /var/run/docker.sock}", ""), hydrate.CloneSafe, nil},
		{"what only begins like a device", podWithVolume("{path: /device}", ""), hydrate.CloneUnsafe, []string{"Deployment web: host path /device"}},
		{"a way out of the common paths", podWithVolume("{path: /dev/../data}", ""), hydrate.CloneUnsafe, []string{"Deployment web: host path /data"}},
		{"a volume of the cluster", objectYAML("v1", "PersistentVolume") + "spec: {local: {path: /data/app}}\n",
			hydrate.CloneUnsafe, []string{"PersistentVolume web: host path /data/app"}},

		{"a service that finds the pods of both",
			objectYAML("v1", "Service") + "spec: {selector: {app: web, tier: front}}\n---\n" + objectYAML("apps/v1", "Deployment") +
				"spec: {template: {metadata: {labels: {app: web, tier: front, x: y}}, spec: {containers: [{name: a}]}}}\n",
			hydrate.CloneNamespacedOnly, []string{"Service web: Pods labeled app=web, tier=front"}},
		{"a service that finds its own pods",
			objectYAML("v1", "Service") + "spec: {selector: {app: '{{ .Release.Name }}'}}\n---\n" + objectYAML("apps/v1", "Deployment") +
				"spec: {template: {metadata: {labels: {app: '{{ .Release.Name }}'}}, spec: {containers: [{name: a}]}}}\n",
			hydrate.CloneSafe, nil},
		{"a service for Pods of another app", objectYAML("v1", "Service") + "spec: {selector: {app: database}}\n", hydrate.CloneSafe, nil},
		{"a service with the same name is listed once",
			"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {app: web}}\n---\n" + objectYAML("v1", "Pod") +
				"spec: {containers: [{name: a}]}\n---\n" + objectYAML("apps/v1", "Deployment") +
				"spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a}]}}}\n",
			hydrate.CloneNamespacedOnly, []string{"Service a: same name in all releases"}},

		{"what another namespace does not help against decides",
			"apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80, nodePort: 30080}]}\n",
			hydrate.CloneUnsafe, []string{"Service web: node port 30080", "Service web: same name in all releases"}},
		{"words in a ConfigMap claim nothing", objectYAML("v1", "ConfigMap") + "data: {containers: [{name: a, ports: [{hostPort: 80}]}]}\n", hydrate.CloneSafe, nil},
		{"a chart for one name only", "{{ if ne .Release.Name \"web\" }}{{ fail \"it must be web\" }}{{ end }}",
			hydrate.CloneUnsafe, []string{"Chart web: fails with another release name: templates/page.yaml:1: it must be web"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			got := analyzeClone(t, newTemplateChart(c.template))
			g.Expect(got.Verdict).To(Equal(c.verdict), "%q", got.Collisions)
			g.Expect(got.Collisions).To(HaveExactElements(c.collisions))
		})
	}
}

// TestCloneDefinitions shows that CRDs in crds/ do not collide, because Helm ignores those
// that exist, and that CRDs among the templates do, because they belong to the release.
func TestCloneDefinitions(t *testing.T) {
	g := NewWithT(t)
	const zone = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: zones.example.com}\n" +
		"spec: {group: example.com, scope: Cluster, names: {kind: Zone}}\n"
	const north = "apiVersion: example.com/v1\nkind: Zone\nmetadata: {name: north}\n"
	g.Expect(analyzeClone(t, newWebChart(map[string]string{"templates/page.yaml": "", "crds/zone.yaml": zone}))).
		To(HaveValue(HaveField("Verdict", hydrate.CloneSafe)))
	g.Expect(analyzeClone(t, newWebChart(map[string]string{"templates/page.yaml": north, "crds/zone.yaml": zone})).Collisions).
		To(HaveExactElements("Zone north: same name in all namespaces"))
	g.Expect(analyzeClone(t, newWebChart(map[string]string{"templates/page.yaml": "", "templates/crds/zone.yaml": zone})).Collisions).
		To(HaveExactElements("CustomResourceDefinition zones.example.com: same name in all namespaces"))
}

func TestCloneOfUnits(t *testing.T) {
	g := NewWithT(t)
	const chart = "apiVersion: v2\nversion: 1.0.0\nname: "
	got := analyzeClone(t, newWebChart(map[string]string{
		"OlaresManifest.yaml":     literal + "spec: {subCharts: [{name: web}, {name: server}]}\noptions: {allowMultipleInstall: true}\n",
		"web/Chart.yaml":          chart + "web\n",
		"web/templates/a.yaml":    objectYAML("v1", "Service"),
		"server/Chart.yaml":       chart + "server\n",
		"server/templates/a.yaml": objectYAML("v1", "Service") + "---\n" + "apiVersion: v1\nkind: Secret\nmetadata: {name: both}\n",
	}))
	g.Expect(got).To(Equal(&hydrate.CloneSafety{
		Verdict: hydrate.CloneNamespacedOnly, Collisions: []string{"Secret both: same name in all releases"},
	}))
}

// TestCloneOfAnAppThatHasASharedUnit shows that shared units do not prevent a clone.
func TestCloneOfAnAppThatHasASharedUnit(t *testing.T) {
	g := NewWithT(t)
	const chart = "apiVersion: v2\nversion: 1.0.0\nname: "
	got := analyzeClone(t, newWebChart(map[string]string{
		"OlaresManifest.yaml":     literal + "spec: {subCharts: [{name: web}, {name: server, shared: true}]}\noptions: {allowMultipleInstall: true}\n",
		"web/Chart.yaml":          chart + "web\n",
		"web/templates/a.yaml":    objectYAML("v1", "Service"),
		"server/Chart.yaml":       chart + "server\n",
		"server/templates/a.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: one-for-all}\n",
	}))
	g.Expect(got).To(Equal(&hydrate.CloneSafety{Verdict: hydrate.CloneSafe}))
}

// TestCloneIsJudgedWhereAllowed shows for which apps the second instance is rendered.
func TestCloneIsJudgedWhereAllowed(t *testing.T) {
	for _, c := range []struct {
		why      string
		manifest string
		judged   bool
	}{
		{"a plain chart", "", true},
		{"an app that may be installed once", literal, false},
		{"an app that may be installed again", literal + "options: {allowMultipleInstall: true}\n", true},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			files := newWebChart(nil)
			if c.manifest != "" {
				files = newWebChart(map[string]string{"OlaresManifest.yaml": c.manifest})
			}
			d := applyCustomParams(t, nil, files)
			counting := &counter{}
			g.Expect(hydrate.CustomParams{Renderer: counting}.Apply(t.Context(), d)).To(Succeed())
			g.Expect(d.Clone != nil).To(Equal(c.judged))
			g.Expect(counting.orders).To(HaveLen(map[bool]int{true: 1}[c.judged]), "what RenderedChart rendered is the first instance")
		})
	}
}

// counter is a renderer that records its calls.
type counter struct{ orders []hydrate.RenderInput }

func (c *counter) Render(ctx context.Context, in hydrate.RenderInput) (hydrate.Rendered, error) {
	c.orders = append(c.orders, in)
	return render.Engine{}.Render(ctx, in)
}

// TestCloneSeesTheParameters shows that the files are judged after parameters are merged
// in.
func TestCloneSeesTheParameters(t *testing.T) {
	g := NewWithT(t)
	files := newWebChart(map[string]string{
		"templates/page.yaml": objectYAML("v1", "Service") + "spec: {ports: [{port: 80, nodePort: {{ .Values.port }}}]}\n",
		"values.yaml":         "port: 0\n",
	})
	g.Expect(analyzeClone(t, files).Verdict).To(Equal(hydrate.CloneSafe))
	d := applyCustomParams(t, map[string]any{"port": 30080}, files)
	g.Expect(customizing.Apply(t.Context(), d)).To(Succeed())
	g.Expect(d.Clone.Collisions).To(HaveExactElements("Service web: node port 30080"))
}

// failing is a renderer that returns an error.
type failing struct{ err error }

func (f failing) Render(context.Context, hydrate.RenderInput) (hydrate.Rendered, error) {
	return hydrate.Rendered{}, f.err
}

func TestCloneWithoutARenderer(t *testing.T) {
	g := NewWithT(t)
	d := applyCustomParams(t, nil, newWebChart(nil))
	before := *d
	down := errors.New("no worker")
	g.Expect(hydrate.CustomParams{Renderer: failing{down}}.Apply(t.Context(), d)).To(MatchError(down))
	g.Expect(*d).To(Equal(before), "the draft is as it was")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stopped := failing{outcome.Stalled(v1alpha1.ReasonRenderFailed, down)}
	g.Expect(hydrate.CustomParams{Renderer: stopped}.Apply(ctx, d)).To(MatchError(down), "what failed because time is up is no verdict")
}
