package values_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/values"
)

// FuzzCheckSchema checks any values against any schema of a chart.
func FuzzCheckSchema(f *testing.F) {
	f.Add([]byte(`{"type":"object","properties":{"a":{"type":"string","pattern":"^(a+)+$"}},"required":["b"]}`), "a: aaaaaaaa\n")
	f.Add([]byte(`{"$ref":"#/$defs/a","$defs":{"a":{"allOf":[{"$ref":"#/$defs/a"}]}}}`), "a: 1e400\n")
	f.Add([]byte(`{"$schema":"http://json-schema.org/draft-04/schema#","properties":{"a":{"maximum":1e9999}},"additionalItems":false,"$ref":"file:///etc/passwd"}`), "a: [1]\n")
	f.Add([]byte(`{"dependentSchemas":{"a":true},"unevaluatedProperties":false,"patternProperties":{"(":{}}}`), "{}")
	f.Fuzz(func(t *testing.T, schema []byte, text string) {
		g := NewWithT(t)
		decoded, err := values.Decode([]byte(text))
		if err != nil {
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			return
		}
		if err := values.CheckSchema(schema, decoded, "dependency"); err != nil {
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
		}
	})
}
