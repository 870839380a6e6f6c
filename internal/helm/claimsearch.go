package helm

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
)

// claimSearch finds the claims that would be deleted together with leaving objects.
type claimSearch struct {
	*operation
	*retention
	leaving map[identity]bool
	// defined contains the CRDs among the leaving objects, by the kind that they define.
	defined map[schema.GroupKind]ObjectRef
	known   map[types.UID]origin
}

// origin describes the owners of an object, including indirect owners.
type origin struct {
	// leaving reports that at least one owner is about to be deleted.
	leaving bool
	// crds contains the CRDs that are about to be deleted and define the kind of an owner.
	crds []ObjectRef
}

func (s *claimSearch) add(one leaving) {
	s.leaving[identityOf(one.ref)] = true
	if one.defines.Kind != "" {
		s.defined[one.defines] = one.ref
	}
}

func (s *claimSearch) run(places map[string]*leaving) error {
	for _, name := range slices.Sorted(maps.Keys(places)) {
		cause := places[name].ref
		err := s.searchNamespace(name)
		switch {
		case err == nil && name == "": // all namespaces
			return nil
		case apierrors.IsForbidden(err) && (name == "" || risk(cause) < 2):
			s.keepUnseen(name)
		case err != nil:
			return fmt.Errorf("find volume claims that are lost with %s: %w", cause, err)
		}
	}
	return nil
}

// keepUnseen keeps the Namespace and the CRDs whose deletion could delete claims that the tenant
// may not list. Other objects are unlikely to own claims.
func (s *claimSearch) keepUnseen(namespace string) {
	inside := ObjectRef{APIVersion: "v1", Kind: namespaceKind.Kind, Name: namespace}
	if s.leaving[identityOf(inside)] {
		s.retained[identityOf(inside)] = inside
	}
	for _, crd := range s.defined {
		s.retained[identityOf(crd)] = crd
	}
}

// searchNamespace checks the claims of a namespace, or of all namespaces if the name is empty.
func (s *claimSearch) searchNamespace(namespace string) error {
	claims, err := s.resource(claimRef(namespace, ""))
	if err != nil {
		return err
	}
	found, err := claims.List(s.ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	return s.judgeClaims(found.Items)
}

// judgeClaims checks all claims, even if the tenant may not read an owner of one of them. In that
// case it returns the first such error.
func (s *claimSearch) judgeClaims(claims []unstructured.Unstructured) error {
	var unseen error
	for i := range claims {
		if claims[i].GetDeletionTimestamp() != nil {
			continue
		}
		err := s.judgeClaim(&claims[i])
		if err != nil && !apierrors.IsForbidden(err) {
			return err
		}
		unseen = cmp.Or(unseen, err)
	}
	return unseen
}

func (s *claimSearch) judgeClaim(claim *unstructured.Unstructured) error {
	own := ownedClaim{claim: claim}
	var unseen error
	for _, owner := range claim.GetOwnerReferences() {
		if owner.Kind == podKind.Kind && owner.APIVersion == podKind.Version {
			return nil // an ephemeral volume, which is deleted with its pod by design
		}
		from, err := s.trace(owner, claim.GetNamespace(), maxOwners)
		if err != nil && !apierrors.IsForbidden(err) {
			return err
		}
		unseen = cmp.Or(unseen, err)
		if from.leaving {
			own.owners = append(own.owners, owner.UID)
		}
		for _, crd := range from.crds {
			s.retained[identityOf(crd)] = crd
		}
	}
	ref := claimRef(claim.GetNamespace(), claim.GetName())
	inside := ObjectRef{APIVersion: "v1", Kind: namespaceKind.Kind, Name: claim.GetNamespace()}
	held := s.leaving[identityOf(inside)]
	if held {
		s.retained[identityOf(inside)] = inside
	}
	if len(own.owners) > 0 {
		s.owned = append(s.owned, own)
	}
	if (held || len(own.owners) > 0) && !ofAnother(claim, s.release) {
		s.claims[identityOf(ref)] = ref
	}
	return unseen
}

// trace follows an owner reference up to leaving objects.
func (s *claimSearch) trace(owner metav1.OwnerReference, namespace string, depth int) (origin, error) {
	if known, ok := s.known[owner.UID]; ok {
		return known, nil
	}
	ref := ObjectRef{APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: namespace, Name: owner.Name}
	key := identityOf(ref)
	atCluster := key
	atCluster.namespace = ""
	from := origin{leaving: s.leaving[key] || s.leaving[atCluster]}
	if crd, ok := s.defined[schema.GroupKind{Group: key.group, Kind: key.kind}]; ok && !from.leaving {
		from.crds = append(from.crds, crd)
	}
	s.known[owner.UID] = from // ends a cycle
	if from.leaving || depth == 0 {
		return from, nil
	}
	live, err := s.get(s.ctx, ref)
	if err != nil || live == nil {
		return from, err
	}
	for _, next := range live.GetOwnerReferences() {
		further, err := s.trace(next, namespace, depth-1)
		if err != nil {
			return from, err
		}
		from.leaving = from.leaving || further.leaving
		from.crds = append(from.crds, further.crds...)
	}
	s.known[owner.UID] = from
	return from, nil
}
