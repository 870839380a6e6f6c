package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/kube"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/util/retry"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/cluster"
	plain "github.com/appmarket/operator/internal/release"
)

// maxOwners bounds the number of owners between a volume claim and an object of a release.
const maxOwners = 10

// removedObject is an object that is removed from its release.
type removedObject struct {
	ref v1alpha1.ObjectReference
	// defines is the kind that a CRD defines, and empty for other objects.
	defines schema.GroupKind
	// keeps reports that the chart marks the object to be kept.
	keeps bool
}

// retention describes the objects to keep when other objects are deleted. The deletion of an object
// deletes the claims that it owns. The deletion of a Namespace deletes the claims in it, and the
// deletion of a CRD deletes the claims that its resources own.
type retention struct {
	// retained contains the objects that must not be deleted: the namespace of the release,
	// Namespaces that contain claims, CRDs whose resources own claims, and objects that are kept in
	// any case.
	retained map[cluster.Identity]v1alpha1.ObjectReference
	// claims contains the claims that belong to the release and are kept.
	claims map[cluster.Identity]v1alpha1.ObjectReference
	// owned contains the claims that would be deleted with their owners.
	owned []ownedClaim
}

// ownedClaim is a volume claim with its owners that are, or belong to, leaving objects.
type ownedClaim struct {
	claim  *unstructured.Unstructured
	owners []types.UID
}

// keptObjects returns all objects that are kept, sorted.
func (r *retention) keptObjects() []v1alpha1.ObjectReference {
	all := slices.Collect(maps.Values(r.claims))
	all = slices.AppendSeq(all, maps.Values(r.retained))
	slices.SortFunc(all, func(a, b v1alpha1.ObjectReference) int { return strings.Compare(sortKey(a), sortKey(b)) })
	return all
}

func sortKey(ref v1alpha1.ObjectReference) string {
	return strings.Join([]string{ref.Namespace, ref.Kind, ref.Name, ref.APIVersion}, "/")
}

// isContainer reports whether the deletion of an object deletes other objects: the objects in a
// Namespace, or the objects of the kind that a CRD defines.
func isContainer(ref v1alpha1.ObjectReference) bool { return isNamespace(ref) || isCRD(ref) }

func isNamespace(ref v1alpha1.ObjectReference) bool {
	return ref.Kind == namespaceKind.Kind && cluster.IdentityOf(ref).Group == corev1.GroupName
}

func isCRD(ref v1alpha1.ObjectReference) bool {
	return ref.Kind == crdKind && cluster.IdentityOf(ref).Group == "apiextensions.k8s.io"
}

func isCustom(ref v1alpha1.ObjectReference) bool {
	return plain.IsCustomGroup(cluster.IdentityOf(ref).Group)
}

// removedObjectFor returns the description of an object from a manifest or from the cluster.
func removedObjectFor(ref v1alpha1.ObjectReference, object *unstructured.Unstructured) removedObject {
	l := removedObject{ref: ref, keeps: object.GetAnnotations()[kube.ResourcePolicyAnno] == kube.KeepPolicy}
	if isCRD(ref) {
		l.defines.Group, _, _ = unstructured.NestedString(object.Object, "spec", "group")
		l.defines.Kind, _, _ = unstructured.NestedString(object.Object, "spec", "names", "kind")
	}
	return l
}

func toRemovedObjects(resources kube.ResourceList) []removedObject {
	var all []removedObject
	for _, info := range resources {
		if object, ok := info.Object.(*unstructured.Unstructured); ok {
			all = append(all, removedObjectFor(infoRef(info), object))
		}
	}
	return all
}

// retainObjects prepares the deletion of objects and returns the objects that must not be deleted. It
// notifies the observer of all objects that are kept before it changes anything, and then removes
// owners that are about to be deleted from claims.
func (o *operation) retainObjects(objects []removedObject) (map[cluster.Identity]bool, error) {
	r, err := o.planRetention(objects)
	if err != nil {
		return nil, err
	}
	if err := o.noteRetained(r.keptObjects()); err != nil {
		return nil, err
	}
	for _, one := range r.owned {
		if err := o.releaseOwnedClaim(one); err != nil {
			return nil, fmt.Errorf("keep volume claim %s: %w", one.claim.GetName(), err)
		}
	}
	kept := map[cluster.Identity]bool{}
	for key := range r.retained {
		kept[key] = true
	}
	return kept, nil
}

// noteRetained notifies the observer of objects that outlive their release, and adds the label of
// the instance to the volume claims among them, so that the claims can be found after the instance
// is deleted.
func (o *operation) noteRetained(objects []v1alpha1.ObjectReference) error {
	observer := plain.ObserverFrom(o.ctx)
	if len(objects) > 0 && observer.Retaining != nil {
		if err := observer.Retaining(o.ctx, objects); err != nil {
			return err
		}
	}
	for _, one := range objects {
		if cluster.IsClaim(one) && o.instance != "" {
			if err := o.labelClaim(one); err != nil {
				return fmt.Errorf("label volume claim %s: %w", one.Name, err)
			}
		}
	}
	return nil
}

// labelClaim adds the label of the instance to a claim, if the tenant may change the claim.
func (o *operation) labelClaim(ref v1alpha1.ObjectReference) error {
	claims, err := o.ResourceClient(ref)
	if err != nil {
		return err
	}
	label, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{v1alpha1.InstanceLabel: o.instance}}})
	if err != nil {
		return fmt.Errorf("make patch: %w", err)
	}
	_, err = claims.Patch(o.ctx, ref.Name, types.MergePatchType, label, metav1.PatchOptions{FieldManager: kube.ManagedFieldsManager})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil
	}
	return err
}

// retainInfos calls retain for objects of Helm and stores which of them must be kept.
func (c *kubeClient) retainInfos(resources kube.ResourceList) error {
	kept, err := c.operation.retainObjects(toRemovedObjects(resources))
	if err != nil {
		return c.storeFailure(err)
	}
	c.keepObjects(kept)
	return nil
}

// keepObjects stores objects that must not be deleted.
func (c *kubeClient) keepObjects(objects map[cluster.Identity]bool) {
	if c.retained == nil {
		c.retained = map[cluster.Identity]bool{}
	}
	maps.Copy(c.retained, objects)
}

func (c *kubeClient) isRetained(info *resource.Info) bool {
	return c.retained[cluster.IdentityOf(infoRef(info))]
}

// planRetention returns the objects that must be kept when the given objects are deleted. It
// changes nothing.
func (o *operation) planRetention(objects []removedObject) (*retention, error) {
	r := &retention{retained: map[cluster.Identity]v1alpha1.ObjectReference{}, claims: map[cluster.Identity]v1alpha1.ObjectReference{}}
	search := claimSearch{
		operation: o, retention: r, removed: map[cluster.Identity]bool{}, defined: map[schema.GroupKind]v1alpha1.ObjectReference{}, known: map[types.UID]origin{},
	}
	places := map[string]*removedObject{}
	for _, one := range objects {
		switch {
		case isNamespace(one.ref) && one.ref.Name == o.client.tenant.Namespace:
			r.retained[cluster.IdentityOf(one.ref)] = one.ref
		case one.keeps || cluster.IsClaim(one.ref):
			if err := o.addKept(r, one.ref); err != nil {
				return nil, err
			}
		default:
			search.addObject(one)
			o.searchIn(places, one)
		}
	}
	if err := search.searchNamespaces(places); err != nil {
		return nil, err
	}
	return r, nil
}

// addKept adds an object that is kept in any case, if it exists and does not belong to another
// release.
func (o *operation) addKept(r *retention, ref v1alpha1.ObjectReference) error {
	live, err := o.GetObject(o.ctx, ref)
	if err != nil {
		return fmt.Errorf("get %s: %w", ref, err)
	}
	if live != nil && live.GetDeletionTimestamp() == nil && !cluster.IsOwnedByOther(live, o.release) {
		r.retained[cluster.IdentityOf(ref)] = ref
	}
	return nil
}

// searchIn adds the namespaces whose claims an object may own. The name "" stands for all
// namespaces. For each namespace, it stores the object with the highest risk.
func (o *operation) searchIn(places map[string]*removedObject, one removedObject) {
	names := []string{one.ref.Namespace}
	switch {
	case isNamespace(one.ref):
		names = []string{one.ref.Name}
	case one.ref.Namespace == "" && !isCRD(one.ref) && !isCustom(one.ref):
		return
	case one.ref.Namespace == "":
		names = []string{"", o.client.tenant.Namespace}
	}
	for _, name := range names {
		if known := places[name]; known == nil || deletionRisk(one.ref) > deletionRisk(known.ref) {
			places[name] = &one
		}
	}
}

// deletionRisk orders objects by the probability that their deletion deletes claims. For a Namespace or a
// CRD, the loss can be avoided by keeping the object.
func deletionRisk(ref v1alpha1.ObjectReference) int {
	switch {
	case isContainer(ref):
		return 1
	case isCustom(ref):
		return 2
	}
	return 0
}

// releaseOwnedClaim removes the owners that are about to be deleted from a claim.
func (o *operation) releaseOwnedClaim(one ownedClaim) error {
	claims, err := o.ResourceClient(cluster.ClaimRef(one.claim.GetNamespace(), ""))
	if err != nil {
		return err
	}
	claim := one.claim
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		err := removeClaimOwners(o.ctx, claims, claim, one.owners...)
		if apierrors.IsConflict(err) {
			fresh, getErr := o.GetObject(o.ctx, cluster.ClaimRef(claim.GetNamespace(), claim.GetName()))
			if getErr != nil || fresh == nil {
				return errors.Join(getErr)
			}
			claim = fresh
		}
		return err
	})
}
