package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/version"
)

// simulatedNodes are two of the usual kind and one of another, so that what depends on the architecture is seen.
var simulatedNodes = []struct{ name, architecture string }{
	{"amd64-1", "amd64"},
	{"amd64-2", "amd64"},
	{"arm64-1", "arm64"},
}

// simulatedAnnotation tells kwok which nodes it plays.
const simulatedAnnotation = "kwok.x-k8s.io/node"

// storageClass is the one whose claims the stage volume-provision serves.
const storageClass = "simulated"

// furnish creates the nodes and the default storage class.
func furnish(ctx context.Context, client kubernetes.Interface) error {
	reclaim, binding := corev1.PersistentVolumeReclaimDelete, storagev1.VolumeBindingImmediate
	class := &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{
			Name:        storageClass,
			Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		Provisioner:       "localcluster/simulated",
		ReclaimPolicy:     &reclaim,
		VolumeBindingMode: &binding,
	}
	if _, err := client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create storage class: %w", err)
	}
	for _, n := range simulatedNodes {
		if _, err := client.CoreV1().Nodes().Create(ctx, node(n.name, n.architecture), metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create node %q: %w", n.name, err)
		}
	}
	return nil
}

// node is one that kwok plays. Its capacity is beyond what any test asks for; what must not fit has to ask for more.
func node(name, architecture string) *corev1.Node {
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("256"),
		corev1.ResourceMemory:           resource.MustParse("1Ti"),
		corev1.ResourceEphemeralStorage: resource.MustParse("10Ti"),
		corev1.ResourcePods:             resource.MustParse("5k"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{simulatedAnnotation: "fake"},
			Labels: map[string]string{
				corev1.LabelHostname:   name,
				corev1.LabelArchStable: architecture,
				corev1.LabelOSStable:   "linux",
			},
		},
		Status: corev1.NodeStatus{
			Capacity:    capacity,
			Allocatable: capacity,
			NodeInfo: corev1.NodeSystemInfo{
				Architecture:    architecture,
				OperatingSystem: "linux",
				KubeletVersion:  version.Get().GitVersion,
			},
		},
	}
}

// furnished tells whether so many nodes are ready and pods can be created. The error is one to give up on.
func furnished(ctx context.Context, client kubernetes.Interface, nodes int) (bool, error) {
	ready, _, err := readyNodes(ctx, client)
	if err != nil || ready < nodes {
		return false, err
	}
	_, err = client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// readyNodes counts the nodes that take pods, and all nodes: a new one says that it is ready before its taint is gone.
func readyNodes(ctx context.Context, client kubernetes.Interface) (ready, all int, err error) {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, 0, fmt.Errorf("list nodes: %w", err)
	}
	for i := range nodes.Items {
		if nodeReady(&nodes.Items[i]) {
			ready++
		}
	}
	return ready, len(nodes.Items), nil
}

func nodeReady(n *corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue && len(n.Spec.Taints) == 0
		}
	}
	return false
}
