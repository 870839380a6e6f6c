package preflight_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
)

func withLabel(key, value string) func(*preflight.Node) {
	return func(n *preflight.Node) { n.Labels[key] = value }
}

func withTaint(key string, effect corev1.TaintEffect) func(*preflight.Node) {
	return func(n *preflight.Node) { n.Taints = append(n.Taints, corev1.Taint{Key: key, Effect: effect}) }
}

func withUsage(text string) func(*preflight.Node) {
	return func(n *preflight.Node) { n.Requested = parseResources(text) }
}

func makeCordoned(n *preflight.Node) {
	n.Unschedulable = true
	withTaint(corev1.TaintNodeUnschedulable, corev1.TaintEffectNoSchedule)(n)
}

func makeUnready(n *preflight.Node) {
	n.Ready = false
	withTaint(corev1.TaintNodeNotReady, corev1.TaintEffectNoExecute)(n)
}

func daemonSet(more string) string {
	return "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: agent}\nspec:\n  template:\n    spec:\n" +
		"      containers: [{name: app, resources: {requests: {cpu: 2}}}]\n" + more
}

func TestNodesForAPod(t *testing.T) {
	const (
		selector = "      nodeSelector: {disk: ssd}\n"
		affinity = "      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: gpu, operator: In, values: ['true', 'yes']}]}]}}}\n"
		invalid  = "      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: gpu, operator: Like}]}]}}}\n"
		tolerant = "      tolerations: [{key: edge, operator: Exists}]\n"
	)
	n := func(change ...func(*preflight.Node)) preflight.Node { return newNode("n1", "cpu=4", change...) }
	unschedulable := func(final bool, words ...string) []want {
		return []want{{v1alpha1.ReasonUnschedulable, final, append(words, "web")}}
	}
	for _, c := range []struct {
		why   string
		text  string
		nodes []preflight.Node
		wants []want
	}{
		{"no requirements", deploymentYAML("web", "", ""), []preflight.Node{n()}, nil},
		{"no node is known", deploymentYAML("web", "cpu: 900", selector), nil, nil},
		{"a label that a node has", deploymentYAML("web", "", selector), []preflight.Node{n(), newNode("n2", "cpu=4", withLabel("disk", "ssd"))}, nil},
		{"a label that no node has", deploymentYAML("web", "", selector), []preflight.Node{n(withLabel("disk", "hdd"))}, unschedulable(true, "disk=ssd")},
		{"an affinity that a node meets", deploymentYAML("web", "", affinity), []preflight.Node{n(withLabel("gpu", "yes"))}, nil},
		{"an affinity that no node meets", deploymentYAML("web", "", affinity), []preflight.Node{n(withLabel("gpu", "no"))}, unschedulable(true, "gpu In (true, yes)")},
		{"an affinity that is wrong", deploymentYAML("web", "", invalid), []preflight.Node{n(withLabel("gpu", "no"))}, unschedulable(true, "affinity")},
		{"the name of a node that is there", deploymentYAML("web", "", "      nodeName: n1\n"), []preflight.Node{n()}, nil},
		{"the name of a node that is not", deploymentYAML("web", "", "      nodeName: n9\n"), []preflight.Node{n()}, unschedulable(true, "n9")},
		{"the name of a node that is cordoned and repels", deploymentYAML("web", "", "      nodeName: n1\n"),
			[]preflight.Node{n(makeCordoned, withTaint("edge", corev1.TaintEffectNoSchedule))}, nil},
		{"the name of a node that evicts", deploymentYAML("web", "", "      nodeName: n1\n"),
			[]preflight.Node{n(withTaint("edge", corev1.TaintEffectNoExecute))}, unschedulable(true, "edge:NoExecute")},
		{"the name of a node that is not ready", deploymentYAML("web", "", "      nodeName: n1\n"), []preflight.Node{n(makeUnready)}, unschedulable(false, "n1")},
		{"room on a cordoned node is not of the others", deploymentYAML("web", "cpu: 3", "      nodeName: n1\n") + "\n---\n" + deploymentYAML("api", "cpu: 3", ""),
			[]preflight.Node{n(makeCordoned), newNode("n2", "cpu=4")}, nil},
		{"a taint", deploymentYAML("web", "", ""), []preflight.Node{n(withTaint("edge", corev1.TaintEffectNoSchedule))}, unschedulable(true, "edge:NoSchedule", "node n1")},
		{"a taint that is tolerated", deploymentYAML("web", "", tolerant), []preflight.Node{n(withTaint("edge", corev1.TaintEffectNoSchedule))}, nil},
		{"a taint that is only preferred", deploymentYAML("web", "", ""), []preflight.Node{n(withTaint("edge", corev1.TaintEffectPreferNoSchedule))}, nil},
		{"a cordoned node", deploymentYAML("web", "", ""), []preflight.Node{n(makeCordoned)}, unschedulable(false, "n1")},
		{"a node that is not ready", deploymentYAML("web", "", ""), []preflight.Node{n(makeUnready)}, unschedulable(false, "n1")},
		{"one of two nodes is ready", deploymentYAML("web", "", ""), []preflight.Node{n(makeUnready), newNode("n2", "cpu=1")}, nil},
		{"a daemon set without nodes", daemonSet(selector), []preflight.Node{n()}, nil},
		{"a cron job", "kind: CronJob\napiVersion: batch/v1\nmetadata: {name: web}\nspec: {jobTemplate: {spec: {template: {spec: {nodeSelector: {disk: ssd}, containers: [{name: a}]}}}}}",
			[]preflight.Node{n()}, unschedulable(true, "CronJob/web")},
	} {
		expectProblems(t, c.why, checkRequest(t, newRequest(c.text), newFacts(c.nodes...)), c.wants...)
	}
}

func TestRoomForAPod(t *testing.T) {
	short := func(final bool, words ...string) []want {
		return []want{{v1alpha1.ReasonInsufficientResources, final, words}}
	}
	const both = "cpu: 2, memory: 2Gi"
	for _, c := range []struct {
		why   string
		text  string
		nodes []preflight.Node
		wants []want
	}{
		{"as much as there is", deploymentYAML("web", both, ""), []preflight.Node{newNode("n1", "cpu=2 memory=2Gi")}, nil},
		{"a device that no node has", deploymentYAML("web", "nvidia.com/gpu: 1", ""), []preflight.Node{newNode("n1", "cpu=2")},
			short(true, "Deployment/web", "1 nvidia.com/gpu", "no node provides it")},
		{"a device that is only limited", deploymentYAML("web", "", "      initContainers: [{name: a, resources: {limits: {nvidia.com/gpumem: 8}}}]\n"),
			[]preflight.Node{newNode("n1", "cpu=2")}, short(true, "8 nvidia.com/gpumem")},
		{"a device of a node that may not take it", deploymentYAML("web", "nvidia.com/gpu: 1", "      nodeSelector: {a: b}\n"),
			[]preflight.Node{newNode("n1", "cpu=2", withLabel("a", "b")), newNode("n2", "cpu=2 nvidia.com/gpu=4")}, short(true, "such as n2, provide it")},
		{"a device that is in use", deploymentYAML("web", "nvidia.com/gpu: 1", ""),
			[]preflight.Node{newNode("n1", "cpu=2 nvidia.com/gpu=1", withUsage("nvidia.com/gpu=1"))},
			short(false, "n1", "0 nvidia.com/gpu of 1")},
		{"a part of a device, which nodes do not count", deploymentYAML("web", "nvidia.com/gpu: 1, nvidia.com/gpumem: 8000", ""),
			[]preflight.Node{newNode("n1", "cpu=2"), newNode("n2", "cpu=2 nvidia.com/gpu=10")}, nil},
		{"a part of a device that is in use", deploymentYAML("web", "nvidia.com/gpu: 1, nvidia.com/gpumem: 8000", ""),
			[]preflight.Node{newNode("n1", "cpu=2 nvidia.com/gpu=1", withUsage("nvidia.com/gpu=1"))}, short(false, "requests 1 nvidia.com/gpu, but", "n1")},
		{"a part of a device that no node has left", deploymentYAML("web", "nvidia.com/gpumem: 8000", ""),
			[]preflight.Node{newNode("n1", "cpu=2 nvidia.com/gpu=0")}, short(true, "nvidia.com/gpumem", "no node provides it")},
		{"a part of a device of another domain", deploymentYAML("web", "amd.com/gpumem: 8000", ""),
			[]preflight.Node{newNode("n1", "cpu=2 nvidia.com/gpu=1")}, short(true, "amd.com/gpumem")},
		{"a part of a device of a node that may not take it", deploymentYAML("web", "nvidia.com/gpumem: 8000", "      nodeSelector: {a: b}\n"),
			[]preflight.Node{newNode("n1", "cpu=2", withLabel("a", "b")), newNode("n2", "cpu=2 nvidia.com/gpu=4")}, short(true, "nvidia.com/gpumem")},
		{"more than any node is", deploymentYAML("web", both, ""), []preflight.Node{newNode("n1", "cpu=1 memory=4Gi"), newNode("n2", "cpu=4 memory=1Gi")},
			short(true, "2 CPU", "n1", "1 CPU of 1")},
		{"more than the best node has left", deploymentYAML("web", both, ""), []preflight.Node{
			newNode("n1", "cpu=4 memory=8Gi", withUsage("cpu=3500m memory=7Gi")), newNode("n2", "cpu=4 memory=8Gi", withUsage("cpu=2500m")),
		}, short(false, "2 CPU", "n2", "1500m CPU of 4")},
		{"a common resource that a node does not say", deploymentYAML("web", "ephemeral-storage: 1Gi", ""), []preflight.Node{newNode("n1", "cpu=2")},
			short(true, "1Gi ephemeral storage", "of 0;")},
		{"no place for a pod", deploymentYAML("web", "", ""), []preflight.Node{newNode("n1", "cpu=4", withUsage("pods=110"))},
			short(false, "n1", "of 110")},
		{"containers and the largest init container", deploymentYAML("web", "cpu: 1", "      initContainers: [{name: a, resources: {requests: {cpu: 2}}}, {name: b, resources: {requests: {cpu: 3}}}]\n"),
			[]preflight.Node{newNode("n1", "cpu=3")}, nil},
		{"a sidecar runs with the other containers", deploymentYAML("web", "cpu: 1", "      initContainers: [{name: a, restartPolicy: Always, resources: {requests: {cpu: 1}}}, {name: b, resources: {requests: {cpu: 3}}}]\n"),
			[]preflight.Node{newNode("n1", "cpu=3")}, short(true, "4 CPU")},
		{"a daemon set on a full node", daemonSet(""), []preflight.Node{newNode("n1", "cpu=4"), newNode("n2", "cpu=4", withUsage("cpu=3"))},
			short(false, "DaemonSet/agent", "node n2, one of 1 node without enough resources")},
	} {
		expectProblems(t, c.why, checkRequest(t, newRequest(c.text), newFacts(c.nodes...)), c.wants...)
	}
}

func TestRoomForAll(t *testing.T) {
	two := []preflight.Node{newNode("n1", "cpu=4 memory=8Gi"), newNode("n2", "cpu=4 memory=8Gi", withUsage("cpu=1"))}
	three := deploymentYAML("web", "cpu: 2", "") + "\n---\n" + deploymentYAML("api", "cpu: 2", "") + "\n---\n" + deploymentYAML("db", "cpu: 3", "")
	cronJob := "\n---\nkind: CronJob\napiVersion: batch/v1\nmetadata: {name: c}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, resources: {requests: {cpu: 3}}}]}}}}}"
	for _, c := range []struct {
		why    string
		text   string
		change func(*preflight.Request, *preflight.Facts)
		wants  []want
	}{
		{"all fit", three, nil, nil},
		{"what comes later does not count", three + cronJob, nil, nil},
		{"too much together", three + "\n---\n" + deploymentYAML("more", "cpu: 1", ""), nil,
			[]want{{v1alpha1.ReasonInsufficientResources, false, []string{"8 CPU", "7 of 8"}}}},
		{"more than there is", three + "\n---\n" + deploymentYAML("more", "cpu: 2", ""), nil,
			[]want{{v1alpha1.ReasonInsufficientResources, true, []string{"9 CPU"}}}},
		{"an app in place of itself", three + "\n---\n" + deploymentYAML("more", "cpu: 1", ""),
			func(w *preflight.Request, _ *preflight.Facts) { w.Replaces = true }, nil},
		{"nodes that are created on demand", deploymentYAML("web", "cpu: 900", ""),
			func(_ *preflight.Request, f *preflight.Facts) { f.NodeGroups = []preflight.NodeGroup{{}} }, nil},
		{"what the app says of itself", deploymentYAML("web", "cpu: 1", ""),
			func(w *preflight.Request, _ *preflight.Facts) { w.CPU, w.Memory = "7500m", "20Gi" },
			[]want{
				{v1alpha1.ReasonInsufficientResources, false, []string{"the manifest of the app requires 7500m CPU"}},
				{v1alpha1.ReasonInsufficientResources, true, []string{"the manifest of the app requires 20Gi memory", "16Gi"}},
			}},
		{"what it says and cannot be read", deploymentYAML("web", "cpu: 1", ""),
			func(w *preflight.Request, _ *preflight.Facts) { w.CPU, w.Memory = "much", "" }, nil},
		{"defaults of the namespace", deploymentYAML("web", "", ""),
			func(_ *preflight.Request, f *preflight.Facts) {
				f.Limits = []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, DefaultRequest: parseResources("cpu=5")}}
			},
			[]want{{v1alpha1.ReasonInsufficientResources, true, []string{"5 CPU"}}}},
	} {
		w, f := newRequest(c.text), newFacts(two...)
		if c.change != nil {
			c.change(&w, f)
		}
		expectProblems(t, c.why, checkRequest(t, w, f), c.wants...)
	}
}

func TestArchitecture(t *testing.T) {
	arm := func(n *preflight.Node) { n.Architecture = "arm64"; n.Labels[corev1.LabelArchStable] = "arm64" }
	amd64, arm64 := newNode("n1", "cpu=4"), newNode("n2", "cpu=4", arm)
	for _, c := range []struct {
		why       string
		more      string
		platforms []string
		says      []string
		nodes     []preflight.Node
		wants     []want
	}{
		{"built for the nodes", "", []string{"linux/amd64", "linux/arm64/v8"}, nil, []preflight.Node{arm64}, nil},
		{"not built for them", "", []string{"linux/arm64/v8", "linux/arm64", "linux/s390x"}, nil, []preflight.Node{amd64},
			[]want{{v1alpha1.ReasonArchitectureMismatch, true, []string{"Deployment/web", "docker.io/library/nginx:latest", "arm64, s390x", "amd64"}}}},
		{"built for some of them", "", []string{"linux/arm64"}, nil, []preflight.Node{amd64, arm64}, nil},
		{"not for those that may take it", "      nodeSelector: {kubernetes.io/arch: arm64}\n", []string{"linux/amd64"}, nil, []preflight.Node{amd64, arm64},
			[]want{{v1alpha1.ReasonArchitectureMismatch, true, []string{"are arm64"}}}},
		{"builds are unknown", "", nil, nil, []preflight.Node{arm64}, nil},
		{"an attestation is no build", "", []string{"unknown/unknown", "linux/amd64"}, nil, []preflight.Node{amd64}, nil},
		{"the app says so", "", nil, []string{"arm64"}, []preflight.Node{amd64},
			[]want{{v1alpha1.ReasonArchitectureMismatch, true, []string{"arm64", "amd64"}}}},
		{"the app says one of several", "", nil, []string{"arm64", "amd64"}, []preflight.Node{amd64}, nil},
	} {
		w := newRequest(deploymentYAML("web", "", c.more) + "\n---\n" + deploymentYAML("again", "", c.more))
		w.Architectures = c.says
		w.Platforms = map[string][]string{"docker.io/library/nginx:latest": c.platforms}
		expectProblems(t, c.why, checkRequest(t, w, newFacts(c.nodes...)), c.wants...)
	}
}
