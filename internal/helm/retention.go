package helm

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
	plain "github.com/appmarket/operator/internal/release"
)

// maxOwners bounds the owners between a volume claim and an object of a release.
const maxOwners = 10

// leaving is an object that its release goes without.
type leaving struct {
	ref ObjectRef
	// defines is the kind that a CRD defines, empty for anything else.
	defines schema.GroupKind
	// keeps reports that the chart marks the object to be kept.
	keeps bool
}

// retention is what becomes of volume claims when objects are deleted. An object that
// owns a claim takes the claim with it, and so does the Namespace of the claim and the
// CRD of its owner.
type retention struct {
	// retained are objects that must not be deleted: the namespace of the release,
	// Namespaces that hold claims and CRDs whose resources own claims.
	retained map[identity]ObjectRef
	// claims are those that belong to the release and stay.
	claims map[identity]ObjectRef
	// owned are claims that would be deleted with their owners.
	owned []ownedClaim
}

// ownedClaim is a volume claim with those of its owners that lead to leaving objects.
type ownedClaim struct {
	claim  *unstructured.Unstructured
	owners []types.UID
}

// objects are all that is retained, in order.
func (r *retention) objects() []ObjectRef {
	all := slices.Collect(maps.Values(r.claims))
	all = slices.AppendSeq(all, maps.Values(r.retained))
	slices.SortFunc(all, func(a, b ObjectRef) int { return strings.Compare(sortKey(a), sortKey(b)) })
	return all
}

func sortKey(ref ObjectRef) string {
	return strings.Join([]string{ref.Namespace, ref.Kind, ref.Name, ref.APIVersion}, "/")
}

// isContainer reports whether the deletion of an object deletes other objects: those
// in a Namespace, or all of the kind that a CRD defines.
func isContainer(ref ObjectRef) bool { return isNamespace(ref) || isCRD(ref) }

func isNamespace(ref ObjectRef) bool {
	return ref.Kind == namespaceKind.Kind && identityOf(ref).group == corev1.GroupName
}

func isCRD(ref ObjectRef) bool {
	return ref.Kind == crdKind && identityOf(ref).group == "apiextensions.k8s.io"
}

func isCustom(ref ObjectRef) bool { return plain.IsCustomGroup(identityOf(ref).group) }

// leavingOf describes an object as it is in a manifest or in the cluster.
func leavingOf(ref ObjectRef, object *unstructured.Unstructured) leaving {
	l := leaving{ref: ref, keeps: object.GetAnnotations()[kube.ResourcePolicyAnno] == kube.KeepPolicy}
	if isCRD(ref) {
		l.defines.Group, _, _ = unstructured.NestedString(object.Object, "spec", "group")
		l.defines.Kind, _, _ = unstructured.NestedString(object.Object, "spec", "names", "kind")
	}
	return l
}

func leavingOfInfos(resources kube.ResourceList) []leaving {
	var all []leaving
	for _, info := range resources {
		if object, ok := info.Object.(*unstructured.Unstructured); ok {
			all = append(all, leavingOf(infoRef(info), object))
		}
	}
	return all
}

// retain prepares the deletion of objects: claims are taken from owners that are about
// to be deleted. It returns the objects that must not be deleted. The observer is
// notified of all that stays before anything is changed.
func (o *operation) retain(objects []leaving) (map[identity]bool, error) {
	r, err := o.planRetention(objects)
	if err != nil {
		return nil, err
	}
	if err := o.noteRetained(r.objects()); err != nil {
		return nil, err
	}
	for _, one := range r.owned {
		if err := o.freeOwned(one); err != nil {
			return nil, fmt.Errorf("keep volume claim %s: %w", one.claim.GetName(), err)
		}
	}
	kept := map[identity]bool{}
	for key := range r.retained {
		kept[key] = true
	}
	return kept, nil
}

// noteRetained notifies the observer of objects that outlive their release, and labels
// the volume claims among them with the instance: nothing else names it when the
// instance does not exist any more.
func (o *operation) noteRetained(objects []ObjectRef) error {
	observer := plain.ObserverFrom(o.ctx)
	if len(objects) > 0 && observer.Retaining != nil {
		if err := observer.Retaining(o.ctx, objects); err != nil {
			return err
		}
	}
	for _, one := range objects {
		if isClaimRef(one) && o.instance != "" {
			if err := o.labelClaim(one); err != nil {
				return fmt.Errorf("label volume claim %s: %w", one.Name, err)
			}
		}
	}
	return nil
}

// labelClaim labels a claim with the instance. One that the tenant may not change stays
// without the label.
func (o *operation) labelClaim(ref ObjectRef) error {
	claims, err := o.resource(ref)
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

// retainInfos is retain for objects as Helm has them, and remembers what is kept.
func (c *cluster) retainInfos(resources kube.ResourceList) error {
	kept, err := c.operation.retain(leavingOfInfos(resources))
	if err != nil {
		return c.note(err)
	}
	c.keep(kept)
	return nil
}

// keep notes objects that must not be deleted.
func (c *cluster) keep(objects map[identity]bool) {
	if c.retained == nil {
		c.retained = map[identity]bool{}
	}
	maps.Copy(c.retained, objects)
}

func (c *cluster) isRetained(info *resource.Info) bool { return c.retained[identityOf(infoRef(info))] }

// planRetention finds out what must stay when objects are deleted. Nothing is changed.
func (o *operation) planRetention(objects []leaving) (*retention, error) {
	r := &retention{retained: map[identity]ObjectRef{}, claims: map[identity]ObjectRef{}}
	search := claimSearch{
		operation: o, retention: r, leaving: map[identity]bool{}, defined: map[schema.GroupKind]ObjectRef{}, known: map[types.UID]origin{},
	}
	places := map[string]*leaving{}
	for _, one := range objects {
		switch {
		case isNamespace(one.ref) && one.ref.Name == o.client.tenant.Namespace:
			r.retained[identityOf(one.ref)] = one.ref
		case one.keeps || isClaimRef(one.ref):
			if err := o.addKept(r, one.ref); err != nil {
				return nil, err
			}
		default:
			search.add(one)
			o.searchIn(places, one)
		}
	}
	if err := search.run(places); err != nil {
		return nil, err
	}
	return r, nil
}

// addKept adds an object that is kept in any case, if it exists and belongs to the release.
func (o *operation) addKept(r *retention, ref ObjectRef) error {
	live, err := o.get(o.ctx, ref)
	if err != nil {
		return fmt.Errorf("get %s: %w", ref, err)
	}
	if live != nil && live.GetDeletionTimestamp() == nil && !ofAnother(live, o.release) {
		r.retained[identityOf(ref)] = ref
	}
	return nil
}

// searchIn adds the namespaces in which claims may be owned by an object, all of them
// by the name "". The object is noted if it is likely to own claims.
func (o *operation) searchIn(places map[string]*leaving, one leaving) {
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
		if known := places[name]; known == nil || risk(one.ref) > risk(known.ref) {
			places[name] = &one
		}
	}
}

// risk orders objects by how likely claims are lost with them. The loss by a container
// can be avoided by keeping it.
func risk(ref ObjectRef) int {
	switch {
	case isContainer(ref):
		return 1
	case isCustom(ref):
		return 2
	}
	return 0
}

// freeOwned takes from a claim the owners that are about to be deleted.
func (o *operation) freeOwned(one ownedClaim) error {
	claims, err := o.resource(claimRef(one.claim.GetNamespace(), ""))
	if err != nil {
		return err
	}
	claim := one.claim
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		err := freeClaim(o.ctx, claims, claim, one.owners...)
		if apierrors.IsConflict(err) {
			fresh, getErr := o.get(o.ctx, claimRef(claim.GetNamespace(), claim.GetName()))
			if getErr != nil || fresh == nil {
				return errors.Join(getErr)
			}
			claim = fresh
		}
		return err
	})
}
