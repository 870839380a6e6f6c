package inputs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/values"
)

const (
	// MaxChartInputs bounds the inputs that are read from questions and schemas.
	MaxChartInputs = 100
	// MaxInputOptions bounds the options of an input.
	MaxInputOptions = 256
	// MaxInputName bounds the name of an input in bytes.
	MaxInputName = 253
	// MaxInputTitle bounds the title of an input or an option in bytes.
	MaxInputTitle = 200
	// MaxInputProse bounds a description, or the value of an option, in bytes.
	MaxInputProse = 2_000
	// maxInputDepth is how many keys the path of an input may have, and
	// maxOptionalDepth that of one that nobody needs to give.
	maxInputDepth    = 6
	maxOptionalDepth = 2
	// maxSchemaVisits bounds the properties that are looked at, maxReferences the
	// references that one of them may be away from what it means.
	maxSchemaVisits = 10_000
	maxReferences   = 8
)

// SchemaInputs are the inputs that a values.schema.json asks for, in addition to
// values, which are what the chart gets in any case. Each value that is required
// and that the chart has not, up to six keys deep, is a required input; one that
// it has, or need not have, is an optional one if it is described and at most two
// keys deep. Required inputs come first, each kind by name, at most 100 in all.
//
// A reference is followed within the schema, and what it leads to may lead back.
// Lists and maps are no inputs, nor is what only a condition asks for (oneOf, if):
// the check of the values reports these. A schema that is no JSON is stalled with
// InvalidChart, one that is too large with LimitExceeded.
func FromSchema(schema []byte, decoded map[string]any) ([]Input, error) {
	if len(schema) > values.MaxSchemaBytes {
		return nil, outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "read %s: %d bytes, at most %d are allowed", chart.SchemaFile, len(schema), values.MaxSchemaBytes)
	}
	var root any
	decoder := json.NewDecoder(bytes.NewReader(schema))
	decoder.UseNumber()
	if err := decoder.Decode(&root); err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidChart, fmt.Errorf("read %s: %w", chart.SchemaFile, err))
	}
	w := schemaInputs{root: root, values: decoded, left: maxSchemaVisits}
	w.properties(w.resolve(root), nil, true)
	inputs := slices.Concat(w.required, w.optional)
	return inputs[:min(len(inputs), MaxChartInputs)], nil
}

// schemaInputs walks the properties of a schema.
type schemaInputs struct {
	root               any
	values             map[string]any
	required, optional []Input
	left               int
}

// properties takes in the properties of the schema of a map. Needed says that
// there will be such a map.
func (w *schemaInputs) properties(s schemaNode, path []string, needed bool) {
	if len(path) == maxInputDepth {
		return
	}
	all, _ := s["properties"].(map[string]any)
	asked := s.texts("required")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if w.left--; w.left < 0 {
			return
		}
		below := append(path[:len(path):len(path)], name)
		if isValueKey(name) && len(strings.Join(below, ".")) <= MaxInputName {
			w.property(w.resolve(all[name]), below, needed && slices.Contains(asked, name))
		}
	}
}

// property takes in one property, or those below it.
func (w *schemaInputs) property(s schemaNode, path []string, needed bool) {
	there, _ := ValueAt(w.values, strings.Join(path, "."))
	switch s.kind() {
	case "object":
		_, isMap := there.(map[string]any)
		w.properties(s, path, needed || isMap)
	case "string", "integer", "number", "boolean":
		in := s.input(path)
		preset, has := ValueText(there), there != nil
		switch {
		case IsNested(there): // The check of the values says that it is wrong.
		case has && preset == "" && s.refusesEmpty():
			has = false
		case has:
			in.Default = text.Truncate(preset, MaxInputBytes)
		}
		in.Required = needed && !has
		// What the schema calls the default of an optional value is what the chart
		// does without it.
		in.Preset = !in.Required
		switch {
		case in.Required:
			w.required = append(w.required, in)
		case len(path) <= maxOptionalDepth && in.Title+in.Description != "":
			w.optional = append(w.optional, in)
		}
	}
}

func IsNested(value any) bool {
	switch value.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// isValueKey reports whether a key can be part of a path.
func isValueKey(key string) bool {
	return key != "" && !strings.ContainsAny(key, ".[]=&|!") && !strings.ContainsFunc(key, func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r)
	})
}

// resolve follows references within the schema. What stands beside a reference
// wins over what it leads to. A reference that leads nowhere, or in circles, is a
// schema that says nothing.
func (w *schemaInputs) resolve(value any) schemaNode {
	node, _ := value.(map[string]any)
	for range maxReferences {
		reference, ok := node["$ref"].(string)
		if !ok {
			return node
		}
		target, _ := w.pointed(reference).(map[string]any)
		merged := make(map[string]any, len(target)+len(node))
		maps.Copy(merged, target)
		for key, value := range node {
			if key != "$ref" {
				merged[key] = value
			}
		}
		node = merged
	}
	return nil
}

// pointed is what a JSON pointer within the schema leads to.
func (w *schemaInputs) pointed(reference string) any {
	pointer, ok := strings.CutPrefix(reference, "#")
	if !ok || len(pointer) > MaxInputProse {
		return nil
	}
	at := w.root
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if token == "" {
			continue
		}
		inner, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = inner[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
	}
	return at
}
