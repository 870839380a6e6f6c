package cluster

import (
	"maps"

	"helm.sh/helm/v3/pkg/release"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Annotations by which Helm recognizes the objects of a release.
const (
	ReleaseNameAnnotation      = "meta.helm.sh/release-name"
	ReleaseNamespaceAnnotation = "meta.helm.sh/release-namespace"
)

// managedByLabel is the label that Helm adds to its objects, together with the annotations of the
// release.
const managedByLabel = "app.kubernetes.io/managed-by"

// IsOwnedBy reports whether an object belongs to the release.
func IsOwnedBy(owner *release.Release, live *unstructured.Unstructured) bool {
	marks := live.GetAnnotations()
	return marks[ReleaseNameAnnotation] == owner.Name && marks[ReleaseNamespaceAnnotation] == owner.Namespace
}

// IsOwnedByOther reports whether an object belongs to another release.
func IsOwnedByOther(live *unstructured.Unstructured, owner *release.Release) bool {
	marks := live.GetAnnotations()
	name, namespace := marks[ReleaseNameAnnotation], marks[ReleaseNamespaceAnnotation]
	return name != "" && name != owner.Name || namespace != "" && namespace != owner.Namespace
}

// setOwnership marks an object as part of a release.
func setOwnership(object *unstructured.Unstructured, namespace string, owner *release.Release) {
	labels := map[string]string{}
	maps.Copy(labels, object.GetLabels())
	labels[managedByLabel] = "Helm"
	object.SetLabels(labels)
	annotations := map[string]string{}
	maps.Copy(annotations, object.GetAnnotations())
	annotations[ReleaseNameAnnotation], annotations[ReleaseNamespaceAnnotation] = owner.Name, owner.Namespace
	object.SetAnnotations(annotations)
	object.SetNamespace(namespace)
	// The controller of a kind sets the status.
	unstructured.RemoveNestedField(object.Object, "status")
}
