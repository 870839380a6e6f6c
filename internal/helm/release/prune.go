package release

import (
	"context"
	"fmt"
	"slices"

	"helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/cluster"
)

// pruneObjects deletes objects that the revisions have left behind and that the present revision does not
// contain, starting with the newest revision. It keeps volume claims and objects that are marked to
// be kept.
func (o *operation) pruneObjects(revisions []*release.Release, present *release.Release) error {
	wanted := map[cluster.Identity]bool{}
	refs, err := o.ObjectRefs(present)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		wanted[cluster.IdentityOf(ref)] = true
	}
	var left []removedObject
	for _, revision := range slices.Backward(revisions) {
		if revision.Version == present.Version {
			continue
		}
		refs, err := o.ObjectRefs(revision)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			if wanted[cluster.IdentityOf(ref)] {
				continue
			}
			wanted[cluster.IdentityOf(ref)] = true // check each object only once
			live, err := o.GetObject(o.ctx, ref)
			if err != nil {
				return fmt.Errorf("get %s, left behind by revision %d: %w", ref, revision.Version, err)
			}
			if live != nil && cluster.IsOwnedBy(present, live) {
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
		if one.keeps || kept[cluster.IdentityOf(one.ref)] {
			continue
		}
		if err := o.deleteObjectRef(one.ref); err != nil {
			return fmt.Errorf("delete %s: %w", one.ref, err)
		}
	}
	return nil
}

func (o *operation) deleteObjectRef(ref v1alpha1.ObjectReference) error {
	objects, err := o.ResourceClient(ref)
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

// isRemoved reports whether a release was removed, or its removal was started.
func isRemoved(r *release.Release) bool {
	return !r.Info.Deleted.IsZero() ||
		r.Info.Status == release.StatusUninstalled || r.Info.Status == release.StatusUninstalling
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

func deleteObject(ctx context.Context, objects dynamic.ResourceInterface, name string) error {
	policy := metav1.DeletePropagationBackground
	err := objects.Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &policy})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

var claimKind = corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim")
