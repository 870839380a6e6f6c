package values_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/values"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

func TestCheckSchema(t *testing.T) {
	const schema = `{
		"$schema": "http://json-schema.org/draft-07/schema#",
		"type": "object",
		"required": ["name", "kind"],
		"additionalProperties": false,
		"properties": {
			"name": {"type": "string", "pattern": "^[a-z]+$"},
			"kind": {"enum": ["web", "job"]},
			"replicas": {"type": "integer", "minimum": 1},
			"image": {"$ref": "#/definitions/image"},
			"env": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
			"annotations": {"additionalProperties": {"type": "string"}},
			"mail": {"format": "email"}
		},
		"definitions": {"image": {"type": "object", "properties": {"tag": {"type": ["string", "null"]}}}}
	}`
	for _, c := range []struct {
		why    string
		values map[string]any
		says   []string
	}{
		{"values that fit", map[string]any{"name": "a", "kind": "web", "replicas": 2.0, "image": map[string]any{"tag": nil}, "env": []any{map[string]any{"name": "x"}}}, nil},
		{"Go's own numbers", map[string]any{"name": "a", "kind": "web", "replicas": int64(2)}, nil},
		{"no values", nil, []string{"kind: Required value", "name: Required value"}},
		{"all that is wrong at once, sorted", map[string]any{
			"name": "S3CRET", "kind": "x", "replicas": 0, "mail": "S3CRET", "b": 1, "a": 2,
			"image": map[string]any{"tag": 1.27}, "env": []any{map[string]any{}, map[string]any{"name": true}},
			"annotations": map[string]any{"example.com/x": 1},
		}, []string{
			`a: unknown key (supported keys: annotations, env, image, kind, mail, name, replicas)`,
			`annotations["example.com/x"]: must be of type string, but is number`,
			`b: unknown key (supported keys: annotations, env, image, kind, mail, name, replicas)`,
			`env[1].name: must be of type string, but is boolean`,
			`image.tag: must be of type null or string, but is number`,
			`kind: must be one of: web, job`,
			`mail: must be a valid email`,
			`name: must match pattern "^[a-z]+$"`,
			`replicas: Invalid value: 0: must be at least 1`,
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			err := values.CheckSchema([]byte(schema), c.values)
			if c.says == nil {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonSchemaViolation))
			g.Expect(err.Error()).To(Equal("values do not match values.schema.json: " + strings.Join(c.says, "; ")))
			g.Expect(err.Error()).NotTo(ContainSubstring("S3CRET"))
		})
	}
}

// TestCheckSchemaOfDependencies shows that the paths start with the keys of the dependency.
func TestCheckSchemaOfDependencies(t *testing.T) {
	g := NewWithT(t)
	err := values.CheckSchema([]byte(`{"required": ["a"], "maxProperties": 0}`), map[string]any{"b": 1}, "web", "cache")
	g.Expect(err).To(MatchError(`values do not match values.schema.json of chart "web.cache": web.cache.a: Required value; web.cache: must have at most 0 keys, but has 1`))
	err = values.CheckSchema([]byte(`{"maxProperties": 0}`), map[string]any{"b": 1})
	g.Expect(err).To(MatchError(`values do not match values.schema.json: values: must have at most 0 keys, but has 1`))
}

// TestCheckSchemaSaysWhatIsWrong covers the message for each kind of violation.
func TestCheckSchemaSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		schema string
		value  any
		want   string
	}{
		{`{"minimum": 2}`, 1, "Invalid value: 1: must be at least 2"},
		{`{"maximum": 5}`, 9, "Invalid value: 9: must be at most 5"},
		{`{"exclusiveMinimum": 0.5}`, 0.5, "Invalid value: 0.5: must be more than 0.5"},
		{`{"exclusiveMaximum": 10}`, 10, "Invalid value: 10: must be less than 10"},
		{`{"multipleOf": 5}`, 7, "Invalid value: 7: must be a multiple of 5"},
		{`{"minLength": 1}`, "", "must have at least 1 character, but has 0"},
		{`{"maxLength": 2}`, "abc", "must have at most 2 characters, but has 3"},
		{`{"minItems": 1}`, []any{}, "must have at least 1 item, but has 0"},
		{`{"maxItems": 2}`, []any{1, 2, 3}, "must have at most 2 items, but has 3"},
		{`{"uniqueItems": true}`, []any{1, 2, 1}, "items 0 and 2 must not be equal"},
		{`{"minProperties": 1}`, map[string]any{}, "must have at least 1 key, but has 0"},
		{`{"const": "x"}`, "S3CRET", "must be x"},
		{`{"enum": [1, null, ""]}`, "S3CRET", `must be one of: 1, null, ""`},
		{`{"not": {"type": "string"}}`, "S3CRET", `must not match the schema in "not"`},
		{`{"oneOf": [{"type": "string"}, {"minLength": 1}]}`, "S3CRET", `must match exactly one schema in "oneOf"`},
		{`{"dependentRequired": {"a": ["b"]}}`, map[string]any{"a": 1}, "a requires b"},
		{`{"type": "string"}`, 1, "must be of type string, but is number"},
		{`false`, 1, "must not be set"},
	} {
		err := values.CheckSchema(fmt.Appendf(nil, `{"properties": {"a": %s}}`, c.schema), map[string]any{"a": c.value})
		NewWithT(t).Expect(err).To(MatchError("values do not match values.schema.json: a: "+c.want), c.schema)
	}
}

func TestCheckSchemaListsTwenty(t *testing.T) {
	g := NewWithT(t)
	decoded := map[string]any{}
	for i := range 30 {
		decoded[fmt.Sprintf("k%02d", i)] = i
	}
	err := values.CheckSchema([]byte(`{"additionalProperties": {"type": "string"}}`), decoded)
	g.Expect(strings.Count(err.Error(), "must be of type string")).To(Equal(20))
	g.Expect(err).To(MatchError(HaveSuffix("; and 10 more")))
}

func TestCheckSchemaDrafts(t *testing.T) {
	for _, draft := range []string{
		"http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-06/schema#",
		"http://json-schema.org/draft-07/schema", "https://json-schema.org/draft/2019-09/schema",
		"https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/schema#",
	} {
		t.Run(draft, func(t *testing.T) {
			g := NewWithT(t)
			schema := fmt.Appendf(nil, `{"$schema": %q, "properties": {"a": {"type": "string"}}}`, draft)
			g.Expect(values.CheckSchema(schema, map[string]any{"a": "x"})).To(Succeed())
			err := values.CheckSchema(schema, map[string]any{"a": 1})
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonSchemaViolation))
		})
	}
}

func TestCheckSchemaRefuses(t *testing.T) {
	bomb := func(keyword string, inner string) string {
		var defs []string
		for i := range 40 {
			defs = append(defs, fmt.Sprintf(`"d%d": {%q: [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%d"}]}`, i, keyword, i+1, i+1))
		}
		return fmt.Sprintf(`{"$defs": {%s, "d40": %s}, "not": {"$ref": "#/$defs/d0"}}`, strings.Join(defs, ","), inner)
	}
	deep := map[string]any{}
	for range 60 {
		deep = map[string]any{"a": deep}
	}
	for _, c := range []struct {
		why    string
		schema string
		values map[string]any
		reason string
	}{
		{"no JSON", `{`, nil, v1alpha1.ReasonInvalidChart},
		{"more than one document", `{} {}`, nil, v1alpha1.ReasonInvalidChart},
		{"no schema", `{"type": "text"}`, nil, v1alpha1.ReasonInvalidChart},
		{"neither object nor boolean", `[]`, nil, v1alpha1.ReasonInvalidChart},
		{"a pattern that is none", `{"properties": {"a": {"pattern": "("}}}`, nil, v1alpha1.ReasonInvalidChart},
		{"a reference to nothing", `{"$ref": "#/$defs/x"}`, nil, v1alpha1.ReasonInvalidChart},
		{"a reference to a file", `{"$ref": "file:///etc/passwd"}`, nil, v1alpha1.ReasonInvalidChart},
		{"a reference to another file", `{"$ref": "other.json"}`, nil, v1alpha1.ReasonInvalidChart},
		{"a reference to an address", `{"properties": {"a": {"$ref": "https://example.com/s.json"}}}`, nil, v1alpha1.ReasonInvalidChart},
		{"a dialect from an address", `{"$schema": "https://example.com/s.json"}`, nil, v1alpha1.ReasonInvalidChart},
		{"a number out of range", `{"properties": {"a": {"minimum": 1e999999}}}`, map[string]any{"a": 1}, v1alpha1.ReasonInvalidChart},
		{"parts twice each, that pass", bomb("allOf", `true`), nil, v1alpha1.ReasonLimitExceeded},
		{"parts twice each, that fail", bomb("anyOf", `{"type": "string"}`), nil, v1alpha1.ReasonLimitExceeded},
		{"a schema that is itself", `{"$ref": "#"}`, nil, v1alpha1.ReasonLimitExceeded},
		{"twice at each level", `{"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}`, deep, v1alpha1.ReasonLimitExceeded},
		{"twice at each item", `{"items": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, "properties": {"l": {"$ref": "#"}}}`,
			map[string]any{"l": nestedList(60)}, v1alpha1.ReasonLimitExceeded},
		{"a long text again and again", `{"allOf": [` + strings.Repeat(`{"properties": {"a": {"pattern": "x*y"}}},`, 2000) + `true]}`,
			map[string]any{"a": strings.Repeat("x", 1<<20)}, v1alpha1.ReasonLimitExceeded},
		{"length", strings.Repeat(" ", 3<<20) + "{}", nil, v1alpha1.ReasonLimitExceeded},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			begin := time.Now()
			err := values.CheckSchema([]byte(c.schema), c.values)
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), "%v", err)
			g.Expect(err.Error()).NotTo(ContainSubstring("chart:///"))
			g.Expect(time.Since(begin)).To(BeNumerically("<", 20*time.Second))
		})
	}
}

func nestedList(depth int) any {
	var value any = []any{}
	for range depth {
		value = []any{value}
	}
	return value
}

func TestCheckSchemaLarge(t *testing.T) {
	g := NewWithT(t)
	decoded := map[string]any{}
	for i := range 5000 {
		decoded[fmt.Sprint("k", i)] = map[string]any{"enabled": true, "args": []any{"a", "b", "c"}, "next": map[string]any{"enabled": false}}
	}
	schema := `{"additionalProperties": {"$ref": "#/$defs/s"}, "$defs": {"s": {"type": "object", "unevaluatedProperties": false, "properties": {
		"enabled": {"type": "boolean"}, "args": {"items": {"anyOf": [{"type": "number"}, {"type": "string"}]}}, "next": {"$ref": "#/$defs/s"}}}}}`
	g.Expect(values.CheckSchema([]byte(schema), decoded)).To(Succeed(), "a bound that honest values meet is none")
}
