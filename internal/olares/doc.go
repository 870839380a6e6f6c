// Package manifest reads the manifest of an Olares application chart
// (OlaresManifest.yaml) and knows the values that such charts expect from their
// platform.
//
// Manifests are written by hand and carry typos, fields of other versions and
// numbers where text is meant. Reader therefore keeps what it understands and
// lists the rest as warnings; it fails only where an app could not be handled at
// all without the missing piece. A manifest is also input from outside: its
// size, its aliases, its lists and every text in it are bounded.
//
// Olares and Helm are the two profiles. The first gives every parent map that
// charts of Olares read, because a chart that reaches into a missing map fails
// to render; the second gives nothing, as Helm does.
package olares
