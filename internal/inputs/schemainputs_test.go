package inputs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/values"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// asksFor returns a schema that requires one value, a, with the given schema.
func asksFor(so string) string {
	return `{"type": "object", "required": ["a"], "properties": {"a": ` + so + `}}`
}

func TestSchemaInputsOf(t *testing.T) {
	t.Parallel()
	options := func(values ...string) []inputs.Option {
		var all []inputs.Option
		for _, v := range values {
			all = append(all, inputs.Option{Title: v, Value: v})
		}
		return all
	}
	for _, c := range []struct {
		why    string
		schema string
		want   inputs.Input
	}{
		{"a text", `{"type": "string"}`, inputs.Input{Type: "string"}},
		{"a described text", `{"type": "string", "title": "A", "description": "What\nit is."}`, inputs.Input{Type: "string", Title: "A", Description: "What\nit is."}},
		{"a bool", `{"type": "boolean"}`, inputs.Input{Type: "bool"}},
		{"a whole number with bounds", `{"type": "integer", "minimum": 1, "maximum": 9}`, inputs.Input{Type: "int", Range: nestedValues(1, 9)}},
		{"a number", `{"type": "number", "minimum": 0.5}`, inputs.Input{Type: "string", Number: true, Range: nestedValues(0.5, -1)}},
		{"a text of a length", `{"type": "string", "minLength": 8}`, inputs.Input{Type: "string", Length: nestedValues(8, -1)}},
		{"a pattern", `{"type": "string", "pattern": "^a(?=b)"}`, inputs.Input{Type: "string", Pattern: "^a(?=b)"}},
		{"a pattern that is too long is left to the schema", `{"type": "string", "pattern": "` + strings.Repeat("a", 1001) + `"}`, inputs.Input{Type: "string"}},
		{"an address", `{"type": "string", "format": "email"}`, inputs.Input{Type: "email"}},
		{"a URL", `{"type": "string", "format": "uri"}`, inputs.Input{Type: "url"}},
		{"a host", `{"type": "string", "format": "hostname"}`, inputs.Input{Type: "domain"}},
		{"a password", `{"type": "string", "format": "password"}`, inputs.Input{Type: "password"}},
		{"what must not be read back", `{"type": "string", "writeOnly": true, "format": "email"}`, inputs.Input{Type: "password"}},
		{"a format that is not checked", `{"type": "string", "format": "color"}`, inputs.Input{Type: "string"}},
		{"one of several texts", `{"type": "string", "enum": ["x", "y"]}`, inputs.Input{Type: "string", Options: options("x", "y")}},
		{"one of several numbers", `{"type": "integer", "enum": [1, 2, 1e3]}`, inputs.Input{Type: "int", Options: options("1", "2", "1e3")}},
		{"values of no type", `{"enum": ["x", null, true, {}]}`, inputs.Input{Type: "string", Options: options("x", "true")}},
		{"one text only", `{"type": "string", "const": "x"}`, inputs.Input{Type: "string", Options: options("x")}},
		{"more options than a form can have", `{"type": "string", "enum": [` + strings.Repeat(`"x",`, 100_000) + `"y"]}`, inputs.Input{Type: "string"}},
		{"nothing or a text", `{"type": ["null", "string"]}`, inputs.Input{Type: "string"}},
		{"a default that the chart does not have", `{"type": "integer", "default": 3}`, inputs.Input{Type: "int", Default: "3"}},
		{"a default that is no text", `{"type": "string", "default": ["x"]}`, inputs.Input{Type: "string"}},
		{"words of the wrong type", `{"type": "string", "title": 3, "description": [], "minLength": "8", "pattern": {}, "enum": "x"}`, inputs.Input{Type: "string"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			c.want.Name, c.want.Path, c.want.Required, c.want.Editable = "a", "a", true, true
			got, err := inputs.FromSchema([]byte(asksFor(c.schema)), nil)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(Equal([]inputs.Input{c.want}))
		})
	}
}

func TestSchemaInputs(t *testing.T) {
	t.Parallel()
	const required, optional = "*", ""
	type names = []string
	for _, c := range []struct {
		why    string
		schema string
		values string
		want   names // with a star if required, followed by the default
	}{
		{"nothing", `{}`, "", nil},
		{"no map", `[]`, "", nil},
		{"what is required and missing", asksFor(`{"type": "string"}`), "", names{"a*"}},
		{"what the chart has", asksFor(`{"type": "string"}`), "a: x", nil},
		{"what the chart has, described", asksFor(`{"type": "string", "title": "A"}`), "a: x", names{"a=x"}},
		{"an empty text may be meant", asksFor(`{"type": "string"}`), `a: ""`, nil},
		{"an empty text that does not do", asksFor(`{"type": "string", "minLength": 1}`), `a: ""`, names{"a*"}},
		{"null is nothing", asksFor(`{"type": "string"}`), "a: null", names{"a*"}},
		{"neither required nor described", `{"properties": {"a": {"type": "string"}}}`, "", nil},
		{"described but not required", `{"properties": {"a": {"type": "integer", "description": "A.", "default": 3}}}`, "", names{"a=3"}},
		{"two deep", `{"properties": {"a": {"properties": {"b": {"type": "string", "title": "B"}, "c": {"properties": {"d": {"type": "string", "title": "D"}}}}}}}`, "", names{"a.b"}},
		{"required in what is required", `{"required": ["a"], "properties": {"a": {"required": ["b"], "properties": {"b": {"type": "string"}}}}}`, "", names{"a.b*"}},
		{"required in what need not be", `{"properties": {"a": {"required": ["b"], "properties": {"b": {"type": "string"}}}}}`, "", nil},
		{"required in an existing map", `{"properties": {"a": {"required": ["b"], "properties": {"b": {"type": "string"}}}}}`, "a: {c: 1}", names{"a.b*"}},
		{"what is required comes first", `{"required": ["z"], "properties": {"a": {"type": "string", "title": "A"}, "z": {"type": "string"}}}`, "", names{"z*", "a"}},
		{"a value of another type is the schema's to refuse", asksFor(`{"type": "string", "title": "A"}`), "a: {b: c}", names{"a"}},
		{"lists and maps are no inputs", `{"required": ["a", "b"], "properties": {"a": {"type": "array"}, "b": {"type": "object"}}}`, "", nil},
		{"keys that are no part of a path", `{"required": ["a.b", "", "a b", "c[0]", "x=y"], "properties": {"a.b": {"type": "string"}, "": {"type": "string"}, "a b": {"type": "string"}, "c[0]": {"type": "string"}, "x=y": {"type": "string"}}}`, "", nil},
		{"the name of a password", `{"required": ["adminPassword"], "properties": {"adminPassword": {"type": "string"}}}`, "", names{"adminPassword*!"}},

		{"a reference", `{"required": ["a"], "properties": {"a": {"$ref": "#/definitions/text"}}, "definitions": {"text": {"type": "string"}}}`, "", names{"a*"}},
		{"a newer one, through another, with words of its own", `{"properties": {"a": {"$ref": "#/$defs/x~1y", "title": "A"}}, "$defs": {"x/y": {"$ref": "#/$defs/z"}, "z": {"type": "string"}}}`, "", names{"a"}},
		{"a reference at the top", `{"$ref": "#/$defs/top", "$defs": {"top": {"required": ["a"], "properties": {"a": {"type": "string"}}}}}`, "", names{"a*"}},
		{"a reference to itself", `{"required": ["a"], "properties": {"a": {"$ref": "#/properties/a"}}}`, "", nil},
		{"a reference that leads nowhere", `{"required": ["a"], "properties": {"a": {"$ref": "#/definitions/text"}}}`, "", nil},
		{"a reference elsewhere", `{"required": ["a"], "properties": {"a": {"$ref": "https://schemas.example/a.json"}, "b": {"$ref": "file:///etc/passwd"}}}`, "", nil},
		{"a schema in itself, to six keys", `{"required": ["a"], "properties": {"a": {"$ref": "#"}, "t": {"type": "string", "title": "T"}}}`, "", names{"a.t", "t"}},
		{"six keys, and not seven", `{"$ref": "#/$defs/n", "$defs": {"n": {"required": ["n", "t"], "properties": {"n": {"$ref": "#/$defs/n"}, "t": {"type": "string"}}}}}`, "",
			names{"n.n.n.n.n.t*", "n.n.n.n.t*", "n.n.n.t*", "n.n.t*", "n.t*", "t*"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			values, err := values.Decode([]byte(c.values))
			g.Expect(err).NotTo(HaveOccurred())
			inputs, err := inputs.FromSchema([]byte(c.schema), values)
			g.Expect(err).NotTo(HaveOccurred())
			var got names
			for _, in := range inputs {
				word := in.Name + map[bool]string{true: required, false: optional}[in.Required]
				if in.Default != "" {
					word += "=" + in.Default
				}
				if in.Type == "password" {
					word += "!"
				}
				got = append(got, word)
			}
			g.Expect(got).To(Equal(c.want))
		})
	}
}

func TestSchemaInputsHostile(t *testing.T) {
	t.Parallel()
	wide := func(n int, more string) string {
		var all, asked []string
		for i := range n {
			all = append(all, fmt.Sprintf(`"a%d": {%s}`, i, more))
			asked = append(asked, fmt.Sprintf(`"a%d"`, i))
		}
		return `{"required": [` + strings.Join(asked, ",") + `], "properties": {` + strings.Join(all, ",") + `}}`
	}
	for _, c := range []struct {
		why    string
		schema string
		reason string
		inputs int
	}{
		{"no JSON", `{"type": `, v1alpha1.ReasonInvalidChart, 0},
		{"nested too deep for a decoder", strings.Repeat(`{"properties":`, 20_000), v1alpha1.ReasonInvalidChart, 0},
		{"too large", `"` + strings.Repeat("a", 2<<20) + `"`, v1alpha1.ReasonLimitExceeded, 0},
		{"a thousand required values", wide(1000, `"type": "string"`), "", 100},
		{"a hundred times a hundred times a hundred …", strings.Replace(wide(100, `"$ref": "#"`), `{"required"`, `{"type": "object", "required"`, 1), "", 0},
		{"a circle of references", `{"required": ["a"], "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"$ref": "#/$defs/y"}, "y": {"$ref": "#/$defs/x"}}}`, "", 0},
		{"a pointer of many parts", asksFor(`{"$ref": "#` + strings.Repeat("/properties", 100_000) + `"}`), "", 0},
		{"texts without end", asksFor(`{"type": "string", "title": "` + strings.Repeat("ü", 500_000) + `", "default": "` + strings.Repeat("a", 500_000) + `"}`), "", 1},
		{"a name without end", `{"required": ["` + strings.Repeat("a", 300) + `"], "properties": {"` + strings.Repeat("a", 300) + `": {"type": "string"}}}`, "", 0},
		{"numbers beyond all bounds", asksFor(`{"type": "integer", "minimum": 1e999999, "default": 1e999999}`), "", 1},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			began := time.Now()
			declared, err := inputs.FromSchema([]byte(c.schema), nil)
			g.Expect(time.Since(began)).To(BeNumerically("<", 10*time.Second))
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
			g.Expect(err == nil || outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			g.Expect(declared).To(HaveLen(c.inputs))
			for _, in := range declared {
				g.Expect(len(in.Title)).To(BeNumerically("<=", inputs.MaxInputTitle))
				g.Expect(len(in.Default)).To(BeNumerically("<=", inputs.MaxInputBytes))
			}
		})
	}
}

func FuzzSchemaInputs(f *testing.F) {
	f.Add([]byte(asksFor(`{"type": "string", "enum": ["x"]}`)), []byte("a: x\n"))
	f.Add([]byte(`{"$ref": "#/$defs/n", "$defs": {"n": {"required": ["n"], "properties": {"n": {"$ref": "#/$defs/n"}}}}}`), []byte("n: {n: {}}\n"))
	f.Fuzz(func(t *testing.T, schema, text []byte) {
		values, err := values.Decode(text)
		if err != nil {
			return
		}
		declared, err := inputs.FromSchema(schema, values)
		if err != nil {
			return
		}
		checked, _ := inputs.CheckInputs(declared, nil, nil)
		inputs.ChartValues(declared, checked, values)
		for _, in := range declared {
			if in.Name == "" || in.Path != in.Name || len(in.Name) > inputs.MaxInputName || strings.Count(in.Path, ".") > 5 {
				t.Fatalf("got input %q at %q", in.Name, in.Path)
			}
		}
	})
}
