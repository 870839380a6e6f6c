package preflight

import (
	"maps"
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/images"

	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// checkArchitecture compares the platforms of the images with the nodes that tolerate the
// Pods. An image with unknown platforms is assumed to run on any node. It reports a problem
// only if no such node has a matching architecture or can be created, because the scheduler
// otherwise chooses the node.
func (d *Requirements) checkArchitecture(facts *Facts) []Problem {
	if len(facts.Nodes) == 0 {
		return nil
	}
	all := make([]*Node, len(facts.Nodes))
	for i := range facts.Nodes {
		all[i] = &facts.Nodes[i]
	}
	have := nodeArchitectures(all)
	isCreatable := func(g NodeGroup) bool { return g.supportsArchitecture(d.request.Architectures) }
	if supported := d.request.Architectures; len(supported) > 0 && len(have) > 0 && !hasOverlap(supported, have) &&
		!slices.ContainsFunc(facts.NodeGroups, isCreatable) {
		return []Problem{newFinalProblem(v1alpha1.ReasonArchitectureMismatch,
			"the app supports only %s, but all nodes are %s; add a matching node", joinNames(supported), joinNames(have))}
	}
	var problems []Problem
	reported := map[string]bool{}
	for i := range d.workloads {
		w := &d.workloads[i]
		placement := placePod(&w.pod, facts.Nodes)
		nodes := nodeArchitectures(placement.tolerated)
		for _, image := range podImages(&w.pod.Spec) {
			builds := BuiltArchitectures(d.request.Platforms[image])
			if reported[image] || len(builds) == 0 || len(nodes) == 0 || hasOverlap(builds, nodes) || d.canRunOnNewNode(w, facts) {
				continue
			}
			reported[image] = true
			problems = append(problems, newFinalProblem(v1alpha1.ReasonArchitectureMismatch,
				"%s: image %q supports only %s, but all nodes that the Pod tolerates are %s; add a matching node, or set another image in the values",
				w.object.kindAndName(), truncateText(image), joinNames(builds), joinNames(nodes)))
		}
	}
	return problems
}

// podImages returns the normalized references of the images of a Pod, sorted and without
// duplicates. It ignores invalid references, which another check reports.
func podImages(spec *corev1.PodSpec) []string {
	found := map[string]bool{}
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for _, container := range list {
			if name, err := images.NormalizeReference(container.Image); err == nil {
				found[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// BuiltArchitectures returns the architectures of Linux platforms in the form os/architecture or
// os/architecture/variant.
func BuiltArchitectures(platforms []string) []string {
	found := map[string]bool{}
	for _, platform := range platforms {
		system, rest, ok := strings.Cut(platform, "/")
		architecture, _, _ := strings.Cut(rest, "/")
		if ok && system == "linux" && architecture != "" && architecture != "unknown" {
			found[architecture] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func nodeArchitectures(nodes []*Node) []string {
	found := map[string]bool{}
	for _, node := range nodes {
		if node.Architecture != "" {
			found[node.Architecture] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func hasOverlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(one string) bool { return slices.Contains(b, one) })
}
