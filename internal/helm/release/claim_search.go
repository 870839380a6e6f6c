package release

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/cluster"
)

// claimSearch finds the claims that would be deleted together with leaving objects.
type claimSearch struct {
	*operation
	*retention
	removed map[cluster.Identity]bool
	// defined contains the CRDs among the leaving objects, by the kind that they define.
	defined map[schema.GroupKind]v1alpha1.ObjectReference
	known   map[types.UID]origin
}

// origin describes the owners of an object, including indirect owners.
type origin struct {
	// removed reports that at least one owner is about to be deleted.
	removed bool
	// crds contains the CRDs that are about to be deleted and define the kind of an owner.
	crds []v1alpha1.ObjectReference
}

func (s *claimSearch) addObject(one removedObject) {
	s.removed[cluster.IdentityOf(one.ref)] = true
	if one.defines.Kind != "" {
		s.defined[one.defines] = one.ref
	}
}

func (s *claimSearch) searchNamespaces(places map[string]*removedObject) error {
	for _, name := range slices.Sorted(maps.Keys(places)) {
		cause := places[name].ref
		err := s.searchNamespace(name)
		switch {
		case err == nil && name == "": // all namespaces
			return nil
		case apierrors.IsForbidden(err) && (name == "" || deletionRisk(cause) < 2):
			s.keepUnreadable(name)
		case err != nil:
			return fmt.Errorf("find volume claims that are lost with %s: %w", cause, err)
		}
	}
	return nil
}

// keepUnreadable keeps the Namespace and the CRDs whose deletion could delete claims that the tenant
// may not list. Other objects are unlikely to own claims.
func (s *claimSearch) keepUnreadable(namespace string) {
	inside := v1alpha1.ObjectReference{APIVersion: "v1", Kind: namespaceKind.Kind, Name: namespace}
	if s.removed[cluster.IdentityOf(inside)] {
		s.retained[cluster.IdentityOf(inside)] = inside
	}
	for _, crd := range s.defined {
		s.retained[cluster.IdentityOf(crd)] = crd
	}
}

// searchNamespace checks the claims of a namespace, or of all namespaces if the name is empty.
func (s *claimSearch) searchNamespace(namespace string) error {
	claims, err := s.ResourceClient(cluster.ClaimRef(namespace, ""))
	if err != nil {
		return err
	}
	found, err := claims.List(s.ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	return s.checkClaims(found.Items)
}

// checkClaims checks all claims, even if the tenant may not read an owner of one of them. In that
// case it returns the first such error.
func (s *claimSearch) checkClaims(claims []unstructured.Unstructured) error {
	var unseen error
	for i := range claims {
		if claims[i].GetDeletionTimestamp() != nil {
			continue
		}
		err := s.checkClaim(&claims[i])
		if err != nil && !apierrors.IsForbidden(err) {
			return err
		}
		unseen = cmp.Or(unseen, err)
	}
	return unseen
}

func (s *claimSearch) checkClaim(claim *unstructured.Unstructured) error {
	own := ownedClaim{claim: claim}
	var unseen error
	for _, owner := range claim.GetOwnerReferences() {
		if owner.Kind == podKind.Kind && owner.APIVersion == podKind.Version {
			return nil // an ephemeral volume, which is deleted with its pod by design
		}
		from, err := s.traceOwner(owner, claim.GetNamespace(), maxOwners)
		if err != nil && !apierrors.IsForbidden(err) {
			return err
		}
		unseen = cmp.Or(unseen, err)
		if from.removed {
			own.owners = append(own.owners, owner.UID)
		}
		for _, crd := range from.crds {
			s.retained[cluster.IdentityOf(crd)] = crd
		}
	}
	ref := cluster.ClaimRef(claim.GetNamespace(), claim.GetName())
	inside := v1alpha1.ObjectReference{APIVersion: "v1", Kind: namespaceKind.Kind, Name: claim.GetNamespace()}
	held := s.removed[cluster.IdentityOf(inside)]
	if held {
		s.retained[cluster.IdentityOf(inside)] = inside
	}
	if len(own.owners) > 0 {
		s.owned = append(s.owned, own)
	}
	if (held || len(own.owners) > 0) && !cluster.IsOwnedByOther(claim, s.release) {
		s.claims[cluster.IdentityOf(ref)] = ref
	}
	return unseen
}

// traceOwner follows an owner reference up to leaving objects.
func (s *claimSearch) traceOwner(owner metav1.OwnerReference, namespace string, depth int) (origin, error) {
	if known, ok := s.known[owner.UID]; ok {
		return known, nil
	}
	ref := v1alpha1.ObjectReference{APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: namespace, Name: owner.Name}
	key := cluster.IdentityOf(ref)
	atCluster := key
	atCluster.Namespace = ""
	from := origin{removed: s.removed[key] || s.removed[atCluster]}
	if crd, ok := s.defined[schema.GroupKind{Group: key.Group, Kind: key.Kind}]; ok && !from.removed {
		from.crds = append(from.crds, crd)
	}
	s.known[owner.UID] = from // ends a cycle
	if from.removed || depth == 0 {
		return from, nil
	}
	live, err := s.GetObject(s.ctx, ref)
	if err != nil || live == nil {
		return from, err
	}
	for _, next := range live.GetOwnerReferences() {
		further, err := s.traceOwner(next, namespace, depth-1)
		if err != nil {
			return from, err
		}
		from.removed = from.removed || further.removed
		from.crds = append(from.crds, further.crds...)
	}
	s.known[owner.UID] = from
	return from, nil
}
