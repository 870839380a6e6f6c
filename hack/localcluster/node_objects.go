package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// localClass is the storage class of the node's volumes. A claim is bound when a pod uses it.
	localClass = "local"
	// localVolumes is how many volumes a node has. One is used once: there is no provisioner that would empty it.
	localVolumes = 16
)

// furnishNode creates what the node and its pods need in the API: the address of the API server, the rights of
// kube-proxy, and volumes.
func furnishNode(ctx context.Context, client kubernetes.Interface, l layout) error {
	port, err := strconv.ParseInt(apiServerPort, 10, 32)
	if err != nil {
		return fmt.Errorf("read port: %w", err)
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: "kubernetes", Namespace: "default",
			Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{hostAddress}}},
		Ports:       []discoveryv1.EndpointPort{{Name: pointer("https"), Port: pointer(int32(port)), Protocol: pointer(corev1.ProtocolTCP)}},
	}
	_, err = client.DiscoveryV1().EndpointSlices(slice.Namespace).Create(ctx, slice, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create endpoints of the API server: %w", err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "localcluster-kube-proxy"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:node-proxier"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "system:kube-proxy"}},
	}
	_, err = client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("bind role of kube-proxy: %w", err)
	}
	return furnishVolumes(ctx, client, l)
}

// furnishVolumes creates the storage class, which is the default one where no node is simulated, and its volumes.
func furnishVolumes(ctx context.Context, client kubernetes.Interface, l layout) error {
	binding := storagev1.VolumeBindingWaitForFirstConsumer
	class := &storagev1.StorageClass{
		ObjectMeta:        metav1.ObjectMeta{Name: localClass},
		Provisioner:       "kubernetes.io/no-provisioner",
		VolumeBindingMode: &binding,
	}
	if !l.simulates() {
		class.Annotations = map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}
	}
	_, err := client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create storage class: %w", err)
	}
	for i := range localVolumes {
		volume := localVolume(i, l)
		// Any user may write it: a pod without fsGroup runs as whoever its image says.
		if err := os.MkdirAll(volume.Spec.Local.Path, 0o755); err != nil {
			return fmt.Errorf("make volume: %w", err)
		}
		if err := os.Chmod(volume.Spec.Local.Path, 0o777); err != nil {
			return fmt.Errorf("make volume: %w", err)
		}
		if _, err := client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create volume: %w", err)
		}
	}
	return nil
}

func localVolume(i int, l layout) *corev1.PersistentVolume {
	name := fmt.Sprintf("local-%d", i)
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")},
			AccessModes:                   []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			StorageClassName:              localClass,
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				Local: &corev1.LocalVolumeSource{Path: l.node("volumes", name)},
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{nodeName},
				}}}},
			}},
		},
	}
}

// unfurnishNode deletes the node and its volumes from the API.
func unfurnishNode(ctx context.Context, client kubernetes.Interface) error {
	err := client.CoreV1().Nodes().Delete(ctx, nodeName, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete node: %w", err)
	}
	for i := range localVolumes {
		name := localVolume(i, layout{}).Name
		err := client.CoreV1().PersistentVolumes().Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete volume: %w", err)
		}
	}
	return nil
}

// nodeRuns reports whether the node takes pods, and pods can be created.
func nodeRuns(ctx context.Context, client kubernetes.Interface) (bool, error) {
	node, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil || !nodeReady(node) {
		return false, err
	}
	return furnished(ctx, client, 0)
}

func pointer[T any](value T) *T { return &value }
