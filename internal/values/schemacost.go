package values

import (
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

// maxSchemaSteps is the maximum number of times that a schema or one of its subschemas is
// applied to a value. maxSchemaDepth is the maximum nesting of these applications.
const (
	maxSchemaSteps = 500_000
	maxSchemaDepth = 1000
)

// checkSchemaCost returns an error if a validation would be too expensive. A short schema
// whose parts refer to each other twice takes exponential time, and the validator cannot be
// stopped. The function therefore walks the path of the validator with a limit on the
// number of steps and without validating.
func checkSchemaCost(schema *jsonschema.Schema, instance any) error {
	w := schemaCostCounter{root: schema, left: maxSchemaSteps}
	if !w.walkSchema(schema, instance, 0) {
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "check values: %s takes more than %d steps", chart.SchemaFile, maxSchemaSteps)
	}
	return nil
}

type schemaCostCounter struct {
	root *jsonschema.Schema
	left int
}

// walkSchema walks the path of a schema through a value and returns false when a limit is
// exceeded. Long strings cost more because patterns read them.
func (w *schemaCostCounter) walkSchema(s *jsonschema.Schema, value any, depth int) bool {
	if s == nil {
		return true
	}
	w.left--
	if text, ok := value.(string); ok {
		w.left -= len(text) / 256
	}
	if w.left < 0 || depth > maxSchemaDepth {
		return false
	}
	for _, part := range w.subschemasOf(s) {
		if !w.walkSchema(part, value, depth+1) {
			return false
		}
	}
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			if !w.walkSchemas(fieldSchemas(s, name), field, depth) || !w.walkSchema(s.PropertyNames, name, depth+1) {
				return false
			}
		}
	case []any:
		parts := itemSchemas(s)
		for i, item := range value {
			if !w.walkSchemas(parts.schemasAt(i), item, depth) {
				return false
			}
		}
	}
	return true
}

func (w *schemaCostCounter) walkSchemas(parts []*jsonschema.Schema, value any, depth int) bool {
	for _, part := range parts {
		if !w.walkSchema(part, value, depth+1) {
			return false
		}
	}
	return true
}

// subschemasOf returns the subschemas that apply to the same value. The target of a dynamic
// reference depends on the path to it, so the root schema, which is the most expensive
// target, is assumed.
func (w *schemaCostCounter) subschemasOf(s *jsonschema.Schema) []*jsonschema.Schema {
	parts := []*jsonschema.Schema{s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else, s.ContentSchema}
	if s.RecursiveRef != nil {
		parts = append(parts, w.root)
	}
	if s.DynamicRef != nil {
		parts = append(parts, s.DynamicRef.Ref, w.root)
	}
	parts = slices.Concat(parts, s.AllOf, s.AnyOf, s.OneOf, slices.Collect(maps.Values(s.DependentSchemas)))
	for _, dependency := range s.Dependencies {
		if part, ok := dependency.(*jsonschema.Schema); ok {
			parts = append(parts, part)
		}
	}
	return parts
}

// fieldSchemas returns the subschemas that apply to a field of a map.
func fieldSchemas(s *jsonschema.Schema, name string) []*jsonschema.Schema {
	parts := []*jsonschema.Schema{s.Properties[name], s.UnevaluatedProperties}
	if part, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && s.Properties[name] == nil {
		parts = append(parts, part)
	}
	for pattern, part := range s.PatternProperties {
		if pattern.MatchString(name) {
			parts = append(parts, part)
		}
	}
	return parts
}

// itemSubschemas are the subschemas that apply to the items of a list: by position, to the remaining
// items, and to all items.
type itemSubschemas struct {
	byIndex []*jsonschema.Schema
	rest    *jsonschema.Schema
	all     []*jsonschema.Schema
}

func itemSchemas(s *jsonschema.Schema) itemSubschemas {
	parts := itemSubschemas{byIndex: s.PrefixItems, rest: s.Items2020, all: []*jsonschema.Schema{s.Contains, s.UnevaluatedItems}}
	switch old := s.Items.(type) {
	case *jsonschema.Schema:
		parts.rest = old
	case []*jsonschema.Schema:
		parts.byIndex = old
		parts.rest, _ = s.AdditionalItems.(*jsonschema.Schema)
	}
	return parts
}

func (p itemSubschemas) schemasAt(i int) []*jsonschema.Schema {
	if i < len(p.byIndex) {
		return append(p.all[:len(p.all):len(p.all)], p.byIndex[i])
	}
	return append(p.all[:len(p.all):len(p.all)], p.rest)
}
