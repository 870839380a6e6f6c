package collision

import (
	"slices"

	"github.com/appmarket/operator/internal/objects"
)

// maxCollisions is the maximum number of collisions that are listed.
const maxCollisions = 50

// MaxCollisionBytes is the maximum length of a collision, in bytes.
const MaxCollisionBytes = 253

// Release contains the rendered documents of a release in a namespace.
type Release struct {
	Namespace string
	Documents []objects.Document
}

// FindCollisions lists the collisions of two instances that are both rendered with their real
// names and values: objects with the same group, kind, namespace and name, hooks included,
// and other resources that exist once per cluster, such as hosts with their paths, node
// ports, and paths on a node. The result is sorted, has no duplicates and has at most
// maxCollisions entries. Collisions between the releases of one instance are not detected.
// The error is Stalled with RenderFailed for a document that is not valid YAML, and with
// LimitExceeded if there are more objects than an app may have.
func FindCollisions(a, b []Release) ([]string, error) {
	first, err := NewClaimSet(a)
	if err != nil {
		return nil, err
	}
	second, err := NewClaimSet(b)
	if err != nil {
		return nil, err
	}
	return ListCollisions(first.SharedWith(second, "same name in both", ClaimSet{}), nil), nil
}

// ListCollisions returns the sorted union of both lists without duplicates. If there are
// more than maxCollisions entries, entries of then are dropped before entries of first.
func ListCollisions(first, then []string) []string {
	var all []string
	for _, list := range [][]string{first, then} {
		list = slices.Clone(list)
		slices.Sort(list)
		list = slices.Compact(list)
		all = append(all, list[:min(len(list), maxCollisions-len(all))]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
