package placement

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// defaultClassAnnotation is the annotation that marks the default storage class.
const defaultClassAnnotation = "storageclass.kubernetes.io/is-default-class"

// readCluster returns the state of the cluster.
func (o *Observer) readCluster(ctx context.Context) (*Cluster, error) {
	c := &Cluster{}
	var err error
	if c.AddsNodes, err = o.AddsNodes(ctx); err != nil {
		return nil, fmt.Errorf("find out whether nodes are created on demand: %w", err)
	}
	return c, errors.Join(o.addKinds(ctx, c), o.addClasses(ctx, c), o.addNodes(ctx, c))
}

// addKinds adds the version and the served kinds.
func (o *Observer) addKinds(ctx context.Context, c *Cluster) error {
	if err := o.Kinds.Refresh(ctx, 0); err != nil {
		return fmt.Errorf("discover kinds: %w", err)
	}
	served, err := o.Kinds.Discovery(ctx)
	if err != nil {
		return fmt.Errorf("discover kinds: %w", err)
	}
	version, err := served.ServerVersion()
	if err != nil {
		return fmt.Errorf("get the version of the cluster: %w", err)
	}
	c.Version, c.Kinds, c.UnknownVersions = version.GitVersion, map[v1alpha1.RequiredKind]bool{}, map[string]bool{}
	lists, unknown, err := o.Kinds.ListResources(ctx)
	if err != nil {
		return fmt.Errorf("discover kinds: %w", err)
	}
	for _, version := range unknown {
		c.UnknownVersions[version.String()] = true
	}
	for _, list := range lists {
		for _, one := range list.APIResources {
			c.Kinds[v1alpha1.RequiredKind{APIVersion: list.GroupVersion, Kind: one.Kind}] = true
		}
	}
	return nil
}

// addClasses adds the storage classes and ingress classes.
func (o *Observer) addClasses(ctx context.Context, c *Cluster) error {
	c.StorageClasses, c.IngressClasses = map[string]bool{}, map[string]bool{}
	var storage storagev1.StorageClassList
	if err := o.Cache.List(ctx, &storage, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list StorageClasses: %w", err)
	}
	for i := range storage.Items {
		c.StorageClasses[storage.Items[i].Name] = true
		c.HasDefaultStorageClass = c.HasDefaultStorageClass || storage.Items[i].Annotations[defaultClassAnnotation] == "true"
	}
	var ingress networkingv1.IngressClassList
	if err := o.Cache.List(ctx, &ingress, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list IngressClasses: %w", err)
	}
	for i := range ingress.Items {
		c.IngressClasses[ingress.Items[i].Name] = true
	}
	return nil
}

// addNodes adds the architectures and resources of the nodes. Nodes that are not ready or are cordoned count,
// because they usually return.
func (o *Observer) addNodes(ctx context.Context, c *Cluster) error {
	var nodes corev1.NodeList
	if err := o.Cache.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	architectures := map[string]bool{}
	c.Largest = map[string]resource.Quantity{}
	for i := range nodes.Items {
		status := &nodes.Items[i].Status
		if status.NodeInfo.Architecture != "" {
			architectures[status.NodeInfo.Architecture] = true
		}
		for name, amount := range status.Allocatable {
			if largest, known := c.Largest[string(name)]; !known || amount.Cmp(largest) > 0 {
				c.Largest[string(name)] = amount.DeepCopy()
			}
		}
	}
	c.Architectures = slices.Sorted(maps.Keys(architectures))
	return nil
}
