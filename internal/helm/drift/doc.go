// Package drift compares the objects of a release with the cluster.
//
// Comparison finds the objects that differ from the manifest of a revision by dry runs, and restores them.
// A Patch changes an object to the state in a manifest without changing the fields of other clients; Helm's
// own merge loses list elements that share a key.
package drift
