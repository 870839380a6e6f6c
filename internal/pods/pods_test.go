package pods_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/pods"
)

// newPod returns a pod with a controller.
func newPod(name, kind, owner string, labels map[string]string, ready corev1.ConditionStatus) corev1.Pod {
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: name, Labels: labels},
		Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}},
	}
	if kind != "" {
		yes := true
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: owner, Controller: &yes}}
	}
	return pod
}

func TestPodsOfAnInstance(t *testing.T) {
	g := NewWithT(t)
	hash := map[string]string{"pod-template-hash": "7c9d5"}
	all := []corev1.Pod{
		newPod("wiki-7c9d5-a", "ReplicaSet", "wiki-7c9d5", hash, corev1.ConditionTrue),
		newPod("wiki-7c9d5-b", "ReplicaSet", "wiki-7c9d5", hash, corev1.ConditionFalse),
		newPod("wiki-db-7c9d5-a", "ReplicaSet", "wiki-db-7c9d5", hash, corev1.ConditionTrue),
		newPod("db-0", "StatefulSet", "db", nil, corev1.ConditionTrue),
		newPod("backup-28000000-x", "Job", "backup-28000000", nil, corev1.ConditionTrue),
		newPod("test", "", "", nil, corev1.ConditionTrue),
		newPod("other", "", "", nil, corev1.ConditionTrue),
	}
	instance := &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "wiki"}}
	g.Expect(pods.OfInstance(instance, all)).To(BeEmpty())
	instance.Status.Inventory = &v1alpha1.Inventory{Objects: []v1alpha1.ObjectReference{
		{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "demo", Name: "wiki"}, {APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db"},
		{APIVersion: "batch/v1", Kind: "CronJob", Namespace: "demo", Name: "backup"}, {APIVersion: "v1", Kind: "Pod", Namespace: "demo", Name: "test"},
		{APIVersion: "v1", Kind: "Pod", Namespace: "shared", Name: "other"},
	}}
	var names []string
	for _, pod := range pods.OfInstance(instance, all) {
		names = append(names, pod.Name)
	}
	g.Expect(names).To(Equal([]string{"wiki-7c9d5-b", "backup-28000000-x", "db-0", "test", "wiki-7c9d5-a"}), "unready pods first, and no pod of another instance")
	g.Expect(pods.NamespacesOf(instance)).To(Equal([]string{"demo", "shared"}))
}

func TestContainersOfAPod(t *testing.T) {
	pod := &corev1.Pod{
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web"}, {Name: "late"}, {Name: "sidecar"}}, InitContainers: []corev1.Container{{Name: "migrate"}}},
		Status: corev1.PodStatus{
			ContainerStatuses: []corev1.ContainerStatus{
				{Name: "web", RestartCount: 3, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}},
				{Name: "sidecar", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			},
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "migrate", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}}}},
		},
	}
	NewWithT(t).Expect(pods.ContainersOf(pod)).To(Equal([]pods.Container{
		{Name: "web", State: "CrashLoopBackOff", Restarts: 3}, {Name: "late", State: "not started"}, {Name: "sidecar", State: "running"},
		{Name: "migrate", Init: true, State: "Completed"},
	}))
}
