package preflight

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Facts contains the known state of the cluster and of the tenant's namespace.
type Facts struct {
	// Version is the Kubernetes version that the API server reports, such as v1.36.1.
	Version string
	// Nodes contains all nodes. If it is empty, no check of nodes is made.
	Nodes []Node
	// NodeGroups contains the groups in which nodes are created on demand.
	NodeGroups []NodeGroup
	// StorageClasses contains the names of all storage classes. DefaultClass is the name of
	// the default class, or "" if there is none.
	StorageClasses []string
	DefaultClass   string
	// VolumeClasses contains the storage classes of volumes that are not bound to a claim,
	// including volumes that are reserved for one. It can contain "".
	VolumeClasses []string
	// NamespaceLabels contains the labels of the tenant's namespace.
	NamespaceLabels map[string]string
	// Quotas and Limits contain the ResourceQuotas and limit ranges of the tenant's
	// namespace that the tenant has permission to read.
	Quotas []Quota
	Limits []corev1.LimitRangeItem
	// Kinds contains the kinds of Requirements.Kinds that the cluster serves.
	Kinds map[schema.GroupVersionKind]Kind
	// Roles contains the rules of the existing roles of Requirements.Roles.
	Roles map[RoleRef][]rbacv1.PolicyRule
	// CRDs contains the kinds of Requirements.CRDs whose CRD exists.
	CRDs map[schema.GroupKind]bool
	// Rights contains the permissions of the tenant's service account.
	Rights
	// Answers contains the results of Requirements.Attempts, in the same order.
	Answers []Answer
	// Records contains the existing releases of Requirements.Releases. It is nil if they cannot
	// be read.
	Records map[string]Record
	// Accounts contains the existing service accounts of Requirements.Accounts.
	Accounts map[string]bool
	// AccountPullSecrets contains the image pull Secrets of the existing service accounts of Requirements.PullAccounts
	// that the tenant has permission to read. Requirements.PullSecrets depends on it.
	AccountPullSecrets map[string][]corev1.LocalObjectReference
	// PullSecrets contains the image pull Secrets of Requirements.PullSecrets that the tenant has permission to
	// read, nil for one that does not exist.
	PullSecrets map[string]*PullSecret
	// AccountMissing reports whether the tenant's service account does not exist.
	AccountMissing bool
}

// Node is the known state of a node.
type Node struct {
	Name         string
	Labels       map[string]string
	Taints       []corev1.Taint
	Architecture string
	// Allocatable contains the allocatable resources of the node, and Requested the sum of
	// the requests of its Pods. The resource "pods" counts Pods.
	Allocatable corev1.ResourceList
	Requested   corev1.ResourceList
	// Ready and Unschedulable are copied from the node.
	Ready         bool
	Unschedulable bool
}

// isUsable reports whether the scheduler considers the node.
func (n *Node) isUsable() bool { return n.Ready && !n.Unschedulable }

// toNode returns a Node with the fields that selectors use.
func (n *Node) toNode() *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: n.Labels}}
}

// Quota contains the fields of a ResourceQuota that the checks use.
type Quota struct {
	Name string
	// Scopes contains the scopes of the spec. Scoped reports whether there is a scope
	// selector, which is not evaluated.
	Scopes []corev1.ResourceQuotaScope
	Scoped bool
	Hard   corev1.ResourceList
	Used   corev1.ResourceList
}

// Kind describes how the API server serves a kind.
type Kind struct {
	// Resource is the plural resource name, such as deployments.
	Resource   string
	Namespaced bool
}

// RoleRef identifies a Role, or a ClusterRole if Namespace is empty.
type RoleRef struct {
	Namespace string
	Name      string
}

// Rights is the result of comparing Requirements.Needs with the permissions of a service account.
type Rights struct {
	// Missing contains the needs that the permissions do not satisfy.
	Missing []Need
	// Replaced contains the needs that only the rules in Need.Instead satisfy.
	Replaced []Need
}

// Need is a permission that the tenant's service account requires.
type Need struct {
	// Namespace is the namespace of the permission, or "" for the whole cluster.
	Namespace string
	// Rules contains rules with one resource and one verb each. All of them are required.
	Rules []rbacv1.PolicyRule
	// Instead contains rules that together satisfy the need as well. It can be empty.
	Instead []rbacv1.PolicyRule
}
