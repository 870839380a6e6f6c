package drift

import (
	"encoding/base64"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// mergeThreeWay returns the live state of an object with the changes that an apply of target makes: it sets
// the fields that target contains, removes the fields that an earlier manifest contains and target
// does not, and keeps all other fields. merge does not change its arguments. The result shares
// values with them.
//
// The shape specifies which lists are merged by a key. Other lists, and all lists if there is no
// shape, are replaced by the list of target. A JSON merge patch of the result is exact. The
// strategic merge patch that Helm sends is not exact: it loses or confuses elements that share a
// key, and it does not restore objects of custom kinds that were changed only in the cluster.
func mergeThreeWay(shape strategicpatch.LookupPatchMeta, earlier []map[string]any, target, live map[string]any) map[string]any {
	merged := make(map[string]any, len(live))
	for key, value := range live {
		_, wanted := target[key]
		isEarlier := slices.ContainsFunc(earlier, func(one map[string]any) bool { return one[key] != nil })
		if !wanted && !isEarlier {
			merged[key] = value
		}
	}
	for key, value := range target {
		if value != nil { // null requests the default of the API server
			merged[key] = mergeField(shape, key, valuesOf(earlier, key), value, live[key])
		}
	}
	if isStruct(shape) {
		dropOtherMembers(target, merged)
	}
	return merged
}

// unions are fields of built-in kinds of which the API server accepts only one, and which are not
// declared as unions.
var unions = [][]string{
	{"value", "valueFrom"},                            // of a variable
	{"exec", "grpc", "httpGet", "sleep", "tcpSocket"}, // of a probe or a lifecycle handler
	{"maxUnavailable", "minAvailable"},                // of a PodDisruptionBudget
}

// isStruct reports whether a shape describes a type with fields, and not a map with arbitrary keys.
func isStruct(shape strategicpatch.LookupPatchMeta) bool {
	known, ok := shape.(strategicpatch.PatchMetaFromStruct)
	if !ok || known.T == nil {
		return false
	}
	of := known.T
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	return of.Kind() == reflect.Struct
}

// dropOtherMembers removes from a merged object the members of a union that target does not set, if
// target sets another member. The API server would reject both.
func dropOtherMembers(target, merged map[string]any) {
	for _, union := range unions {
		if !slices.ContainsFunc(union, func(key string) bool { return target[key] != nil }) {
			continue
		}
		for _, key := range union {
			if target[key] == nil {
				delete(merged, key)
			}
		}
	}
}

// mergeField merges the field key of an object with the shape.
func mergeField(shape strategicpatch.LookupPatchMeta, key string, earlier []any, target, live any) any {
	switch target := target.(type) {
	case map[string]any:
		live, ok := live.(map[string]any)
		if !ok {
			return target
		}
		inner, how := structField(shape, key)
		return mergeStruct(inner, how, mapsOf(earlier), target, live)
	case []any:
		live, ok := live.([]any)
		inner, how := listField(shape, key)
		if !ok || !slices.Contains(how.GetPatchStrategies(), "merge") {
			return target
		}
		return mergeList(inner, how, earlier, target, live)
	}
	return target
}

// mergeStruct merges a map. If the map is a union, such as the strategy of a Deployment or a
// volume, it removes all fields that target does not set, unless nothing changes.
func mergeStruct(
	shape strategicpatch.LookupPatchMeta, how strategicpatch.PatchMeta, earlier []map[string]any, target, live map[string]any,
) map[string]any {
	merged := mergeThreeWay(shape, earlier, target, live)
	if !slices.Contains(how.GetPatchStrategies(), "retainKeys") || reflect.DeepEqual(merged, live) {
		return merged
	}
	for key := range merged {
		if _, wanted := target[key]; !wanted {
			delete(merged, key)
		}
	}
	return merged
}

// mergeList merges a list by the keys of its elements. The elements of target keep their order.
// Live elements that are neither in target nor in an earlier manifest keep their position. An
// element of target whose key is not unique, in target or in the live list, is not merged with a
// live element, because the matching element is unknown.
func mergeList(
	shape strategicpatch.LookupPatchMeta, how strategicpatch.PatchMeta, earlier []any, target, live []any,
) []any {
	keyOf := func(element any) string { return elementKey(how.GetPatchMergeKey(), element) }
	wanted, present, before := map[string][]int{}, map[string][]int{}, map[string][]map[string]any{}
	for i, element := range target {
		wanted[keyOf(element)] = append(wanted[keyOf(element)], i)
	}
	for i, element := range live {
		present[keyOf(element)] = append(present[keyOf(element)], i)
	}
	for _, list := range earlier {
		elements, _ := list.([]any)
		for _, element := range elements {
			one, _ := element.(map[string]any)
			before[keyOf(element)] = append(before[keyOf(element)], one)
		}
	}
	merged := make([]any, 0, len(target))
	next := 0
	appendTo := func(end int) {
		for ; next < end; next++ {
			key := keyOf(target[next])
			element, isMap := target[next].(map[string]any)
			if !isMap || len(wanted[key]) > 1 || len(present[key]) != 1 {
				merged = append(merged, target[next])
				continue
			}
			now, _ := live[present[key][0]].(map[string]any)
			merged = append(merged, mergeStruct(shape, how, before[key], element, now))
		}
	}
	for _, element := range live {
		key := keyOf(element)
		places, isWanted := wanted[key]
		_, isEarlier := before[key]
		switch at, _ := slices.BinarySearch(places, next); {
		case isWanted && at < len(places):
			appendTo(places[at] + 1)
		case !isWanted && !isEarlier:
			merged = append(merged, element)
		}
	}
	appendTo(len(target))
	return merged
}

// listKeys contains the keys of lists for which the API server needs more keys than the merge key
// of a strategic merge patch, by that merge key; see x-kubernetes-list-map-keys.
var listKeys = map[string][]string{
	"port":          {"port", "protocol"},
	"containerPort": {"containerPort", "protocol"},
	"topologyKey":   {"topologyKey", "whenUnsatisfiable"},
}

// elementKey returns the identity of an element of a list that is merged by key. Without a key, the
// value of the element is its identity.
func elementKey(key string, element any) string {
	if key == "" {
		return fmt.Sprintf("%T %v", element, element)
	}
	one, _ := element.(map[string]any)
	keys, ok := listKeys[key]
	if !ok {
		return fmt.Sprint(one[key])
	}
	var text strings.Builder
	for _, key := range keys {
		value := one[key]
		if key == "protocol" && value == nil {
			value = "TCP"
		}
		fmt.Fprintf(&text, "%v ", value)
	}
	return text.String()
}

// structField returns the shape of a field that is a map, nil if it has none.
func structField(shape strategicpatch.LookupPatchMeta, key string) (strategicpatch.LookupPatchMeta, strategicpatch.PatchMeta) {
	if shape == nil {
		return nil, strategicpatch.PatchMeta{}
	}
	inner, how, err := shape.LookupPatchMetadataForStruct(key)
	if err != nil { // The kind does not have the field: the API server ignores it.
		return nil, strategicpatch.PatchMeta{}
	}
	return inner, how
}

// listField returns the shape of the elements of a field that is a list.
func listField(shape strategicpatch.LookupPatchMeta, key string) (strategicpatch.LookupPatchMeta, strategicpatch.PatchMeta) {
	if shape == nil {
		return nil, strategicpatch.PatchMeta{}
	}
	inner, how, err := shape.LookupPatchMetadataForSlice(key)
	if err != nil {
		return nil, strategicpatch.PatchMeta{}
	}
	return inner, how
}

// valuesOf returns the values of a key, without nulls.
func valuesOf(all []map[string]any, key string) []any {
	var values []any
	for _, one := range all {
		if value := one[key]; value != nil {
			values = append(values, value)
		}
	}
	return values
}

// mapsOf returns the values that are maps.
func mapsOf(values []any) []map[string]any {
	var maps []map[string]any
	for _, value := range values {
		if one, ok := value.(map[string]any); ok {
			maps = append(maps, one)
		}
	}
	return maps
}

// mergePatchOf returns the JSON merge patch that turns one object into the other.
func mergePatchOf(from, to map[string]any) map[string]any {
	patch := map[string]any{}
	for key, value := range to {
		now, exists := from[key]
		if exists && reflect.DeepEqual(now, value) {
			continue
		}
		nowMap, isNow := now.(map[string]any)
		valueMap, isValue := value.(map[string]any)
		if isNow && isValue {
			value = mergePatchOf(nowMap, valueMap)
		}
		patch[key] = value
	}
	for key := range from {
		if _, stays := to[key]; !stays {
			patch[key] = nil
		}
	}
	return patch
}

// storedForm returns an object of a manifest in the form in which the API server stores it, as far
// as this matters for a comparison: without the fields that the API server and controllers set, and
// with the stringData of a Secret, which cannot be read, merged into its data. storedForm does not
// change the object.
func storedForm(object map[string]any) map[string]any {
	stored := maps.Clone(object)
	for _, path := range append(slices.Clone(bookkeeping), []string{"metadata", "namespace"}) {
		if len(path) == 1 {
			delete(stored, path[0])
			continue
		}
		if inner, ok := stored[path[0]].(map[string]any); ok {
			inner = maps.Clone(inner)
			delete(inner, path[1])
			stored[path[0]] = inner
		}
	}
	if data, ok := secretData(stored); ok {
		delete(stored, "stringData")
		stored["data"] = data
	}
	return stored
}

// secretData returns the data of a Secret after its stringData is merged. It returns false for
// other objects, and for a stringData that the API server rejects.
func secretData(object map[string]any) (map[string]any, bool) {
	texts, ok := object["stringData"].(map[string]any)
	if !ok || object["kind"] != "Secret" || object["apiVersion"] != "v1" {
		return nil, false
	}
	data := map[string]any{}
	if given, ok := object["data"].(map[string]any); ok {
		maps.Copy(data, given)
	}
	for key, value := range texts {
		text, isText := value.(string)
		if !isText && value != nil { // null is an empty string
			return nil, false
		}
		data[key] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	return data, true
}
