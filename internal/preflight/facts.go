package preflight

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Facts are what is known of a cluster and of a tenant's namespace.
type Facts struct {
	// Version is the Kubernetes version as the API server says it, such as v1.36.1.
	Version string
	// Nodes are all nodes. Where there are none, nothing is said about them.
	Nodes []Node
	// Elastic says that nodes are made when pods want them, so that those there are
	// now decide nothing.
	Elastic bool
	// StorageClasses are the names of all classes; DefaultClass is the one that a
	// claim gets which names none, empty if there is none.
	StorageClasses []string
	DefaultClass   string
	// VolumeClasses are the classes of volumes that no claim has taken yet, be they
	// reserved for one or not; the empty one too.
	VolumeClasses []string
	// NamespaceLabels are those of the tenant's namespace.
	NamespaceLabels map[string]string
	// Quotas and Limits are those of the tenant's namespace, as far as the tenant may
	// read them.
	Quotas []Quota
	Limits []corev1.LimitRangeItem
	// Kinds are those of Demand.Kinds that the cluster knows.
	Kinds map[schema.GroupVersionKind]Kind
	// Roles are those of Demand.Roles that are there, with their rules.
	Roles map[RoleRef][]rbacv1.PolicyRule
	// CRDs are those of Demand.CRDs that the cluster has.
	CRDs map[schema.GroupKind]bool
	// Rights are those of the tenant's service account.
	Rights
	// Answers are those to Demand.Attempts, in their order.
	Answers []Answer
	// Records are those of Demand.Releases that exist, nil if they cannot be read.
	Records map[string]Record
	// Accounts are those of Demand.Accounts that exist.
	Accounts map[string]bool
	// AccountMissing reports whether the tenant's service account does not exist.
	AccountMissing bool
}

// Node is what is known of a node.
type Node struct {
	Name         string
	Labels       map[string]string
	Taints       []corev1.Taint
	Architecture string
	// Allocatable is what it offers to pods, and Requested what the pods on it have
	// asked for; both count pods under "pods".
	Allocatable corev1.ResourceList
	Requested   corev1.ResourceList
	// Ready and Unschedulable are as the node says.
	Ready         bool
	Unschedulable bool
}

// usable reports whether the scheduler would use the node now.
func (n *Node) usable() bool { return n.Ready && !n.Unschedulable }

// object is as much of the node as selectors look at.
func (n *Node) object() *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: n.Labels}}
}

// Quota is a ResourceQuota.
type Quota struct {
	Name string
	// Scopes are those of its spec. Scoped says that it has a scope selector, which
	// is not looked into.
	Scopes []corev1.ResourceQuotaScope
	Scoped bool
	Hard   corev1.ResourceList
	Used   corev1.ResourceList
}

// Kind is how the API server serves a kind.
type Kind struct {
	// Resource is the name in the plural, such as deployments.
	Resource   string
	Namespaced bool
}

// RoleRef names a Role of a namespace, or a ClusterRole if Namespace is empty.
type RoleRef struct {
	Namespace string
	Name      string
}

// Rights compares Demand.Needs with what a service account may do.
type Rights struct {
	// Missing are the needs that the account lacks.
	Missing []Need
	// Replaced are the needs whose rules the account lacks, and that it meets by what
	// suffices instead.
	Replaced []Need
}

// Need is something that the tenant's service account must be allowed.
type Need struct {
	// Namespace is where; the whole cluster if empty.
	Namespace string
	// Rules have one resource and one verb each.
	Rules []rbacv1.PolicyRule
	// Instead suffices as well, all of it together; nothing does if it is empty.
	Instead []rbacv1.PolicyRule
}
