package objects

import (
	"encoding/json"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v2"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/yamlbounds"
)

// Document is one rendered YAML document.
type Document struct {
	// Path is the template it came from, such as "mychart/templates/web.yaml".
	Path string
	// Text is the document without its separator.
	Text string
	// Hook says that Helm runs it at a moment of its own and does not keep it.
	Hook bool
	// Object is the document in JSON, where a release is to be made of it.
	Object string

	// objects are what was read of the text, shared by all copies of the document.
	parsed *parsed
}

// NewDocument is a document that is read once, however many ask what is in it. It and its
// copies are for one goroutine.
func NewDocument(path, text string) Document {
	return Document{Path: path, Text: text, parsed: &parsed{}}
}

// keepParsed makes each document one that is read once, which not every renderer does.
func KeepParsed(documents []Document) {
	for i := range documents {
		if documents[i].parsed == nil {
			documents[i].parsed = &parsed{}
		}
	}
}

// Head is what Helm reads of the document, in JSON: version, kind, name and annotations.
// It is false for a document that is no map, or whose head has values of other types than
// Helm expects.
func (d Document) Head() (string, bool) {
	read := d.parsed
	if read == nil {
		read = &parsed{}
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
	metadata, ok := value.(Map)
	if !ok || !isScalar(metadata["name"]) {
		return nil, false
	}
	annotations, ok := metadata["annotations"].(Map)
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
type parsed struct {
	done bool
	top  Map
	err  error
}

func (r *parsed) read(doc Document) {
	if !r.done {
		r.top, r.err = readText(doc)
		r.done = true
	}
}

// readText reads a document. What is no map is nil.
func readText(doc Document) (Map, error) {
	if err := yamlbounds.Check([]byte(doc.Text), chart.MaxRenderedBytes); err != nil {
		return nil, fmt.Errorf("%s: %w", doc.Path, err)
	}
	var top Map
	err := yaml.Unmarshal([]byte(doc.Text), &top)
	if _, other := errors.AsType[*yaml.TypeError](err); other {
		return nil, nil
	}
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonRenderFailed, fmt.Errorf("%s: %w", doc.Path, err))
	}
	return top, nil
}

// MayHoldSecret reports whether a document is a Secret, or a list that may have one.
func (d Document) MayHoldSecret() bool {
	if d.parsed == nil || !d.parsed.done || d.parsed.err != nil {
		return true
	}
	return d.parsed.top.Kind() == "Secret" || d.parsed.top["items"] != nil || d.parsed.top == nil
}

// alreadyRead gives documents what was read of others with the same text.
func ShareParsed(documents, others []Document) []Document {
	known := make(map[string]*parsed, len(others))
	for _, other := range others {
		known[other.Text] = other.parsed
	}
	for i := range documents {
		if read := known[documents[i].Text]; read != nil {
			documents[i].parsed = read
		}
	}
	return documents
}
