// Package collision compares what two installations claim.
//
// A Footprint holds the names, hosts, paths, node ports and host paths that releases use.
// Two installations collide where both claim the same one.
package collision
