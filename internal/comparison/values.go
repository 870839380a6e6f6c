package comparison

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/values"
)

const (
	// maxValuesBytes is the maximum size of the default values, and maxValueCount and maxValueDepth of their
	// number and nesting.
	maxValuesBytes = 512 << 10
	maxValueCount  = 20_000
	maxValueDepth  = 64
)

// ValueChange is a difference between default values.
type ValueChange struct {
	Change Change
	// Path is the path of the value, such as image.tag.
	Path string
	// Before and After are the values as JSON, shortened. They are empty if there is none.
	Before, After string
}

// compareValues compares default values by their paths. Lists are compared as a whole.
func compareValues(from, to []byte) (section Section[ValueChange]) {
	before, err := valuesByPath(from)
	if err != nil {
		section.Problem = problemOf(err)
		return section
	}
	after, err := valuesByPath(to)
	if err != nil {
		section.Problem = problemOf(err)
		return section
	}
	for _, path := range sortedUnion(before, after) {
		was, had := before[path]
		is, has := after[path]
		change := ValueChange{Changed, text.Printable(path, maxNameBytes), text.OneLine(was, maxValueBytes), text.OneLine(is, maxValueBytes)}
		switch {
		case !had:
			change.Change = Added
		case !has:
			change.Change = Removed
		case was == is:
			continue
		}
		section.add(change)
	}
	return section
}

// sortedUnion returns the keys of two maps.
func sortedUnion[T any](a, b map[string]T) []string {
	return slices.Compact(slices.Sorted(func(yield func(string) bool) {
		for key := range a {
			if !yield(key) {
				return
			}
		}
		for key := range b {
			if !yield(key) {
				return
			}
		}
	}))
}

// valuesByPath returns the default values as JSON by their paths.
func valuesByPath(report []byte) (map[string]string, error) {
	if len(report) > maxValuesBytes {
		return nil, fmt.Errorf("values.yaml has %d bytes, at most %d are compared", len(report), maxValuesBytes)
	}
	decoded, err := values.DecodeFirst(report)
	if err != nil {
		return nil, err
	}
	leaves := map[string]string{}
	return leaves, addLeaves(leaves, "", decoded, 0)
}

// addLeaves adds the values below a path by their paths.
func addLeaves(leaves map[string]string, path string, value any, depth int) error {
	if nested, isMap := value.(map[string]any); isMap && (len(nested) > 0 || path == "") {
		if depth == maxValueDepth {
			return fmt.Errorf("values.yaml: values are nested more than %d deep", maxValueDepth)
		}
		for _, key := range slices.Sorted(maps.Keys(nested)) {
			if err := addLeaves(leaves, joinPath(path, key), nested[key], depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if len(leaves) == maxValueCount {
		return fmt.Errorf("values.yaml: %w", errTooMany)
	}
	encoded, err := json.Marshal(value)
	leaves[path] = string(encoded)
	return err
}

// joinPath returns the path of a key. A key with a dot is written in brackets.
func joinPath(path, key string) string {
	if strings.ContainsAny(key, ". []") {
		return fmt.Sprintf("%s[%q]", path, key)
	}
	return strings.TrimPrefix(path+"."+cmp.Or(key, `""`), ".")
}
