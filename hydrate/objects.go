package hydrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v2"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// maxObjects bounds the objects of one app.
const maxObjects = 5000

// Object says which object a document holds.
type Object struct {
	APIVersion string
	Kind       string
	// Namespace is as rendered; mostly empty.
	Namespace string
	Name      string
	// Hook says that Helm runs it at a moment of its own and does not keep it.
	Hook bool
}

// Objects lists the objects of documents in their order, those in a List one by
// one. Documents that are no object are left out. A document that is not YAML is
// stalled with RenderFailed, naming its template; more than 5,000 objects with
// LimitExceeded.
func Objects(docs []Document) ([]Object, error) {
	all, _, err := readObjects(docs)
	return all, err
}

// readObjects lists objects as Objects does, and what of their form the API server
// refuses, at most maxFormWarnings.
func readObjects(docs []Document) ([]Object, []string, error) {
	var all []Object
	var form formCheck
	for _, doc := range docs {
		err := eachObject(doc, func(o object) error {
			if len(all) == maxObjects {
				return overLimit("list objects: more than %d objects", maxObjects)
			}
			meta, _ := o["metadata"].(object)
			all = append(all, Object{
				APIVersion: o.text("apiVersion"),
				Kind:       o.kind(),
				Namespace:  meta.text("namespace"),
				Name:       meta.text("name"),
				Hook:       doc.Hook,
			})
			form.checkObject(o)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return all, form.warnings, nil
}

// object is a map as YAML 1.1 decodes it, which is how Helm and Kubernetes read
// what a chart renders to. Nothing can be read from a nil one.
type object map[any]any

// text is a field that is a string, or nothing.
func (o object) text(field string) string {
	text, _ := o[field].(string)
	return text
}

func (o object) kind() string { return o.text("kind") }

// title names an object for people, as "Deployment/web".
func (o object) title() string {
	meta, _ := o["metadata"].(object)
	return o.kind() + "/" + meta.text("name")
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

func (o object) isWorkload() bool {
	group, _, grouped := strings.Cut(o.text("apiVersion"), "/")
	known := !grouped || group == "apps" || group == "batch" || group == "extensions"
	return known && workloads[o.kind()]
}

// eachObject calls take with the object of a document, or with each one of a
// List. A document that is not a map with a kind is passed over.
func eachObject(doc Document, take func(object) error) error {
	read := doc.objects
	if read == nil {
		read = &readDocument{}
	}
	read.read(doc)
	if read.err != nil {
		return read.err
	}
	return read.top.each(take, 0)
}

// NewDocument is a document that is read once, however many ask what is in it. It and its
// copies are for one goroutine.
func NewDocument(path, text string) Document {
	return Document{Path: path, Text: text, objects: &readDocument{}}
}

// Head is what Helm reads of the document, in JSON: version, kind, name and annotations.
// It is false for a document that is no map, or whose head has values of other types than
// Helm expects.
func (d Document) Head() (string, bool) {
	read := d.objects
	if read == nil {
		read = &readDocument{}
	}
	read.read(d)
	if read.err != nil || read.top == nil {
		return "", false
	}
	head := map[string]any{}
	for _, field := range []string{"apiVersion", "kind"} {
		value, isThere := read.top[field]
		if !isScalar(value) {
			return "", false
		}
		if isThere {
			head[field] = value
		}
	}
	if value, isThere := read.top["metadata"]; isThere {
		metadata, ok := metadataHead(value)
		if !ok {
			return "", false
		}
		head["metadata"] = metadata
	}
	text, err := json.Marshal(head)
	return string(text), err == nil
}

// metadataHead is the name and the annotations of metadata. It is false where they have
// other types than Helm expects.
func metadataHead(value any) (map[string]any, bool) {
	metadata, ok := value.(object)
	if !ok || !isScalar(metadata["name"]) {
		return nil, false
	}
	annotations, ok := metadata["annotations"].(object)
	if !ok && metadata["annotations"] != nil {
		return nil, false
	}
	own := map[string]any{}
	for name, value := range annotations {
		key, ok := name.(string)
		if !ok || !isScalar(value) {
			return nil, false
		}
		own[key] = value
	}
	return map[string]any{"name": metadata["name"], "annotations": own}, true
}

func isScalar(value any) bool {
	switch value.(type) {
	case nil, string, bool, int:
		return true
	}
	return false
}

// readDocument is a document that was read once.
type readDocument struct {
	done bool
	top  object
	err  error
}

func (r *readDocument) read(doc Document) {
	if !r.done {
		r.top, r.err = readText(doc)
		r.done = true
	}
}

// readText reads a document. What is no map is nil.
func readText(doc Document) (object, error) {
	if err := checkYAML([]byte(doc.Text), MaxRenderedBytes); err != nil {
		return nil, fmt.Errorf("%s: %w", doc.Path, err)
	}
	var top object
	err := yaml.Unmarshal([]byte(doc.Text), &top)
	if _, other := errors.AsType[*yaml.TypeError](err); other {
		return nil, nil
	}
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonRenderFailed, fmt.Errorf("%s: %w", doc.Path, err))
	}
	return top, nil
}

// each calls take with the object, or with what is in it if it is a List. What a
// typed list leaves out of its items is added, as Kubernetes does.
func (o object) each(take func(object) error, depth int) error {
	kind := o.kind()
	items, ok := o["items"].([]any)
	if !ok || !strings.HasSuffix(kind, "List") {
		if kind == "" {
			return nil
		}
		return take(o)
	}
	if depth == maxDepth {
		return overLimit("%s: lists nested more than %d deep", o.title(), maxDepth)
	}
	for _, item := range items {
		inner, ok := item.(object)
		if !ok {
			continue
		}
		if of := strings.TrimSuffix(kind, "List"); of != "" && inner.kind() == "" {
			inner["kind"], inner["apiVersion"] = of, o["apiVersion"]
		}
		if err := inner.each(take, depth+1); err != nil {
			return err
		}
	}
	return nil
}
