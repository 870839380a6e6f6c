package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	schedule "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"github.com/appmarket/operator/api/v1alpha1"
)

// placement contains the nodes that a Pod may run on, after each condition.
type placement struct {
	// matching contains the nodes that match the node selector and the required node
	// affinity, tolerated the matching nodes whose taints the Pod tolerates, and usable the
	// tolerated nodes that are ready and not cordoned. A Pod with spec.nodeName bypasses
	// the scheduler: only NoExecute taints apply to it, and it can run on a cordoned node.
	matching, tolerated, usable []*Node
	// taint is the last taint that the Pod does not tolerate.
	taint corev1.Taint
	// invalid is the error if the affinity cannot be evaluated.
	invalid error
}

// transientTaints contains taints that reflect the current state of a node, which its other fields
// already represent.
var transientTaints = map[string]bool{
	corev1.TaintNodeNotReady:                         true,
	corev1.TaintNodeUnreachable:                      true,
	corev1.TaintNodeUnschedulable:                    true,
	corev1.TaintNodeMemoryPressure:                   true,
	corev1.TaintNodeDiskPressure:                     true,
	corev1.TaintNodePIDPressure:                      true,
	corev1.TaintNodeNetworkUnavailable:               true,
	"node.cloudprovider.kubernetes.io/uninitialized": true,
	"node.cloudprovider.kubernetes.io/shutdown":      true,
	"ToBeDeletedByClusterAutoscaler":                 true,
}

// isPermanentTaint reports whether a taint keeps Pods away until it is removed by an administrator.
func isPermanentTaint(taint *corev1.Taint) bool {
	return !transientTaints[taint.Key] && taint.Effect != corev1.TaintEffectPreferNoSchedule
}

// placePod returns the placement of a Pod.
func placePod(pod *corev1.Pod, nodes []Node) placement {
	var p placement
	named := pod.Spec.NodeName != ""
	repels := func(taint *corev1.Taint) bool {
		return isPermanentTaint(taint) && (!named || taint.Effect == corev1.TaintEffectNoExecute)
	}
	affinity := nodeaffinity.GetRequiredNodeAffinity(pod)
	for i := range nodes {
		node := &nodes[i]
		matches, err := affinity.Match(node.toNode())
		if err != nil {
			p.invalid = err
		}
		if !matches || named && pod.Spec.NodeName != node.Name {
			continue
		}
		p.matching = append(p.matching, node)
		taint, found := schedule.FindMatchingUntoleratedTaint(logr.Discard(), node.Taints, pod.Spec.Tolerations, repels, true)
		if found {
			p.taint = taint
			continue
		}
		p.tolerated = append(p.tolerated, node)
		if node.isUsable() || named && node.Ready {
			p.usable = append(p.usable, node)
		}
	}
	return p
}

// checkNodes checks for each workload whether a node fits one Pod of it, as the scheduler
// does, and then whether the nodes fit all Pods together. A node that can be created on demand
// is sufficient.
func (d *Requirements) checkNodes(facts *Facts) []Problem {
	if len(facts.Nodes) == 0 {
		return nil
	}
	var problems []Problem
	reported := map[corev1.ResourceName]bool{}
	for i := range d.workloads {
		w := &d.workloads[i]
		placement := placePod(&w.pod, facts.Nodes)
		if placement.invalid == nil && d.canRunOnNewNode(w, facts) {
			continue
		}
		problem := placement.unschedulableProblem(w)
		if problem == nil {
			problem = d.checkNodeFit(w, placement.usable, facts, reported)
		}
		if problem != nil {
			problems = append(problems, *problem)
		}
	}
	return append(problems, d.checkCapacity(facts, reported)...)
}

// unschedulableProblem returns the problem of a workload that no node can run, otherwise nil. A
// DaemonSet without nodes is ready and therefore not a problem.
func (p *placement) unschedulableProblem(w *workload) *Problem {
	if w.each || len(p.usable) > 0 {
		return nil
	}
	var problem Problem
	switch name := w.object.kindAndName(); {
	case p.invalid != nil:
		problem = newFinalProblem(v1alpha1.ReasonUnschedulable, "%s: invalid node affinity: %s; correct the values or the chart", name, truncateText(p.invalid.Error()))
	case len(p.matching) == 0:
		problem = newFinalProblem(v1alpha1.ReasonUnschedulable, "%s: no node has %s; label a node, or set other values",
			name, truncateText(requiredNodeText(&w.pod.Spec)))
	case len(p.tolerated) == 0:
		problem = newFinalProblem(v1alpha1.ReasonUnschedulable,
			"%s: Pods do not tolerate the taint %q of %s; add a node without the taint, or set a toleration in the values",
			name, p.taint.ToString(), formatNodes(p.matching))
	default:
		problem = newTransientProblem(v1alpha1.ReasonUnschedulable,
			"%s: every matching node is not ready or is cordoned (%s); repair or uncordon a node", name, formatNodes(p.tolerated))
	}
	return &problem
}

// formatNodes returns a list of node names for messages.
func formatNodes(list []*Node) string {
	names := make([]string, len(list))
	for i, node := range list {
		names[i] = node.Name
	}
	slices.Sort(names)
	if len(names) == 1 {
		return "node " + names[0]
	}
	return "nodes " + joinNames(names)
}

// requiredNodeText describes the labels, the fields and the name that a Pod requires of its node.
func requiredNodeText(spec *corev1.PodSpec) string {
	var parts []string
	if spec.NodeName != "" {
		parts = append(parts, "the name "+spec.NodeName)
	}
	for _, key := range slices.Sorted(maps.Keys(spec.NodeSelector)) {
		parts = append(parts, fmt.Sprintf("the label %s=%s", key, spec.NodeSelector[key]))
	}
	if spec.Affinity == nil || spec.Affinity.NodeAffinity == nil {
		return strings.Join(parts, " and ")
	}
	if required := spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
		var terms []string
		for _, term := range required.NodeSelectorTerms {
			terms = append(terms, nodeTermText(term))
		}
		parts = append(parts, strings.Join(terms, ", or "))
	}
	return strings.Join(parts, " and ")
}

func nodeTermText(term corev1.NodeSelectorTerm) string {
	var parts []string
	for _, r := range slices.Concat(term.MatchExpressions, term.MatchFields) {
		switch r.Operator {
		case corev1.NodeSelectorOpExists:
			parts = append(parts, "the label "+r.Key)
		case corev1.NodeSelectorOpDoesNotExist:
			parts = append(parts, "no label "+r.Key)
		default:
			parts = append(parts, fmt.Sprintf("%s %s (%s)", r.Key, r.Operator, strings.Join(r.Values, ", ")))
		}
	}
	return strings.Join(parts, " and ")
}
