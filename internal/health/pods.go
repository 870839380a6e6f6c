package health

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"

	"github.com/appmarket/operator/api/v1alpha1"
)

// maxPods bounds the pods that are read to explain a workload or a claim.
const maxPods = 200

// podLists caches the pod lists of one call of Health.
type podLists struct {
	client dynamic.Interface
	cached map[string][]corev1.Pod
	// refused is the error if the tenant may not list pods. The status of the workloads is used
	// instead.
	refused error
}

// podsMatching returns the pods of a namespace that have the labels.
func (p *podLists) podsMatching(ctx context.Context, namespace string, having labels.Set) ([]corev1.Pod, error) {
	key := namespace + "/" + having.String()
	if found, ok := p.cached[key]; ok {
		return found, nil
	}
	list, err := p.client.Resource(podsResource).Namespace(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: having.String(), Limit: maxPods,
	})
	if apierrors.IsForbidden(err) {
		p.refused = permissionError(err)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	pods := make([]corev1.Pod, len(list.Items))
	for i := range list.Items {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &pods[i]); err != nil {
			return nil, fmt.Errorf("read pod %q: %w", list.Items[i].GetName(), err)
		}
	}
	sort.Slice(pods, func(i, j int) bool { return pods[i].Name < pods[j].Name })
	if p.cached == nil {
		p.cached = map[string][]corev1.Pod{}
	}
	p.cached[key] = pods
	return pods, nil
}

// isClaimUsed reports whether a pod uses the volume claim.
func (p *podLists) isClaimUsed(ctx context.Context, claim v1alpha1.ObjectReference) (bool, error) {
	pods, err := p.podsMatching(ctx, claim.Namespace, nil)
	for _, pod := range pods {
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		wants := slices.ContainsFunc(pod.Spec.Volumes, func(volume corev1.Volume) bool {
			return volume.PersistentVolumeClaim != nil && volume.PersistentVolumeClaim.ClaimName == claim.Name
		})
		if wants && !ended {
			return true, nil
		}
	}
	return p.refused != nil, err
}

// podsReason returns why the pods with the labels are not ready, the most severe reason first,
// empty if there is none. It contains no pod names and times, so that it stays the same while
// pods are replaced.
func (p *podLists) podsReason(ctx context.Context, namespace string, having labels.Set) (string, error) {
	pods, err := p.podsMatching(ctx, namespace, having)
	mild := ""
	for i := range pods {
		grave, said := PodReason(&pods[i])
		if grave {
			return said, err
		}
		if mild == "" {
			mild = said
		}
	}
	return mild, err
}

// PodReason returns why a pod is not ready, and reports whether the reason is severe. Other
// reasons usually resolve with time.
func PodReason(pod *corev1.Pod) (bool, string) {
	if pod.DeletionTimestamp != nil {
		return false, ""
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			// Remove the results for claims and preemption, which repeat the first part.
			message, _, _ := strings.Cut(condition.Message, " preemption:")
			message, _, _ = strings.Cut(message, " no new claims to deallocate,")
			return true, fmt.Sprintf("%s: %s", condition.Reason, message)
		}
	}
	if pod.Status.Phase == corev1.PodFailed && pod.Status.Reason != "" {
		return true, fmt.Sprintf("pod failed: %s: %s", pod.Status.Reason, pod.Status.Message)
	}
	mild := ""
	for _, group := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, one := range group {
			grave, said := containerReason(one)
			if grave {
				return true, fmt.Sprintf("container %s: %s", one.Name, said)
			}
			if mild == "" && said != "" {
				mild = fmt.Sprintf("container %s: %s", one.Name, said)
			}
		}
	}
	return false, mild
}

// containerReason returns why a container is not ready, and reports whether the reason is
// severe.
func containerReason(one corev1.ContainerStatus) (bool, string) {
	switch {
	case one.State.Waiting != nil:
		return waitingReason(one, one.State.Waiting)
	case one.State.Terminated != nil:
		return terminatedReason(one, one.State.Terminated)
	case one.State.Running != nil && !one.Ready:
		return runningReason(one)
	}
	return false, ""
}

// waitingReason returns the reason of a waiting container.
func waitingReason(one corev1.ContainerStatus, waiting *corev1.ContainerStateWaiting) (bool, string) {
	switch waiting.Reason {
	case "ErrImagePull", "ImagePullBackOff": // The two reasons alternate.
		return true, "ImagePullBackOff: image " + one.Image
	case "InvalidImageName":
		return true, "InvalidImageName: image " + one.Image
	case "CrashLoopBackOff": // The message contains the current delay, which changes.
		return true, "CrashLoopBackOff" + formatLastExit(one.LastTerminationState.Terminated)
	case "ContainerCreating", "PodInitializing", "":
		return false, waiting.Reason
	}
	return true, waiting.Reason + ": " + waiting.Message
}

// terminatedReason returns the reason of a terminated container.
func terminatedReason(one corev1.ContainerStatus, ended *corev1.ContainerStateTerminated) (bool, string) {
	switch {
	case ended.ExitCode == 0:
		return false, ""
	case one.RestartCount > 0:
		return true, "CrashLoopBackOff" + formatLastExit(ended)
	}
	return true, strings.TrimPrefix(formatLastExit(ended), ": last ")
}

// runningReason returns the reason of a container that runs and is not ready.
func runningReason(one corev1.ContainerStatus) (bool, string) {
	switch {
	case one.RestartCount > 1:
		return true, "CrashLoopBackOff" + formatLastExit(one.LastTerminationState.Terminated)
	case one.Started == nil || *one.Started:
		return false, "running, not ready"
	}
	return false, "running, not started"
}

// formatLastExit formats the last exit of a container.
func formatLastExit(ended *corev1.ContainerStateTerminated) string {
	if ended == nil {
		return ""
	}
	said := fmt.Sprintf(": last exit code %d", ended.ExitCode)
	if ended.Reason != "" && ended.Reason != "Error" {
		said += ", " + ended.Reason
	}
	return said
}
