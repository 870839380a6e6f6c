// Package collision detects conflicts between two installations.
//
// A Footprint contains the names, hosts, paths, node ports and host paths that releases
// use. Two installations collide if both claim the same one.
package collision
