// Package olares reads the files of a chart for Olares, such as OlaresManifest.yaml,
// and provides the values that such a chart expects from its platform.
//
// Manifests are written by hand and contain typos, fields of other versions and
// numbers instead of strings. Reader therefore reads the fields that are valid and
// returns a warning for every other field. It fails only if a field is invalid without
// which the app cannot be handled. A manifest is untrusted input: its size, aliases,
// lists and texts are bounded.
//
// There are two profiles. Profile provides every map that charts for Olares read,
// because a chart that reads a field of a missing map fails to render. HelmProfile
// provides no values, as Helm does.
package olares
