// Package pods finds the pods of an instance and describes their containers.
//
// The pods are found by their controllers, which are in the inventory of the instance, so that only the
// permission to list pods is required. The web pages and the kubectl plugin use the package.
package pods

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// MaxShown is the number of pods whose logs are shown.
const MaxShown = 20

// hashLabel is the label of a pod with the last part of the name of its ReplicaSet.
const hashLabel = "pod-template-hash"

// scheduledJob matches the end of the name of a Job that a CronJob creates.
var scheduledJob = regexp.MustCompile(`-\d+$`)

// OfInstance returns the pods that belong to the objects in the inventory of an instance. Pods that are
// not ready come first.
func OfInstance(instance *v1alpha1.AppInstance, all []corev1.Pod) []corev1.Pod {
	if instance.Status.Inventory == nil {
		return nil
	}
	owned := map[v1alpha1.ObjectReference]bool{}
	for _, ref := range instance.Status.Inventory.Objects {
		owned[v1alpha1.ObjectReference{Kind: ref.Kind, Namespace: cmp.Or(ref.Namespace, instance.Namespace), Name: ref.Name}] = true
	}
	var found []corev1.Pod
	for i := range all {
		for _, owner := range ownersOf(&all[i]) {
			if owned[owner] {
				found = append(found, all[i])
				break
			}
		}
	}
	slices.SortStableFunc(found, func(a, b corev1.Pod) int {
		return cmp.Or(compareBools(IsReady(&a), IsReady(&b)), strings.Compare(a.Name, b.Name))
	})
	return found
}

// NamespacesOf returns the namespaces in which the pods of an instance can be, at most 5.
func NamespacesOf(instance *v1alpha1.AppInstance) []string {
	namespaces := []string{instance.Namespace}
	if instance.Status.Inventory == nil {
		return namespaces
	}
	for _, ref := range instance.Status.Inventory.Objects {
		if ref.Namespace != "" && !slices.Contains(namespaces, ref.Namespace) && len(namespaces) < 5 {
			namespaces = append(namespaces, ref.Namespace)
		}
	}
	return namespaces
}

// ownersOf returns the objects to which a pod can belong: the pod itself, its controller, and the
// controller of that.
func ownersOf(pod *corev1.Pod) []v1alpha1.ObjectReference {
	ref := func(kind, name string) v1alpha1.ObjectReference {
		return v1alpha1.ObjectReference{Kind: kind, Namespace: pod.Namespace, Name: name}
	}
	owners := []v1alpha1.ObjectReference{ref("Pod", pod.Name)}
	controller := metav1.GetControllerOf(pod)
	if controller == nil {
		return owners
	}
	owners = append(owners, ref(controller.Kind, controller.Name))
	switch hash := pod.Labels[hashLabel]; {
	case controller.Kind == "ReplicaSet" && hash != "":
		owners = append(owners, ref("Deployment", strings.TrimSuffix(controller.Name, "-"+hash)))
	case controller.Kind == "Job":
		owners = append(owners, ref("CronJob", scheduledJob.ReplaceAllString(controller.Name, "")))
	}
	return owners
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// IsReady reports whether a pod is ready or has succeeded.
func IsReady(pod *corev1.Pod) bool {
	if pod.Status.Phase == corev1.PodSucceeded {
		return true
	}
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// Container is a container of a pod.
type Container struct {
	Name string
	// Init reports that the container runs before the others.
	Init bool
	// State is the state in words, such as Running or CrashLoopBackOff.
	State string
	// Restarts is the number of restarts. If it is not 0, the previous container has a log.
	Restarts int32
}

// ContainersOf returns the containers of a pod, the ordinary ones first.
func ContainersOf(pod *corev1.Pod) []Container {
	var containers []Container
	for i := range pod.Spec.Containers {
		containers = append(containers, newContainer(pod.Spec.Containers[i].Name, false, pod.Status.ContainerStatuses))
	}
	for i := range pod.Spec.InitContainers {
		containers = append(containers, newContainer(pod.Spec.InitContainers[i].Name, true, pod.Status.InitContainerStatuses))
	}
	return containers
}

func newContainer(name string, isInit bool, statuses []corev1.ContainerStatus) Container {
	c := Container{Name: name, Init: isInit, State: "not started"}
	for i := range statuses {
		status := &statuses[i]
		if status.Name != name {
			continue
		}
		c.Restarts = status.RestartCount
		switch {
		case status.State.Running != nil:
			c.State = "running"
		case status.State.Waiting != nil:
			c.State = cmp.Or(status.State.Waiting.Reason, "waiting")
		case status.State.Terminated != nil:
			c.State = cmp.Or(status.State.Terminated.Reason, "terminated")
		}
	}
	return c
}
