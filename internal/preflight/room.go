package preflight

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/appmarket/operator/api/v1alpha1"
)

// checkRoom compares the total requests of the Pods, and the requirements in the manifest
// of the app, with the total available resources of the nodes. If the total does not
// suffice, no placement of the Pods does. It skips resources that are already reported.
func (d *Demand) checkRoom(facts *Facts, told map[corev1.ResourceName]bool) []Problem {
	free, whole := d.sums(facts)
	asked := d.asked(facts)
	said := d.said()
	var problems []Problem
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if told[name] {
			continue
		}
		// Resources that no node offers are reported for their workload.
		if offered := whole[name]; offered.IsZero() {
			continue
		}
		if p := tight("the pods of the app together ask for", name, asked[name], free[name], whole[name]); p != nil {
			problems = append(problems, *p)
			told[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if told[name] {
			continue
		}
		if p := tight("the app says that it needs", name, said[name], free[name], whole[name]); p != nil {
			problems = append(problems, *p)
		}
	}
	return problems
}

func tight(who string, name corev1.ResourceName, asked, free, whole resource.Quantity) *Problem {
	if asked.Cmp(free) <= 0 {
		return nil
	}
	problem := passing(v1alpha1.ReasonInsufficientResources, "%s %s, and all nodes together have %s of %s left; free or add resources",
		who, quantity(name, asked), amountOf(name, free), amountOf(name, whole))
	problem.Final = asked.Cmp(whole) > 0
	return &problem
}

// sums returns the total available and the total allocatable resources of the usable nodes.
func (d *Demand) sums(facts *Facts) (free, whole corev1.ResourceList) {
	free, whole = corev1.ResourceList{}, corev1.ResourceList{}
	for i := range facts.Nodes {
		node := &facts.Nodes[i]
		if !node.usable() {
			continue
		}
		for name, amount := range d.free(node) {
			if amount.Sign() > 0 {
				add(free, name, amount)
			}
		}
		for name, amount := range node.Allocatable {
			add(whole, name, amount)
		}
	}
	return free, whole
}

// asked returns the total requests of the Pods that run at the same time.
func (d *Demand) asked(facts *Facts) corev1.ResourceList {
	all := corev1.ResourceList{}
	for i := range d.workloads {
		w := &d.workloads[i]
		// A Pod with spec.nodeName can run on a cordoned node, which is not counted.
		if w.later || w.pod.Spec.NodeName != "" {
			continue
		}
		pods := w.count(facts)
		for name, amount := range requests(&w.pod, facts.Limits) {
			add(all, name, times(amount, pods))
		}
	}
	return all
}

// count returns the number of Pods that a workload runs at the same time.
func (w *workload) count(facts *Facts) int64 {
	if !w.each {
		return w.pods
	}
	where := placePod(&w.pod, facts.Nodes)
	return int64(len(where.usable))
}

// said returns the requirements in the manifest of the app. It ignores invalid quantities,
// which are reported when the app is hydrated.
func (d *Demand) said() corev1.ResourceList {
	said := corev1.ResourceList{}
	for name, text := range map[corev1.ResourceName]string{
		corev1.ResourceCPU: d.wish.CPU, corev1.ResourceMemory: d.wish.Memory,
	} {
		if amount, err := resource.ParseQuantity(text); err == nil && amount.Sign() > 0 {
			said[name] = amount
		}
	}
	return said
}

func add(list corev1.ResourceList, name corev1.ResourceName, amount resource.Quantity) {
	sum := list[name]
	sum.Add(amount)
	list[name] = sum
}

func times(amount resource.Quantity, count int64) resource.Quantity {
	product := amount.DeepCopy()
	product.Mul(count)
	return product
}
