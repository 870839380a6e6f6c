package helm

import (
	"context"
	"fmt"
	"slices"

	"helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// pruneObjects deletes objects that the revisions have left behind and that the present revision does not
// contain, starting with the newest revision. It keeps volume claims and objects that are marked to
// be kept.
func (o *operation) pruneObjects(revisions []*release.Release, present *release.Release) error {
	wanted := map[identity]bool{}
	refs, err := o.client.objectRefs(present)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		wanted[identityOf(ref)] = true
	}
	var left []removedObject
	for _, revision := range slices.Backward(revisions) {
		if revision.Version == present.Version {
			continue
		}
		refs, err := o.client.objectRefs(revision)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			if wanted[identityOf(ref)] {
				continue
			}
			wanted[identityOf(ref)] = true // check each object only once
			live, err := o.getObject(o.ctx, ref)
			if err != nil {
				return fmt.Errorf("get %s, left behind by revision %d: %w", ref, revision.Version, err)
			}
			if live != nil && isOwnedBy(present, live) {
				left = append(left, removedObjectFor(ref, live))
			}
		}
	}
	return o.deleteLeftover(left)
}

// deleteLeftover deletes objects of the release, except objects that must be kept.
func (o *operation) deleteLeftover(objects []removedObject) error {
	if len(objects) == 0 {
		return nil
	}
	for _, one := range objects {
		if err := o.cluster.retainClaims(one.ref); err != nil {
			return err
		}
	}
	kept, err := o.retainObjects(objects)
	if err != nil {
		return err
	}
	for _, one := range objects {
		if one.keeps || kept[identityOf(one.ref)] {
			continue
		}
		if err := o.deleteObjectRef(one.ref); err != nil {
			return fmt.Errorf("delete %s: %w", one.ref, err)
		}
	}
	return nil
}

func (o *operation) deleteObjectRef(ref ObjectRef) error {
	objects, err := o.resourceClient(ref)
	if err != nil {
		return err
	}
	return deleteObject(o.ctx, objects, ref.Name)
}

// incompleteRevisions returns the revisions after the last complete one. An upgrade compares only with the
// last complete revision, so that Helm does not know the objects of these revisions.
func incompleteRevisions(history []*release.Release) []*release.Release {
	return history[lastCompleteIndex(history)+1:]
}

// replacedRevisions returns the revisions whose objects may exist in the cluster: the last complete one and
// all later ones. For a rollback and an uninstallation, Helm considers only the newest revision.
func replacedRevisions(history []*release.Release) []*release.Release {
	return history[max(lastCompleteIndex(history), 0):]
}

// lastCompleteIndex returns the index of the newest revision that was complete, or -1 if there is none.
func lastCompleteIndex(history []*release.Release) int {
	last := -1
	for i := range history {
		if hasBeenDeployed(history[i : i+1]) {
			last = i
		}
	}
	return last
}

// isOwnedBy reports whether an object belongs to the release.
func isOwnedBy(owner *release.Release, live *unstructured.Unstructured) bool {
	marks := live.GetAnnotations()
	return marks[releaseNameAnnotation] == owner.Name && marks[releaseNamespaceAnnotation] == owner.Namespace
}

// Annotations by which Helm recognizes the objects of a release.
const (
	releaseNameAnnotation      = "meta.helm.sh/release-name"
	releaseNamespaceAnnotation = "meta.helm.sh/release-namespace"
)

// resourceClient returns a client for the objects of a kind, which acts as the tenant.
func (o *operation) resourceClient(ref ObjectRef) (dynamic.ResourceInterface, error) {
	mapping, err := o.client.restMappingFor(ref)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(o.rest)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return client.Resource(mapping.Resource), nil
	}
	return client.Resource(mapping.Resource).Namespace(ref.Namespace), nil
}

func deleteObject(ctx context.Context, objects dynamic.ResourceInterface, name string) error {
	policy := metav1.DeletePropagationBackground
	err := objects.Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &policy})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

var claimKind = corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim")
