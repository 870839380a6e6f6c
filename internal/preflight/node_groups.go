package preflight

import (
	"slices"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	schedule "k8s.io/component-helpers/scheduling/corev1"
)

// NodeGroup describes nodes that are created on demand. A property that it does not contain is
// unknown, and is assumed to satisfy every Pod.
type NodeGroup struct {
	// Labels contains the possible values of the labels of new nodes.
	Labels map[string][]string
	// Taints contains the taints of new nodes.
	Taints []corev1.Taint
	// Limits contains the resources that new nodes can have in total.
	Limits corev1.ResourceList
}

// IsUnlimited reports whether new nodes are assumed to satisfy every Pod.
func (g *NodeGroup) IsUnlimited() bool {
	return len(g.Labels) == 0 && len(g.Taints) == 0 && len(g.Limits) == 0
}

// canRunOnNewNode reports whether a node can be created that fits one Pod of a workload.
func (d *Requirements) canRunOnNewNode(w *workload, facts *Facts) bool {
	if w.pod.Spec.NodeName != "" {
		return false
	}
	return slices.ContainsFunc(facts.NodeGroups, func(g NodeGroup) bool {
		return g.fitsPod(&w.pod, podRequests(&w.pod, facts.Limits)) && d.hasBuildsFor(&w.pod, &g)
	})
}

// hasBuildsFor reports whether the app and the images of a Pod support an architecture of the
// group.
func (d *Requirements) hasBuildsFor(pod *corev1.Pod, g *NodeGroup) bool {
	if !g.supportsArchitecture(d.request.Architectures) {
		return false
	}
	for _, image := range podImages(&pod.Spec) {
		if !g.supportsArchitecture(BuiltArchitectures(d.request.Platforms[image])) {
			return false
		}
	}
	return true
}

// supportsArchitecture reports whether new nodes can have one of the architectures. An empty list
// stands for any architecture.
func (g *NodeGroup) supportsArchitecture(architectures []string) bool {
	possible, known := g.Labels[corev1.LabelArchStable]
	return !known || len(architectures) == 0 || hasOverlap(possible, architectures)
}

// fitsPod reports whether a new node can satisfy the requests, the tolerations, the node selector
// and the required node affinity of a Pod.
func (g *NodeGroup) fitsPod(pod *corev1.Pod, requested corev1.ResourceList) bool {
	for name, amount := range requested {
		if limit, limited := g.Limits[name]; limited && amount.Cmp(limit) > 0 {
			return false
		}
	}
	if _, repelled := schedule.FindMatchingUntoleratedTaint(logr.Discard(), g.Taints, pod.Spec.Tolerations, isPermanentTaint, true); repelled {
		return false
	}
	for key, value := range pod.Spec.NodeSelector {
		if possible, known := g.Labels[key]; known && !slices.Contains(possible, value) {
			return false
		}
	}
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil {
		return true
	}
	required := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	return required == nil || slices.ContainsFunc(required.NodeSelectorTerms, g.matchesTerm)
}

// matchesTerm reports whether a new node can match a term of a node affinity. A term with fields
// selects an existing node by its name.
func (g *NodeGroup) matchesTerm(term corev1.NodeSelectorTerm) bool {
	return len(term.MatchFields) == 0 && !slices.ContainsFunc(term.MatchExpressions, g.contradictsRequirement)
}

// contradictsRequirement reports whether no possible value of a label satisfies a requirement.
func (g *NodeGroup) contradictsRequirement(r corev1.NodeSelectorRequirement) bool {
	possible, known := g.Labels[r.Key]
	if !known {
		return false
	}
	switch r.Operator {
	case corev1.NodeSelectorOpIn:
		return !hasOverlap(possible, r.Values)
	case corev1.NodeSelectorOpNotIn:
		return !slices.ContainsFunc(possible, func(value string) bool { return !slices.Contains(r.Values, value) })
	case corev1.NodeSelectorOpDoesNotExist:
		return true
	}
	return false
}

// newNodeCapacity returns the amount of a resource that new nodes can have in total. It reports
// false if there is no limit.
func (f *Facts) newNodeCapacity(name corev1.ResourceName) (resource.Quantity, bool) {
	var sum resource.Quantity
	for i := range f.NodeGroups {
		limit, limited := f.NodeGroups[i].Limits[name]
		if !limited {
			return resource.Quantity{}, false
		}
		sum.Add(limit)
	}
	return sum, true
}
