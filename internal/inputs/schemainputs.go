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
	// MaxChartInputs is the maximum number of inputs that are read from questions and
	// schemas.
	MaxChartInputs = 100
	// MaxInputOptions is the maximum number of options of an input.
	MaxInputOptions = 256
	// MaxInputName is the maximum length of an input's name in bytes.
	MaxInputName = 253
	// MaxInputTitle is the maximum length of the title of an input or an option in bytes.
	MaxInputTitle = 200
	// MaxInputProse is the maximum length of a description or an option's value in bytes.
	MaxInputProse = 2_000
	// maxInputDepth is the maximum number of keys in the path of an input, and
	// maxOptionalDepth that number for an optional input.
	maxInputDepth    = 6
	maxOptionalDepth = 2
	// maxSchemaVisits is the maximum number of properties that are visited, and
	// maxReferences the maximum length of a chain of references.
	maxSchemaVisits = 10_000
	maxReferences   = 8
)

// FromSchema returns the inputs that a values.schema.json requires in addition to decoded,
// the values that the chart receives anyway. Each required value that is missing, up to 6
// keys deep, becomes a required input. A value that exists or is optional becomes an
// optional input if the schema describes it and its path has at most 2 keys. Required
// inputs come first, both groups are sorted by path, and at most 100 inputs are returned.
//
// References within the schema are followed, including recursive ones up to a limit. Lists,
// maps, and values that only a condition such as oneOf or if requires are not inputs; the
// validation of the values reports them. The error is Stalled with InvalidChart if the
// schema is not JSON, and with LimitExceeded if it is too large.
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
	w.addProperties(w.resolveReferences(root), nil, true)
	inputs := slices.Concat(w.required, w.optional)
	return inputs[:min(len(inputs), MaxChartInputs)], nil
}

// schemaInputs collects inputs from the properties of a schema.
type schemaInputs struct {
	root               any
	values             map[string]any
	required, optional []Input
	left               int
}

// addProperties adds the properties of the schema of a map. needed reports that the values
// will contain this map.
func (w *schemaInputs) addProperties(s schemaNode, path []string, needed bool) {
	if len(path) == maxInputDepth {
		return
	}
	all, _ := s["properties"].(map[string]any)
	required := s.stringListField("required")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if w.left--; w.left < 0 {
			return
		}
		childPath := append(path[:len(path):len(path)], name)
		if isValueKey(name) && len(strings.Join(childPath, ".")) <= MaxInputName {
			w.addProperty(w.resolveReferences(all[name]), childPath, needed && slices.Contains(required, name))
		}
	}
}

// addProperty adds one property, or the properties below it.
func (w *schemaInputs) addProperty(s schemaNode, path []string, needed bool) {
	existing, _ := ValueAt(w.values, strings.Join(path, "."))
	switch s.valueType() {
	case "object":
		_, isMap := existing.(map[string]any)
		w.addProperties(s, path, needed || isMap)
	case "string", "integer", "number", "boolean":
		in := s.toInput(path)
		preset, has := ValueText(existing), existing != nil
		switch {
		case IsNested(existing): // The validation of the values reports it.
		case has && preset == "" && s.refusesEmpty():
			has = false
		case has:
			in.Default = text.Truncate(preset, MaxInputBytes)
		}
		in.Required = needed && !has
		// For an optional value, the default in the schema describes what the chart does
		// without the value.
		in.Preset = !in.Required
		switch {
		case in.Required:
			w.required = append(w.required, in)
		case len(path) <= maxOptionalDepth && in.Title+in.Description != "":
			w.optional = append(w.optional, in)
		}
	}
}

// IsNested reports whether a value is a map or a list.
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

// resolveReferences follows references within the schema. Keywords next to a reference take
// precedence over the keywords of its target. An unresolvable or circular reference results
// in an empty schema.
func (w *schemaInputs) resolveReferences(value any) schemaNode {
	node, _ := value.(map[string]any)
	for range maxReferences {
		reference, ok := node["$ref"].(string)
		if !ok {
			return node
		}
		target, _ := w.resolvePointer(reference).(map[string]any)
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

// resolvePointer returns the target of a JSON pointer within the schema.
func (w *schemaInputs) resolvePointer(reference string) any {
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
