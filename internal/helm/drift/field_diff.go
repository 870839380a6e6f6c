package drift

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	// maxFields bounds the number of fields that are reported for one object.
	maxFields = 20
	// maxPath bounds the path of a field, in bytes.
	maxPath = 253
)

// bookkeeping contains the fields that the API server and controllers maintain.
var bookkeeping = [][]string{
	{"status"},
	{"metadata", "resourceVersion"},
	{"metadata", "generation"},
	{"metadata", "managedFields"},
	{"metadata", "creationTimestamp"},
	{"metadata", "uid"},
}

// changedFields returns the sorted paths of the fields in which two states of an object differ,
// such as spec.template.spec.containers[name=web].image or metadata.labels[app.kubernetes.io/name].
// The paths contain no values. At most maxFields paths are returned.
func changedFields(before, after *unstructured.Unstructured) []string {
	before, after = before.DeepCopy(), after.DeepCopy()
	for _, path := range bookkeeping {
		unstructured.RemoveNestedField(before.Object, path...)
		unstructured.RemoveNestedField(after.Object, path...)
	}
	var paths []string
	compareMaps("", before.Object, after.Object, func(path string) {
		if len(path) > maxPath {
			path = strings.ToValidUTF8(path[:maxPath], "")
		}
		paths = append(paths, path)
	})
	slices.Sort(paths)
	paths = slices.Compact(paths)
	return paths[:min(len(paths), maxFields)]
}

func compareFields(path string, a, b any, differ func(string)) {
	if reflect.DeepEqual(a, b) {
		return
	}
	mapA, isA := a.(map[string]any)
	mapB, isB := b.(map[string]any)
	// A map that was added or removed is reported field by field.
	if isA && (isB || b == nil && len(mapA) > 0) || isB && a == nil && len(mapB) > 0 {
		compareMaps(path, mapA, mapB, differ)
		return
	}
	listA, isA := a.([]any)
	listB, isB := b.([]any)
	if isA && isB {
		compareLists(path, listA, listB, differ)
		return
	}
	differ(path)
}

func compareMaps(path string, a, b map[string]any, differ func(string)) {
	for key, value := range a {
		compareFields(joinPath(path, key), value, b[key], differ)
	}
	for key, value := range b {
		if _, ok := a[key]; !ok {
			compareFields(joinPath(path, key), nil, value, differ)
		}
	}
}

// plainKey matches a key that needs no brackets in a path.
var plainKey = regexp.MustCompile(`^[A-Za-z0-9_$-]+$`)

func joinPath(path, key string) string {
	switch {
	case !plainKey.MatchString(key):
		return path + "[" + key + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// compareLists compares elements with the same name, or with the same index if the elements have no
// names.
func compareLists(path string, a, b []any, differ func(string)) {
	placesA, placesB := indexByName(a), indexByName(b)
	if placesA == nil || placesB == nil {
		for i := range max(len(a), len(b)) {
			at := fmt.Sprintf("%s[%d]", path, i)
			if i < len(a) && i < len(b) {
				compareFields(at, a[i], b[i], differ)
			} else {
				differ(at)
			}
		}
		return
	}
	found := false
	note := func(path string) {
		found = true
		differ(path)
	}
	for name, i := range placesA {
		at := path + "[name=" + name + "]"
		if j, ok := placesB[name]; ok {
			compareFields(at, a[i], b[j], note)
		} else {
			note(at)
		}
	}
	for name := range placesB {
		if _, ok := placesA[name]; !ok {
			note(path + "[name=" + name + "]")
		}
	}
	if !found { // only the order differs
		differ(path)
	}
}

// indexByName returns the index of each element by its name, or nil unless every element has a unique
// name.
func indexByName(list []any) map[string]int {
	places := make(map[string]int, len(list))
	for i, item := range list {
		one, _ := item.(map[string]any)
		name, _ := one["name"].(string)
		if _, taken := places[name]; taken || name == "" {
			return nil
		}
		places[name] = i
	}
	return places
}
