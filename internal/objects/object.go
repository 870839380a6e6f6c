package objects

import (
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// MaxDepth is the maximum depth to which an object is searched.
	MaxDepth = 64
)

// Map is a map as decoded from YAML 1.1, the version that Helm and Kubernetes use for
// rendered text. All methods may be called on a nil Map.
type Map map[any]any

// TextAt returns the string value of a field, or "" if the field is not a string.
func (o Map) TextAt(field string) string {
	text, _ := o[field].(string)
	return text
}

// Kind returns the kind of the object.
func (o Map) Kind() string { return o.TextAt("kind") }

// KindAndName returns the kind and the name of the object, such as "Deployment/web".
func (o Map) KindAndName() string {
	meta, _ := o["metadata"].(Map)
	return o.Kind() + "/" + meta.TextAt("name")
}

// Name returns metadata.name.
func (o Map) Name() string { return o.MapAt("metadata").TextAt("name") }

// Group returns the API group, which is empty for the core group.
func (o Map) Group() string {
	group, _, grouped := strings.Cut(o.TextAt("apiVersion"), "/")
	if !grouped {
		return ""
	}
	return group
}

// MapAt returns the map value of a field, or nil if the field is not a map.
func (o Map) MapAt(field string) Map {
	inner, _ := o[field].(Map)
	return inner
}

// MapsAt returns the items of a list field that are maps.
func (o Map) MapsAt(field string) []Map {
	list, _ := o[field].([]any)
	var all []Map
	for _, item := range list {
		if inner, ok := item.(Map); ok {
			all = append(all, inner)
		}
	}
	return all
}

// TextsAt returns the items of a list field that are strings.
func (o Map) TextsAt(field string) []string {
	list, _ := o[field].([]any)
	var all []string
	for _, item := range list {
		if text, ok := item.(string); ok {
			all = append(all, text)
		}
	}
	return all
}

// IntAt returns the value of an integer field, or 0 if it is not a positive integer.
func (o Map) IntAt(field string) int {
	number, _ := o[field].(int)
	return max(number, 0)
}

// IsTrue reports whether the value of a field is true.
func (o Map) IsTrue(field string) bool { return o[field] == true }

// sortedKeys returns the string keys of a map in order.
func sortedKeys(o Map) []string {
	keys := make([]string, 0, len(o))
	for key := range o {
		if text, ok := key.(string); ok {
			keys = append(keys, text)
		}
	}
	slices.Sort(keys)
	return keys
}

// workloads are the built-in kinds that run pods, in the groups core, apps, batch and
// extensions.
var workloads = map[string]bool{
	"CronJob":               true,
	"DaemonSet":             true,
	"Deployment":            true,
	"Job":                   true,
	"Pod":                   true,
	"PodTemplate":           true,
	"ReplicaSet":            true,
	"ReplicationController": true,
	"StatefulSet":           true,
}

// IsWorkload reports whether the object is of a kind that Kubernetes itself runs as pods.
func (o Map) IsWorkload() bool {
	group, _, grouped := strings.Cut(o.TextAt("apiVersion"), "/")
	known := !grouped || group == "apps" || group == "batch" || group == "extensions"
	return known && workloads[o.Kind()]
}

// EachObject calls take with the object of a document, or with each item of a List. A document
// that is not a map with a kind is skipped.
func EachObject(doc Document, take func(Map) error) error {
	read := doc.parsed
	if read == nil {
		read = &parsed{}
	}
	read.parseOnce(doc)
	if read.err != nil {
		return read.err
	}
	return read.top.eachItem(take, 0)
}

// eachItem calls take with the object, or with each item of a List. The items of a typed
// list inherit its apiVersion and item kind if they do not set a kind, as in Kubernetes.
func (o Map) eachItem(take func(Map) error, depth int) error {
	kind := o.Kind()
	items, ok := o["items"].([]any)
	if !ok || !strings.HasSuffix(kind, "List") {
		if kind == "" {
			return nil
		}
		return take(o)
	}
	if depth == MaxDepth {
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "%s: lists nested more than %d deep", o.KindAndName(), MaxDepth)
	}
	for _, item := range items {
		inner, ok := item.(Map)
		if !ok {
			continue
		}
		if of := strings.TrimSuffix(kind, "List"); of != "" && inner.Kind() == "" {
			inner["kind"], inner["apiVersion"] = of, o["apiVersion"]
		}
		if err := inner.eachItem(take, depth+1); err != nil {
			return err
		}
	}
	return nil
}
