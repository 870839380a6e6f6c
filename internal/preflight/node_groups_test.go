package preflight_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
)

func TestNodeGroups(t *testing.T) {
	const (
		selector = "      nodeSelector: {disk: ssd}\n"
	)
	requires := func(requirement string) string {
		return "      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [" + requirement + "]}}}\n"
	}
	labels := func(key string, values ...string) preflight.NodeGroup {
		return preflight.NodeGroup{Labels: map[string][]string{key: values}}
	}
	limits := func(text string) preflight.NodeGroup { return preflight.NodeGroup{Limits: parseResources(text)} }
	tainted := preflight.NodeGroup{Taints: []corev1.Taint{{Key: "edge", Effect: corev1.TaintEffectNoSchedule}}}
	insufficient := func(words ...string) []want {
		return []want{{v1alpha1.ReasonInsufficientResources, true, words}}
	}
	unschedulable := func(words ...string) []want { return []want{{v1alpha1.ReasonUnschedulable, true, words}} }
	mismatch := []want{{v1alpha1.ReasonArchitectureMismatch, true, []string{"arm64", "amd64"}}}
	for _, c := range []struct {
		why    string
		text   string
		groups []preflight.NodeGroup
		change func(*preflight.Request)
		wants  []want
	}{
		{"no group", deploymentYAML("web", "cpu: 9", ""), nil, nil, insufficient("9 CPU")},
		{"any node can be created", deploymentYAML("web", "cpu: 9, nvidia.com/gpu: 1", selector), []preflight.NodeGroup{{}}, nil, nil},
		{"for a daemon set", daemonSet("") + "      nodeSelector: {kubernetes.io/hostname: n1}\n", []preflight.NodeGroup{{}}, nil, nil},
		{"a node with a name is not created", deploymentYAML("web", "", "      nodeName: n9\n"), []preflight.NodeGroup{{}}, nil, unschedulable("n9")},
		{"nor a node that is selected by its name", deploymentYAML("web", "", requires("{matchFields: [{key: metadata.name, operator: In, values: [n9]}]}")),
			[]preflight.NodeGroup{{}}, nil, unschedulable("n9")},
		{"an affinity that is wrong", deploymentYAML("web", "", requires("{matchExpressions: [{key: disk, operator: Like}]}")),
			[]preflight.NodeGroup{{}}, nil, unschedulable("affinity")},
		{"within the limit", deploymentYAML("web", "cpu: 9", ""), []preflight.NodeGroup{limits("cpu=9")}, nil, nil},
		{"over the limit", deploymentYAML("web", "cpu: 9", ""), []preflight.NodeGroup{limits("cpu=8")}, nil, insufficient("9 CPU")},
		{"a limit of another resource", deploymentYAML("web", "cpu: 9", ""), []preflight.NodeGroup{limits("nvidia.com/gpu=0")}, nil, nil},
		{"one of two groups", deploymentYAML("web", "cpu: 9", ""), []preflight.NodeGroup{limits("cpu=8"), limits("cpu=9")}, nil, nil},
		{"all Pods within the limit and the nodes", deploymentYAML("web", "cpu: 3", "") + "\n---\n" + deploymentYAML("api", "cpu: 3", ""),
			[]preflight.NodeGroup{limits("cpu=3")}, nil, nil},
		{"all Pods over them", deploymentYAML("web", "cpu: 3", "") + "\n---\n" + deploymentYAML("api", "cpu: 3", "") + "\n---\n" + deploymentYAML("db", "cpu: 2", ""),
			[]preflight.NodeGroup{limits("cpu=3")}, nil, insufficient("8 CPU", "7 of 7")},
		{"the manifest requires more than one node", deploymentYAML("web", "", ""), []preflight.NodeGroup{{}},
			func(r *preflight.Request) { r.CPU = "100" }, nil},
		{"a taint", deploymentYAML("web", "", selector), []preflight.NodeGroup{tainted}, nil, unschedulable("disk=ssd")},
		{"a taint that is tolerated", deploymentYAML("web", "", selector+"      tolerations: [{key: edge, operator: Exists}]\n"), []preflight.NodeGroup{tainted}, nil, nil},
		{"a possible label", deploymentYAML("web", "", selector), []preflight.NodeGroup{labels("disk", "hdd", "ssd")}, nil, nil},
		{"an impossible label", deploymentYAML("web", "", selector), []preflight.NodeGroup{labels("disk", "hdd")}, nil, unschedulable("disk=ssd")},
		{"In", deploymentYAML("web", "", requires("{matchExpressions: [{key: disk, operator: In, values: [ssd]}]}")), []preflight.NodeGroup{labels("disk", "hdd", "ssd")}, nil, nil},
		{"In, impossible", deploymentYAML("web", "", requires("{matchExpressions: [{key: disk, operator: In, values: [ssd]}]}")),
			[]preflight.NodeGroup{labels("disk", "hdd")}, nil, unschedulable("disk In (ssd)")},
		{"one of two terms", deploymentYAML("web", "", requires("{matchExpressions: [{key: disk, operator: In, values: [ssd]}]}, {matchExpressions: [{key: disk, operator: Exists}]}")),
			[]preflight.NodeGroup{labels("disk", "hdd")}, nil, nil},
		{"NotIn, impossible", deploymentYAML("web", "", requires("{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [n9]}, {key: disk, operator: NotIn, values: [hdd, ssd]}]}")),
			[]preflight.NodeGroup{labels("disk", "hdd", "ssd")}, nil, unschedulable("disk NotIn")},
		{"DoesNotExist, impossible", deploymentYAML("web", "", requires("{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [n9]}, {key: disk, operator: DoesNotExist}]}")),
			[]preflight.NodeGroup{labels("disk", "hdd")}, nil, unschedulable("no label disk")},
		{"an architecture of the app", deploymentYAML("web", "", ""), []preflight.NodeGroup{labels(corev1.LabelArchStable, "amd64", "arm64")},
			func(r *preflight.Request) { r.Architectures = []string{"arm64"} }, nil},
		{"another architecture than the app", deploymentYAML("web", "", ""), []preflight.NodeGroup{labels(corev1.LabelArchStable, "amd64")},
			func(r *preflight.Request) { r.Architectures = []string{"arm64"} }, mismatch},
		{"an architecture of the image", deploymentYAML("web", "", ""), []preflight.NodeGroup{labels(corev1.LabelArchStable, "arm64")}, builtForARM, nil},
		{"another architecture than the image", deploymentYAML("web", "", ""), []preflight.NodeGroup{labels(corev1.LabelArchStable, "amd64")}, builtForARM, mismatch},
		{"nodes with enough resources for another architecture", deploymentYAML("web", "cpu: 9", ""), []preflight.NodeGroup{labels(corev1.LabelArchStable, "s390x")},
			func(r *preflight.Request) {
				r.Platforms = map[string][]string{"docker.io/library/nginx:latest": {"linux/amd64"}}
			}, insufficient("9 CPU")},
	} {
		request, facts := newRequest(c.text), newFacts(newNode("n1", "cpu=4 memory=8Gi"))
		facts.NodeGroups = c.groups
		if c.change != nil {
			c.change(&request)
		}
		expectProblems(t, c.why, checkRequest(t, request, facts), c.wants...)
	}
}

func builtForARM(r *preflight.Request) {
	r.Platforms = map[string][]string{"docker.io/library/nginx:latest": {"linux/arm64"}}
}

// TestHardProblemsRemain checks that new nodes do not solve problems that are not about nodes.
func TestHardProblemsRemain(t *testing.T) {
	facts := newFacts(newNode("n1", "cpu=4"))
	facts.NodeGroups = []preflight.NodeGroup{{}}
	text := "apiVersion: example.com/v1\nkind: Strange\nmetadata: {name: a}"
	expectProblems(t, "a kind", checkRequest(t, newRequest(text), facts), want{v1alpha1.ReasonNoKindMatch, false, []string{"Strange"}})
}
