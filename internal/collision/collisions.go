package collision

import (
	"slices"

	"github.com/appmarket/operator/internal/objects"
)

const (
	// maxCollisions bounds the collisions that are listed, maxCollisionBytes one of
	// them.
	maxCollisions     = 50
	MaxCollisionBytes = 253
)

// Placed is a release in a namespace, with what it renders to.
type Release struct {
	Namespace string
	Documents []objects.Document
}

// Collisions lists what two instances, each rendered under its real name and with
// its real values, would both claim: objects by group, kind, namespace and name,
// hooks included, and what the cluster has only once beside names, such as hosts
// with their paths, node ports, and paths on a node. The sentences are sorted and
// bounded as those of CloneSafety. The releases of one instance may collide with
// each other: that is not looked at. Documents that are not YAML are stalled with
// RenderFailed, more of them than an app may have with LimitExceeded.
func Between(a, b []Release) ([]string, error) {
	first, err := NewFootprint(a)
	if err != nil {
		return nil, err
	}
	second, err := NewFootprint(b)
	if err != nil {
		return nil, err
	}
	return ListCollisions(first.SharedWith(second, "same name in both", Footprint{}), nil), nil
}

// listCollisions sorts and bounds; what comes first matters more.
func ListCollisions(first, then []string) []string {
	var all []string
	for _, some := range [][]string{first, then} {
		some = slices.Clone(some)
		slices.Sort(some)
		some = slices.Compact(some)
		all = append(all, some[:min(len(some), maxCollisions-len(all))]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
