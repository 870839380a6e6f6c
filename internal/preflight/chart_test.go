package preflight_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
)

func TestKubernetesVersion(t *testing.T) {
	for _, c := range []struct {
		why, constraint, version string
		ok                       bool
	}{
		{"no constraint", "", "v1.36.1", true},
		{"met", ">=1.30.0", "v1.36.1", true},
		{"too old", ">=1.37.0", "v1.36.1", false},
		{"a build of a vendor counts as earlier, as for Helm", ">=1.36.1", "v1.36.1-eks-1", false},
		{"a build of a vendor that is allowed", ">=1.30.0-0", "v1.36.1-eks-1", true},
		{"what cannot be read is refused by Helm too", "newest", "v1.36.1", false},
		{"the version is unknown", ">=1.37.0", "", true},
	} {
		w, f := newRequest(""), newFacts()
		w.Units[0].KubeVersion, f.Version = c.constraint, c.version
		var wants []want
		if !c.ok {
			wants = []want{{v1alpha1.ReasonIncompatibleKubernetes, true, []string{`chart "web"`, c.constraint, c.version}}}
		}
		expectProblems(t, c.why, checkRequest(t, w, f), wants...)
	}
}

const (
	crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: routes.traefik.io}\n" +
		"spec: {group: traefik.io, scope: Namespaced, names: {kind: Route, plural: routes}, versions: [{name: v1, served: true}, {name: v0, served: false}]}"
	route = "apiVersion: traefik.io/v1\nkind: Route\nmetadata: {name: web}"
)

func TestKinds(t *testing.T) {
	in := func(path string, docs ...string) preflight.Unit {
		all := ""
		for _, doc := range docs {
			all += doc + "\n---\n"
		}
		return newUnit("web", path, all)
	}
	const templates, early, own = "web/templates/a.yaml", "web/crds/a.yaml", "web/templates/crds/a.yaml"
	absent := func(words ...string) []want { return []want{{v1alpha1.ReasonNoKindMatch, false, words}} }
	never := func(words ...string) []want { return []want{{v1alpha1.ReasonNoKindMatch, true, words}} }
	for _, c := range []struct {
		why   string
		units []preflight.Unit
		wants []want
	}{
		{"known kinds", []preflight.Unit{in(templates, deploymentYAML("web", "", ""))}, nil},
		{"an unknown kind", []preflight.Unit{in(templates, route)}, absent("Route/web:", `no matches for kind "Route" in version "traefik.io/v1"; install the operator`)},
		{"reported once", []preflight.Unit{in(templates, route, route, route)}, absent("Route/web and 2 other objects")},
		{"in a list", []preflight.Unit{in(templates, "kind: List\napiVersion: v1\nitems: [{apiVersion: a.b/v1, kind: Strange, metadata: {name: x}}]")}, absent("Strange/x")},
		{"in a typed list", []preflight.Unit{in(templates, "kind: StrangeList\napiVersion: a.b/v1\nitems: [{metadata: {name: x}}]")}, absent("Strange/x")},
		{"a removed kind", []preflight.Unit{in(templates, "apiVersion: autoscaling/v2beta2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}")},
			never("HorizontalPodAutoscaler/web", "Kubernetes 1.26 removed", "autoscaling/v2")},
		{"a removed kind without successor", []preflight.Unit{in(templates, "apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata: {name: web}")},
			never("PodSecurityPolicy/web", "without a replacement")},
		{"its CRD is in the folder", []preflight.Unit{in(early, crd), in(templates, route)}, nil},
		{"its CRD is in a folder of a later chart", []preflight.Unit{in(templates, route), in(early, crd)}, never("Route/web")},
		{"its CRD is in a chart before", []preflight.Unit{in(templates, crd), in(templates, route)}, nil},
		{"its CRD is a template of the same chart", []preflight.Unit{in(templates, crd, route)}, never("CustomResourceDefinition/routes.traefik.io", "crds/")},
		{"its CRD is a template in a folder of that name", []preflight.Unit{in(own, crd, route)}, never("crds/")},
		{"a hook comes after the templates", []preflight.Unit{in(templates, crd, "apiVersion: traefik.io/v1\nkind: Route\nmetadata: {name: web, annotations: {helm.sh/hook: post-install}}")}, nil},
		{"a version that its CRD does not serve", []preflight.Unit{in(early, crd), in(templates, "apiVersion: traefik.io/v0\nkind: Route\nmetadata: {name: web}")}, absent("traefik.io/v0")},
	} {
		w := newRequest("")
		w.Units = c.units
		expectProblems(t, c.why, checkRequest(t, w, newFacts()), c.wants...)
	}
}

func TestKindsOfAnUpgrade(t *testing.T) {
	g := NewWithT(t)
	w := newRequest("")
	w.Units = []preflight.Unit{newUnit("web", "web/crds/a.yaml", crd)}
	w.Units[0].Documents = append(w.Units[0].Documents, newUnit("web", "web/templates/a.yaml", route).Documents...)
	expectProblems(t, "Helm makes the CRD first", checkRequest(t, w, newFacts()))
	w.Units[0].Deployed = true
	expectProblems(t, "Helm does not touch the folder", checkRequest(t, w, newFacts()), want{v1alpha1.ReasonNoKindMatch, false, []string{"Route/web", "Helm applies the folder crds/ of the chart only when it installs the chart; apply CustomResourceDefinition/routes.traefik.io first"}})
	f := newFacts()
	f.Kinds[schema.FromAPIVersionAndKind("traefik.io/v1", "Route")] = preflight.Kind{Resource: "routes", Namespaced: true}
	expectProblems(t, "the CRD is there", checkRequest(t, w, f))
	g.Expect(needsOf(t, w, f)).NotTo(ContainElement(ContainSubstring("customresourcedefinitions")))
}

func TestKindsListsEachOnce(t *testing.T) {
	g := NewWithT(t)
	requirements, err := preflight.ParseRequest(newRequest(route + "\n---\n" + route + "\n---\n" + deploymentYAML("web", "", "")))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(requirements.Kinds()).To(Equal([]schema.GroupVersionKind{
		{Group: "apps", Version: "v1", Kind: "Deployment"}, {Group: "traefik.io", Version: "v1", Kind: "Route"},
	}))
}

func TestStorage(t *testing.T) {
	claim := func(spec string) string {
		return "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {" + spec + "}"
	}
	set := "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {replicas: 2, template: {spec: {containers: [{name: a}]}}, volumeClaimTemplates: [{metadata: {name: disk}, spec: {storageClassName: none}}]}"
	missing := func(words ...string) []want { return []want{{v1alpha1.ReasonStorageClassNotFound, false, words}} }
	without := func(f *preflight.Facts) { f.DefaultClass = "" }
	for _, c := range []struct {
		why    string
		text   string
		change func(*preflight.Facts)
		wants  []want
	}{
		{"the default class", claim(""), nil, nil},
		{"no default class", claim("") + "\n---\n" + claim(""), without, missing("PersistentVolumeClaim/data", "default", "fast, slow")},
		{"no class at all", claim("storageClassName: fast"), func(f *preflight.Facts) { f.StorageClasses = nil }, missing(`"fast"`, "another StorageClass (none)")},
		{"volumes without a class that are free", claim(""), func(f *preflight.Facts) { f.DefaultClass, f.VolumeClasses = "", []string{""} }, nil},
		{"a class that is there", claim("storageClassName: fast"), without, nil},
		{"a class that is not", claim("storageClassName: nvme"), nil, missing("PersistentVolumeClaim/data", `"nvme"`, "fast, slow")},
		{"a class in the old annotation", "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data, annotations: {volume.beta.kubernetes.io/storage-class: nvme}}", nil, missing(`"nvme"`)},
		{"no class on purpose", claim("storageClassName: ''"), without, nil},
		{"a volume that is named", claim("storageClassName: nvme, volumeName: pv"), nil, nil},
		{"volumes of a class that are free", claim("storageClassName: nvme"), func(f *preflight.Facts) { f.VolumeClasses = []string{"nvme"} }, nil},
		{"a volume that the app brings", claim("storageClassName: nvme") + "\n---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {name: pv}\nspec: {storageClassName: nvme}", nil, nil},
		{"a class that the app brings", claim("storageClassName: nvme") + "\n---\napiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: nvme}", nil, nil},
		{"a template of a stateful set", set, nil, missing("volumeClaimTemplate disk of StatefulSet/db", `"none"`)},
	} {
		f := newFacts()
		if c.change != nil {
			c.change(f)
		}
		expectProblems(t, c.why, checkRequest(t, newRequest(c.text), f), c.wants...)
	}

	w := newRequest(claim("storageClassName: nvme"))
	w.Replaces = true
	expectProblems(t, "an app in place of itself, whose volume is bound", checkRequest(t, w, newFacts()))
}

func TestPodSecurity(t *testing.T) {
	const (
		hostPath  = "      volumes: [{name: data, hostPath: {path: /data}}]\n"
		elsewhere = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: other}\nspec: {hostNetwork: true, containers: [{name: a}]}"
	)
	for _, c := range []struct {
		why, level, version, text string
		wants                     []want
	}{
		{"no level", "", "", deploymentYAML("web", "", hostPath), nil},
		{"privileged", "privileged", "", deploymentYAML("web", "", hostPath), nil},
		{"baseline, and nothing special", "baseline", "", deploymentYAML("web", "", ""), nil},
		{"baseline, and a path of the host", "baseline", "v1.30", deploymentYAML("web", "", hostPath),
			[]want{{v1alpha1.ReasonPodSecurityViolation, true, []string{"Deployment/web", `violates PodSecurity "baseline:v1.30"`, `namespace "team"`, "data", "pod-security.kubernetes.io/enforce"}}}},
		{"restricted, and nothing said", "restricted", "latest", deploymentYAML("web", "", ""),
			[]want{{v1alpha1.ReasonPodSecurityViolation, true, []string{"restricted", "runAsNonRoot"}}}},
		{"a level that cannot be read is the strictest", "strict", "", deploymentYAML("web", "", ""),
			[]want{{v1alpha1.ReasonPodSecurityViolation, true, []string{"restricted"}}}},
		{"a pod of another namespace", "restricted", "", elsewhere, nil},
	} {
		f := newFacts()
		f.NamespaceLabels = map[string]string{"pod-security.kubernetes.io/enforce": c.level}
		if c.level == "" {
			f.NamespaceLabels = nil
		}
		if c.version != "" {
			f.NamespaceLabels["pod-security.kubernetes.io/enforce-version"] = c.version
		}
		expectProblems(t, c.why, checkRequest(t, newRequest(c.text), f), c.wants...)
	}
}
