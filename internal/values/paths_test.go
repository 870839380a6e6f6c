package values_test

import (
	"strconv"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/values"
)

func TestListPaths(t *testing.T) {
	g := NewWithT(t)
	given := map[string]any{
		"b": []any{map[string]any{"c": 1}}, "removed": nil, "empty": map[string]any{},
		"a": map[string]any{"y": 1, "x": map[string]any{"z": "text"}},
	}
	g.Expect(values.ListPaths(given)).To(Equal([][]string{{"a", "x", "z"}, {"a", "y"}, {"b"}, {"empty"}}))

	deep := map[string]any{"end": 1}
	for range 100 {
		deep = map[string]any{"k": deep}
	}
	g.Expect(values.ListPaths(deep)).To(ConsistOf(HaveLen(32)))
	many := map[string]any{}
	for i := range 2000 {
		many[strconv.Itoa(i)] = map[string]any{"a": 1}
	}
	g.Expect(values.ListPaths(many)).To(HaveLen(1000))
}
