package values

import (
	"maps"
	"slices"
)

const (
	// maxPathDepth and maxPaths bound the paths of values.
	maxPathDepth = 32
	maxPaths     = 1000
)

// ListPaths returns the paths of the first 1000 values that are not maps, as lists of keys, sorted. It
// omits null values, which only remove a default.
func ListPaths(values map[string]any) [][]string { return appendPaths(nil, nil, values) }

// appendPaths appends the paths of the values in a map, which is the value of the given keys.
func appendPaths(paths [][]string, keys []string, values map[string]any) [][]string {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if len(paths) == maxPaths {
			return paths
		}
		at := append(slices.Clone(keys), key)
		inner, isMap := values[key].(map[string]any)
		switch {
		case values[key] == nil:
		case isMap && len(inner) > 0 && len(at) < maxPathDepth:
			paths = appendPaths(paths, at, inner)
		default:
			paths = append(paths, at)
		}
	}
	return paths
}
