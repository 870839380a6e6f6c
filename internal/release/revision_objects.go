package release

import (
	"crypto/sha256"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/appmarket/operator/api/v1alpha1"
)

// RevisionObject is an object in the recorded manifest of a revision.
type RevisionObject struct {
	Object v1alpha1.ObjectReference
	// Digest is the digest of the recorded object.
	Digest [sha256.Size]byte
	// IsKept reports whether the chart marks the object to be kept when it is removed.
	IsKept bool
	// Storage is the storage that a PersistentVolumeClaim requests, as a quantity. It is empty for
	// other objects, and if the request is not known.
	Storage string
}

// restartable are the kinds whose controllers replace the Pods when the Pod template changes.
var restartable = map[schema.GroupKind]bool{
	{Group: "apps", Kind: "Deployment"}:  true,
	{Group: "apps", Kind: "StatefulSet"}: true,
	{Group: "apps", Kind: "DaemonSet"}:   true,
}

// IsRestartable reports whether Client.Restart replaces the Pods of an object of this kind.
func IsRestartable(object v1alpha1.ObjectReference) bool {
	return restartable[schema.FromAPIVersionAndKind(object.APIVersion, object.Kind).GroupKind()]
}
