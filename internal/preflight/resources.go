package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	podresource "k8s.io/component-helpers/resource"

	"github.com/appmarket/operator/api/v1alpha1"
)

// requests are what the scheduler looks for when it places a pod; the pod itself
// counts too.
func requests(pod *corev1.Pod, limits []corev1.LimitRangeItem) corev1.ResourceList {
	limited := withDefaults(pod, limits)
	all := podresource.PodRequests(limited, podresource.PodResourcesOptions{})
	all[corev1.ResourcePods] = *resource.NewQuantity(1, resource.DecimalSI)
	return all
}

// withDefaults is a pod whose containers have the requests and limits that the
// namespace's limit ranges give to those without.
func withDefaults(pod *corev1.Pod, limits []corev1.LimitRangeItem) *corev1.Pod {
	if len(limits) == 0 {
		return pod
	}
	pod = pod.DeepCopy()
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			for _, item := range limits {
				if item.Type == corev1.LimitTypeContainer {
					list[i].Resources.Limits = completed(list[i].Resources.Limits, item.Default)
					list[i].Resources.Requests = completed(list[i].Resources.Requests, item.DefaultRequest)
				}
			}
		}
	}
	return pod
}

// fit looks for room for one pod of a workload on the nodes that may take it; for a
// DaemonSet on each of them. Into told go the resources that a problem is about.
func (d *Demand) fit(w *workload, usable []*Node, facts *Facts, told map[corev1.ResourceName]bool) *Problem {
	asked := offerable(requests(&w.pod, facts.Limits), usable)
	if problem := unoffered(w, asked, usable, facts); problem != nil {
		return problem
	}
	var full []*Node
	for _, node := range usable {
		if len(d.lacking(asked, node)) > 0 {
			full = append(full, node)
		}
	}
	if len(full) == 0 || !w.each && len(full) < len(usable) {
		return nil
	}
	best := slices.MinFunc(full, func(a, b *Node) int {
		if c := shortage(asked, d.free(a)) - shortage(asked, d.free(b)); c != 0 {
			return sign(c)
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, name := range d.lacking(asked, best) {
		told[name] = true
	}
	problem := d.noRoom(w, asked, best, full)
	return &problem
}

// offerable is what is asked for without what an extender of the scheduler shares out
// of a device: nodes need not offer that, such as memory of a GPU, but then offer
// something else of the same domain.
func offerable(asked corev1.ResourceList, usable []*Node) corev1.ResourceList {
	asked = maps.Clone(asked)
	maps.DeleteFunc(asked, func(name corev1.ResourceName, _ resource.Quantity) bool {
		domain, _, extended := strings.Cut(string(name), "/")
		return extended && !slices.ContainsFunc(usable, offers(name)) && slices.ContainsFunc(usable, offersOf(domain))
	})
	return asked
}

// offersOf reports whether a node offers anything of a domain.
func offersOf(domain string) func(*Node) bool {
	return func(node *Node) bool {
		for name := range node.Allocatable {
			if strings.HasPrefix(string(name), domain+"/") && offers(name)(node) {
				return true
			}
		}
		return false
	}
}

func sign(f float64) int {
	if f < 0 {
		return -1
	}
	return 1
}

// unoffered reports a device, or another resource that not every node has, which no
// node offers that may take the pod.
func unoffered(w *workload, asked corev1.ResourceList, usable []*Node, facts *Facts) *Problem {
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if amount := asked[name]; amount.IsZero() || common[name] || len(usable) == 0 || slices.ContainsFunc(usable, offers(name)) {
			continue
		}
		elsewhere := "no node of the cluster offers it"
		for i := range facts.Nodes {
			if offers(name)(&facts.Nodes[i]) {
				elsewhere = fmt.Sprintf("node %s offers it and may not take the pod", facts.Nodes[i].Name)
				break
			}
		}
		problem := final(v1alpha1.ReasonInsufficientResources,
			"%s asks for %s: %s; add a node with such a device and its device plugin, or set values that do without",
			w.object.title(), quantity(name, asked[name]), elsewhere)
		return &problem
	}
	return nil
}

// common are resources that every node has some of.
var common = map[corev1.ResourceName]bool{
	corev1.ResourceCPU: true, corev1.ResourceMemory: true, corev1.ResourceEphemeralStorage: true, corev1.ResourcePods: true,
}

func offers(name corev1.ResourceName) func(*Node) bool {
	return func(node *Node) bool {
		amount, ok := node.Allocatable[name]
		return ok && !amount.IsZero()
	}
}

// free is what a node has left. Where the app replaces itself, what it uses now is
// free to it, and nobody knows how much that is: the whole node counts.
func (d *Demand) free(node *Node) corev1.ResourceList {
	if d.wish.Replaces {
		return node.Allocatable
	}
	return left(node)
}

func left(node *Node) corev1.ResourceList {
	free := corev1.ResourceList{}
	for name, amount := range node.Allocatable {
		amount = amount.DeepCopy()
		if used, ok := node.Requested[name]; ok {
			amount.Sub(used)
		}
		free[name] = amount
	}
	return free
}

// lacking are the resources of which a node has not enough left, sorted.
func (d *Demand) lacking(asked corev1.ResourceList, node *Node) []corev1.ResourceName {
	return short(asked, d.free(node))
}

func short(asked, has corev1.ResourceList) []corev1.ResourceName {
	var names []corev1.ResourceName
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		amount, there := asked[name], has[name]
		if !amount.IsZero() && amount.Cmp(there) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// shortage is the largest part of what is asked for that is not there.
func shortage(asked, has corev1.ResourceList) float64 {
	worst := 0.0
	for name, amount := range asked {
		there := has[name]
		if wants := amount.AsApproximateFloat64(); wants > 0 {
			worst = max(worst, (wants-there.AsApproximateFloat64())/wants)
		}
	}
	return worst
}

// noRoom says what the node with the most room lacks. It is final if the node would
// not do even if it were empty.
func (d *Demand) noRoom(w *workload, asked corev1.ResourceList, best *Node, full []*Node) Problem {
	free := d.free(best)
	var wants, has []string
	for _, name := range d.lacking(asked, best) {
		wants = append(wants, quantity(name, asked[name]))
		has = append(has, fmt.Sprintf("%s of %s", quantity(name, free[name]), amountOf(name, best.Allocatable[name])))
	}
	which := "the node with the most room, " + best.Name + ","
	if w.each {
		which = fmt.Sprintf("node %s, of %d without room,", best.Name, len(full))
	}
	message := fmt.Sprintf("%s: a pod asks for %s, and %s has %s left; free or add resources, or set lower requests in the values",
		w.object.title(), strings.Join(wants, " and "), which, strings.Join(has, " and "))
	tooSmall := true
	for _, node := range full {
		tooSmall = tooSmall && len(short(asked, node.Allocatable)) > 0
	}
	return Problem{Reason: v1alpha1.ReasonInsufficientResources, Message: message, Final: tooSmall}
}
