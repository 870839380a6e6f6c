package values_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/values"
)

func TestDecodeField(t *testing.T) {
	for _, c := range []struct {
		why    string
		raw    *runtime.RawExtension
		want   map[string]any
		failed bool
	}{
		{why: "nothing"},
		{why: "no bytes", raw: &runtime.RawExtension{}},
		{why: "null", raw: &runtime.RawExtension{Raw: []byte("null")}, want: map[string]any{}},
		{why: "a map", raw: &runtime.RawExtension{Raw: []byte(`{"a": {"b": [1, "c", null]}}`)}, want: map[string]any{"a": map[string]any{"b": []any{1.0, "c", nil}}}},
		{why: "YAML, which no object holds", raw: &runtime.RawExtension{Raw: []byte("a: 1")}, failed: true},
		{why: "a list", raw: &runtime.RawExtension{Raw: []byte(`[1]`)}, failed: true},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			got, err := values.DecodeField(c.raw)
			g.Expect(got).To(Equal(c.want))
			g.Expect(err != nil).To(Equal(c.failed))
			g.Expect(outcome.IsStalled(err)).To(Equal(c.failed))
			if c.failed {
				g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidValues))
			}
		})
	}
}
