package hydrate

import "slices"

const (
	// maxCollisions bounds the collisions that are listed, maxCollisionBytes one of
	// them.
	maxCollisions     = 50
	maxCollisionBytes = 253
)

// Placed is a release in a namespace, with what it renders to.
type Placed struct {
	Namespace string
	Documents []Document
}

// Collisions lists what two instances, each rendered under its real name and with
// its real values, would both claim: objects by group, kind, namespace and name,
// hooks included, and what the cluster has only once beside names, such as hosts
// with their paths, node ports, and paths on a node. The sentences are sorted and
// bounded as those of CloneSafety. The releases of one instance may collide with
// each other: that is not looked at. Documents that are not YAML are stalled with
// RenderFailed, more of them than an app may have with LimitExceeded.
func Collisions(a, b []Placed) ([]string, error) {
	first, err := footprintOf(a)
	if err != nil {
		return nil, err
	}
	second, err := footprintOf(b)
	if err != nil {
		return nil, err
	}
	return listCollisions(first.shared(second, "same name in both", footprint{}), nil), nil
}

// listCollisions sorts and bounds; what comes first matters more.
func listCollisions(first, then []string) []string {
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
