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

// podRequests returns the resources that the scheduler needs to place a Pod, including 1 of
// the resource "pods".
func podRequests(pod *corev1.Pod, limits []corev1.LimitRangeItem) corev1.ResourceList {
	limited := withDefaults(pod, limits)
	all := podresource.PodRequests(limited, podresource.PodResourcesOptions{})
	all[corev1.ResourcePods] = *resource.NewQuantity(1, resource.DecimalSI)
	return all
}

// withDefaults returns the Pod with the default requests and limits of the namespace's
// limit ranges.
func withDefaults(pod *corev1.Pod, limits []corev1.LimitRangeItem) *corev1.Pod {
	if len(limits) == 0 {
		return pod
	}
	pod = pod.DeepCopy()
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			for _, item := range limits {
				if item.Type == corev1.LimitTypeContainer {
					list[i].Resources.Limits = fillMissing(list[i].Resources.Limits, item.Default)
					list[i].Resources.Requests = fillMissing(list[i].Resources.Requests, item.DefaultRequest)
				}
			}
		}
	}
	return pod
}

// checkNodeFit checks whether a usable node fits one Pod of a workload, or for a DaemonSet whether
// all of them do. It adds the resources of a problem to reported.
func (d *Requirements) checkNodeFit(w *workload, usable []*Node, facts *Facts, reported map[corev1.ResourceName]bool) *Problem {
	requested := withoutExtenderResources(podRequests(&w.pod, facts.Limits), usable)
	if problem := missingResourceProblem(w, requested, usable, facts); problem != nil {
		return problem
	}
	var full []*Node
	for _, node := range usable {
		if len(d.missingOnNode(requested, node)) > 0 {
			full = append(full, node)
		}
	}
	if len(full) == 0 || !w.each && len(full) < len(usable) {
		return nil
	}
	best := slices.MinFunc(full, func(a, b *Node) int {
		if c := largestShortage(requested, d.availableResources(a)) - largestShortage(requested, d.availableResources(b)); c != 0 {
			return signOf(c)
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, name := range d.missingOnNode(requested, best) {
		reported[name] = true
	}
	problem := d.insufficientNodeProblem(w, requested, best, full)
	return &problem
}

// withoutExtenderResources removes extended resources that a scheduler extender manages. Nodes need not
// list such a resource, for example GPU memory, but list another resource of the same
// domain.
func withoutExtenderResources(asked corev1.ResourceList, usable []*Node) corev1.ResourceList {
	asked = maps.Clone(asked)
	maps.DeleteFunc(asked, func(name corev1.ResourceName, _ resource.Quantity) bool {
		domain, _, extended := strings.Cut(string(name), "/")
		return extended && !slices.ContainsFunc(usable, offersResource(name)) && slices.ContainsFunc(usable, offersDomain(domain))
	})
	return asked
}

// offersDomain returns a function that reports whether a node offers a resource of a domain.
func offersDomain(domain string) func(*Node) bool {
	return func(node *Node) bool {
		for name := range node.Allocatable {
			if strings.HasPrefix(string(name), domain+"/") && offersResource(name)(node) {
				return true
			}
		}
		return false
	}
}

func signOf(f float64) int {
	if f < 0 {
		return -1
	}
	return 1
}

// missingResourceProblem reports a resource that no usable node offers, such as a device.
func missingResourceProblem(w *workload, asked corev1.ResourceList, usable []*Node, facts *Facts) *Problem {
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if amount := asked[name]; amount.IsZero() || commonResources[name] || len(usable) == 0 || slices.ContainsFunc(usable, offersResource(name)) {
			continue
		}
		offer := "no node provides it"
		for i := range facts.Nodes {
			if offersResource(name)(&facts.Nodes[i]) {
				offer = fmt.Sprintf("only nodes that cannot run the Pod, such as %s, provide it", facts.Nodes[i].Name)
				break
			}
		}
		problem := newFinalProblem(v1alpha1.ReasonInsufficientResources,
			"%s: requests %s, but %s; add a node with the device and its device plugin, or set values that do not need it",
			w.object.kindAndName(), formatQuantity(name, asked[name]), offer)
		return &problem
	}
	return nil
}

// commonResources contains the resources that every node offers.
var commonResources = map[corev1.ResourceName]bool{
	corev1.ResourceCPU: true, corev1.ResourceMemory: true, corev1.ResourceEphemeralStorage: true, corev1.ResourcePods: true,
}

func offersResource(name corev1.ResourceName) func(*Node) bool {
	return func(node *Node) bool {
		amount, ok := node.Allocatable[name]
		return ok && !amount.IsZero()
	}
}

// availableResources returns the available resources of a node. If the app is replaced, it returns all
// allocatable resources, because the current usage of the app is unknown.
func (d *Requirements) availableResources(node *Node) corev1.ResourceList {
	if d.request.Replaces {
		return node.Allocatable
	}
	return unrequestedResources(node)
}

func unrequestedResources(node *Node) corev1.ResourceList {
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

// missingOnNode returns the resources of which the node has too little available, sorted.
func (d *Requirements) missingOnNode(asked corev1.ResourceList, node *Node) []corev1.ResourceName {
	return insufficientResources(asked, d.availableResources(node))
}

func insufficientResources(asked, has corev1.ResourceList) []corev1.ResourceName {
	var names []corev1.ResourceName
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		amount, available := asked[name], has[name]
		if !amount.IsZero() && amount.Cmp(available) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// largestShortage returns the largest missing fraction of a requested resource.
func largestShortage(asked, has corev1.ResourceList) float64 {
	worst := 0.0
	for name, amount := range asked {
		available := has[name]
		if requested := amount.AsApproximateFloat64(); requested > 0 {
			worst = max(worst, (requested-available.AsApproximateFloat64())/requested)
		}
	}
	return worst
}

// insufficientNodeProblem returns the problem that no node has enough resources available. It is final if
// they would not suffice even on empty nodes.
func (d *Requirements) insufficientNodeProblem(w *workload, asked corev1.ResourceList, best *Node, full []*Node) Problem {
	free := d.availableResources(best)
	var requested, available []string
	for _, name := range d.missingOnNode(asked, best) {
		requested = append(requested, formatQuantity(name, asked[name]))
		available = append(available, fmt.Sprintf("%s of %s", formatQuantity(name, free[name]), formatAmount(name, best.Allocatable[name])))
	}
	nodeText := "node " + best.Name + ", which has the most available,"
	if w.each {
		nodeText = fmt.Sprintf("node %s, one of %s without enough resources,", best.Name, formatCount(len(full), "node"))
	}
	message := fmt.Sprintf("%s: a Pod requests %s, but %s has only %s; free or add resources, or set lower requests in the values",
		w.object.kindAndName(), strings.Join(requested, " and "), nodeText, strings.Join(available, " and "))
	tooSmall := true
	for _, node := range full {
		tooSmall = tooSmall && len(insufficientResources(asked, node.Allocatable)) > 0
	}
	return Problem{Reason: v1alpha1.ReasonInsufficientResources, Message: message, Final: tooSmall}
}
