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
	// Path is the template that rendered the document, such as
	// "mychart/templates/web.yaml".
	Path string
	// Text is the document without its separator.
	Text string
	// Hook reports that the document is a Helm hook, which is not part of the release's
	// manifest.
	Hook bool
	// Object is the document as JSON. It is set only if the document is used for a release.
	Object string

	// parsed is the result of parsing Text. Copies of the document share it.
	parsed *parsed
}

// NewDocument returns a document whose text is parsed at most once. The document and its
// copies must not be used by more than one goroutine at a time.
func NewDocument(path, text string) Document {
	return Document{Path: path, Text: text, parsed: &parsed{}}
}

// KeepParsed makes each document keep the result of parsing its text. Not every renderer
// creates its documents with NewDocument.
func KeepParsed(documents []Document) {
	for i := range documents {
		if documents[i].parsed == nil {
			documents[i].parsed = &parsed{}
		}
	}
}

// HeadText returns the fields that Helm reads from the document, as JSON: apiVersion, kind,
// metadata.name and metadata.annotations. It returns false for a document that is not a
// map, and if one of these fields has a type that Helm does not expect.
func (d Document) HeadText() (string, bool) {
	read := d.parsed
	if read == nil {
		read = &parsed{}
	}
	read.parseOnce(d)
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

// metadataHead returns the name and the annotations of metadata. It returns false if one of
// them has a type that Helm does not expect.
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

// parsed is the cached result of parsing a document.
type parsed struct {
	done bool
	top  Map
	err  error
}

func (r *parsed) parseOnce(doc Document) {
	if !r.done {
		r.top, r.err = readText(doc)
		r.done = true
	}
}

// readText parses a document. The result is nil for a document that is not a map.
func readText(doc Document) (Map, error) {
	if err := yamlbounds.CheckText([]byte(doc.Text), chart.MaxRenderedBytes); err != nil {
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

// MayHoldSecret reports whether a document is a Secret or a list that may contain one. It
// returns true for a document that has not been parsed yet.
func (d Document) MayHoldSecret() bool {
	if d.parsed == nil || !d.parsed.done || d.parsed.err != nil {
		return true
	}
	return d.parsed.top.Kind() == "Secret" || d.parsed.top["items"] != nil || d.parsed.top == nil
}

// ShareParsed makes documents reuse the parse results of others with the same text.
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
