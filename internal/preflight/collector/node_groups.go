package collector

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/appmarket/operator/internal/preflight"
)

// +kubebuilder:rbac:groups=karpenter.sh,resources=nodepools,verbs=list
// +kubebuilder:rbac:groups="",resources=configmaps,resourceNames=cluster-autoscaler-status,verbs=get

// NodesOnDemand specifies whether nodes are created on demand.
type NodesOnDemand string

const (
	// NodesOnDemandAuto detects Karpenter and the Cluster Autoscaler.
	NodesOnDemandAuto NodesOnDemand = "Auto"
	// NodesOnDemandAlways assumes that a node is created for every Pod.
	NodesOnDemandAlways NodesOnDemand = "Always"
	// NodesOnDemandNever assumes that no node is created.
	NodesOnDemandNever NodesOnDemand = "Never"
)

// MarshalText returns the value as text.
func (m NodesOnDemand) MarshalText() ([]byte, error) { return []byte(m), nil }

// UnmarshalText sets the value. It returns an error if the text is not a value.
func (m *NodesOnDemand) UnmarshalText(text []byte) error {
	switch mode := NodesOnDemand(text); mode {
	case NodesOnDemandAuto, NodesOnDemandAlways, NodesOnDemandNever:
		*m = mode
		return nil
	}
	return errors.New("must be Auto, Always or Never")
}

// maxNodePools bounds the NodePools that are read.
const maxNodePools = 200

// CanAddNodes reports whether nodes are created on demand.
func (c *Collector) CanAddNodes(ctx context.Context) (bool, error) {
	groups, err := c.nodeGroups(ctx)
	return len(groups) > 0, err
}

// nodeGroups returns the groups in which nodes are created on demand.
func (c *Collector) nodeGroups(ctx context.Context) ([]preflight.NodeGroup, error) {
	switch c.nodesOnDemand {
	case NodesOnDemandAlways:
		return []preflight.NodeGroup{{}}, nil
	case NodesOnDemandNever:
		return nil, nil
	}
	groups, err := c.karpenterGroups(ctx)
	if err != nil {
		return nil, err
	}
	canGrow, err := c.canAutoscalerAddNodes(ctx)
	if err != nil {
		return nil, err
	}
	if canGrow {
		// The status does not contain the labels and the resources of new nodes.
		groups = append(groups, preflight.NodeGroup{})
	}
	return groups, nil
}

// karpenterGroups returns the NodePools of Karpenter that create nodes. If the operator may not
// list NodePools, it returns one unlimited group.
func (c *Collector) karpenterGroups(ctx context.Context) ([]preflight.NodeGroup, error) {
	served := servedKinds{discovery: c.operator.Discovery(), versions: map[schema.GroupVersion][]metav1.APIResource{}}
	version := schema.GroupVersion{Group: "karpenter.sh", Version: "v1"}
	kind, found, err := served.findKind(version.WithKind("NodePool"))
	if err != nil || !found {
		return nil, err
	}
	list, err := c.objects.Resource(version.WithResource(kind.Resource)).List(ctx, metav1.ListOptions{Limit: maxNodePools})
	switch {
	case apierrors.IsForbidden(err):
		return []preflight.NodeGroup{{}}, nil
	case apierrors.IsNotFound(err):
		return nil, nil // The CRD was deleted.
	case err != nil:
		return nil, fmt.Errorf("list NodePools: %w", err)
	}
	var groups []preflight.NodeGroup
	for _, item := range list.Items {
		var pool nodePool
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(item.Object, &pool); err != nil {
			return nil, fmt.Errorf("decode NodePool %s: %w", item.GetName(), err)
		}
		if pool.canAddNodes() {
			groups = append(groups, pool.toNodeGroup())
		}
	}
	return groups, nil
}

// nodePool contains the fields of a NodePool that the checks use.
type nodePool struct {
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		// Replicas is the fixed number of nodes of a static pool.
		Replicas *int64              `json:"replicas"`
		Limits   corev1.ResourceList `json:"limits"`
		Template struct {
			Metadata struct {
				Labels map[string]string `json:"labels"`
			} `json:"metadata"`
			Spec struct {
				Taints       []corev1.Taint                   `json:"taints"`
				Requirements []corev1.NodeSelectorRequirement `json:"requirements"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
	Status struct {
		Resources  corev1.ResourceList `json:"resources"`
		Conditions []metav1.Condition  `json:"conditions"`
	} `json:"status"`
}

// resourceNodes is the resource that counts the nodes of a NodePool.
const resourceNodes corev1.ResourceName = "nodes"

// canAddNodes reports whether Karpenter creates nodes for Pods in the pool.
func (p *nodePool) canAddNodes() bool {
	if p.Spec.Replicas != nil || p.DeletionTimestamp != nil || meta.IsStatusConditionFalse(p.Status.Conditions, "Ready") {
		return false
	}
	nodes, limited := p.remainingResources()[resourceNodes]
	return !limited || nodes.Sign() > 0
}

// remainingResources returns the limits of the pool without the resources of its nodes.
func (p *nodePool) remainingResources() corev1.ResourceList {
	remaining := corev1.ResourceList{}
	for name, limit := range p.Spec.Limits {
		amount := limit.DeepCopy()
		amount.Sub(p.Status.Resources[name])
		if amount.Sign() < 0 {
			amount.Set(0)
		}
		remaining[name] = amount
	}
	return remaining
}

// toNodeGroup converts the pool. It takes the labels whose values the pool lists.
func (p *nodePool) toNodeGroup() preflight.NodeGroup {
	template := p.Spec.Template
	group := preflight.NodeGroup{Labels: map[string][]string{}, Taints: template.Spec.Taints, Limits: p.remainingResources()}
	delete(group.Limits, resourceNodes)
	for _, r := range template.Spec.Requirements {
		if r.Operator == corev1.NodeSelectorOpIn {
			group.Labels[r.Key] = r.Values
		}
	}
	for key, value := range template.Metadata.Labels {
		group.Labels[key] = []string{value}
	}
	return group
}
