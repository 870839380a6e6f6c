package preflight

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/appmarket/operator/api/v1alpha1"
)

// checkCapacity compares the total requests of the Pods, and the requirements in the manifest
// of the app, with the total available resources of the nodes, including nodes that can be
// created on demand. If the total does not suffice, no placement of the Pods does. It skips
// resources that are already reported.
func (d *Requirements) checkCapacity(facts *Facts, reported map[corev1.ResourceName]bool) []Problem {
	free, whole := d.totalResources(facts)
	requested := d.totalRequests(facts)
	declared := d.declaredRequests()
	var problems []Problem
	for _, name := range slices.Sorted(maps.Keys(requested)) {
		if reported[name] {
			continue
		}
		// Resources that no node offers are reported for their workload.
		if offered := whole[name]; offered.IsZero() {
			continue
		}
		if p := facts.capacityProblem("the Pods of the app request", name, requested[name], free[name], whole[name]); p != nil {
			problems = append(problems, *p)
			reported[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		if reported[name] {
			continue
		}
		if p := facts.capacityProblem("the manifest of the app requires", name, declared[name], free[name], whole[name]); p != nil {
			problems = append(problems, *p)
		}
	}
	return problems
}

// capacityProblem returns the problem that the existing nodes and the nodes that can be created do
// not have enough of a resource together, otherwise nil.
func (f *Facts) capacityProblem(subject string, name corev1.ResourceName, asked, free, whole resource.Quantity) *Problem {
	more, limited := f.newNodeCapacity(name)
	if !limited {
		return nil
	}
	free, whole = sumQuantities(free, more), sumQuantities(whole, more)
	if asked.Cmp(free) <= 0 {
		return nil
	}
	problem := newTransientProblem(v1alpha1.ReasonInsufficientResources, "%s %s, but only %s of %s are available on all nodes; free or add resources",
		subject, formatQuantity(name, asked), formatAmount(name, free), formatAmount(name, whole))
	problem.Final = asked.Cmp(whole) > 0
	return &problem
}

// totalResources returns the total available and the total allocatable resources of the usable nodes.
func (d *Requirements) totalResources(facts *Facts) (free, whole corev1.ResourceList) {
	free, whole = corev1.ResourceList{}, corev1.ResourceList{}
	for i := range facts.Nodes {
		node := &facts.Nodes[i]
		if !node.isUsable() {
			continue
		}
		for name, amount := range d.availableResources(node) {
			if amount.Sign() > 0 {
				addAmount(free, name, amount)
			}
		}
		for name, amount := range node.Allocatable {
			addAmount(whole, name, amount)
		}
	}
	return free, whole
}

// totalRequests returns the total requests of the Pods that run at the same time.
func (d *Requirements) totalRequests(facts *Facts) corev1.ResourceList {
	all := corev1.ResourceList{}
	for i := range d.workloads {
		w := &d.workloads[i]
		// A Pod with spec.nodeName can run on a cordoned node, which is not counted.
		if w.later || w.pod.Spec.NodeName != "" {
			continue
		}
		pods := w.podCount(facts)
		for name, amount := range podRequests(&w.pod, facts.Limits) {
			addAmount(all, name, multiplyQuantity(amount, pods))
		}
	}
	return all
}

// podCount returns the number of Pods that a workload runs at the same time.
func (w *workload) podCount(facts *Facts) int64 {
	if !w.each {
		return w.pods
	}
	placement := placePod(&w.pod, facts.Nodes)
	return int64(len(placement.usable))
}

// declaredRequests returns the requirements in the manifest of the app. It ignores invalid quantities,
// which are reported when the app is hydrated.
func (d *Requirements) declaredRequests() corev1.ResourceList {
	declared := corev1.ResourceList{}
	for name, text := range map[corev1.ResourceName]string{
		corev1.ResourceCPU: d.request.CPU, corev1.ResourceMemory: d.request.Memory,
	} {
		if amount, err := resource.ParseQuantity(text); err == nil && amount.Sign() > 0 {
			declared[name] = amount
		}
	}
	return declared
}

func addAmount(list corev1.ResourceList, name corev1.ResourceName, amount resource.Quantity) {
	sum := list[name]
	sum.Add(amount)
	list[name] = sum
}

func sumQuantities(a, b resource.Quantity) resource.Quantity {
	sum := a.DeepCopy()
	sum.Add(b)
	return sum
}

func multiplyQuantity(amount resource.Quantity, count int64) resource.Quantity {
	product := amount.DeepCopy()
	product.Mul(count)
	return product
}
