package release

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/appmarket/operator/api/v1alpha1"
)

// workloads are the kinds that Stop scales to zero.
var workloads = map[schema.GroupKind]bool{
	{Group: "apps", Kind: "Deployment"}:        true,
	{Group: "apps", Kind: "StatefulSet"}:       true,
	{Group: "apps", Kind: "DaemonSet"}:         true,
	{Group: "apps", Kind: "ReplicaSet"}:        true,
	{Group: "batch", Kind: "Job"}:              true,
	{Group: "batch", Kind: "CronJob"}:          true,
	{Group: "", Kind: "ReplicationController"}: true,
}

// IsWorkload reports whether Client.Stop scales an object of this kind to zero.
func IsWorkload(object v1alpha1.ObjectReference) bool {
	return workloads[schema.FromAPIVersionAndKind(object.APIVersion, object.Kind).GroupKind()]
}
