package release

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/appmarket/operator/api/v1alpha1"
)

// workloads are the kinds that Stop brings to nothing.
var workloads = map[schema.GroupKind]bool{
	{Group: "apps", Kind: "Deployment"}:        true,
	{Group: "apps", Kind: "StatefulSet"}:       true,
	{Group: "apps", Kind: "DaemonSet"}:         true,
	{Group: "apps", Kind: "ReplicaSet"}:        true,
	{Group: "batch", Kind: "Job"}:              true,
	{Group: "batch", Kind: "CronJob"}:          true,
	{Group: "", Kind: "ReplicationController"}: true,
}

// IsWorkload reports whether an object is of a kind that Client.Stop brings to nothing.
func IsWorkload(object v1alpha1.ObjectReference) bool {
	return workloads[schema.FromAPIVersionAndKind(object.APIVersion, object.Kind).GroupKind()]
}
