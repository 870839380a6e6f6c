package objects

import (
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// maxDepth is how deep an object is searched.
	MaxDepth = 64
)

// object is a map as YAML 1.1 decodes it, which is how Helm and Kubernetes read
// what a chart renders to. Nothing can be read from a nil one.
type Map map[any]any

// text is a field that is a string, or nothing.
func (o Map) Text(field string) string {
	text, _ := o[field].(string)
	return text
}

func (o Map) Kind() string { return o.Text("kind") }

// title names an object for people, as "Deployment/web".
func (o Map) Title() string {
	meta, _ := o["metadata"].(Map)
	return o.Kind() + "/" + meta.Text("name")
}

func (o Map) Name() string { return o.At("metadata").Text("name") }

func (o Map) Group() string {
	group, _, grouped := strings.Cut(o.Text("apiVersion"), "/")
	if !grouped {
		return ""
	}
	return group
}

// at is a field that is a map, or an empty one.
func (o Map) At(field string) Map {
	inner, _ := o[field].(Map)
	return inner
}

// maps are the maps in a field that is a list.
func (o Map) Maps(field string) []Map {
	list, _ := o[field].([]any)
	var all []Map
	for _, item := range list {
		if inner, ok := item.(Map); ok {
			all = append(all, inner)
		}
	}
	return all
}

// texts are the texts in a field that is a list.
func (o Map) Texts(field string) []string {
	list, _ := o[field].([]any)
	var all []string
	for _, item := range list {
		if text, ok := item.(string); ok {
			all = append(all, text)
		}
	}
	return all
}

// whole is a field that is a whole number above zero, or zero.
func (o Map) Int(field string) int {
	number, _ := o[field].(int)
	return max(number, 0)
}

// yes reports whether a field is true.
func (o Map) IsTrue(field string) bool { return o[field] == true }

// sortedKeys are the keys of a map as texts.
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

// workloads are the kinds that Kubernetes itself runs as pods, in the groups
// core, apps, batch and what apps was before.
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

func (o Map) IsWorkload() bool {
	group, _, grouped := strings.Cut(o.Text("apiVersion"), "/")
	known := !grouped || group == "apps" || group == "batch" || group == "extensions"
	return known && workloads[o.Kind()]
}

// eachObject calls take with the object of a document, or with each one of a
// List. A document that is not a map with a kind is passed over.
func Each(doc Document, take func(Map) error) error {
	read := doc.parsed
	if read == nil {
		read = &parsed{}
	}
	read.read(doc)
	if read.err != nil {
		return read.err
	}
	return read.top.eachItem(take, 0)
}

// each calls take with the object, or with what is in it if it is a List. What a
// typed list leaves out of its items is added, as Kubernetes does.
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
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "%s: lists nested more than %d deep", o.Title(), MaxDepth)
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
