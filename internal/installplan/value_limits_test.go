package installplan

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// TestValuesBoundEntries covers values with very many short entries.
func TestValuesBoundEntries(t *testing.T) {
	const most = 1 << 17
	items := func(item string, count int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", count), ",") + "]"
	}
	for _, c := range []struct {
		why     string
		values  string
		refused bool
	}{
		{"as many items as there may be, with the key of the list", `{"a":` + items("1", most-1) + `}`, false},
		{"one more", `{"a":` + items("1", most) + `}`, true},
		{"lists in lists", `{"a":` + items("[[]]", most/2) + `}`, true},
		{"maps in lists", `{"a":` + items(`{"b":1}`, most/2) + `}`, true},
		{"fewer of them", `{"a":` + items(`{"b":1}`, most/2-1) + `}`, false},
		{"a megabyte of text", `{"a":"` + strings.Repeat("[1,", 350_000) + `"}`, false},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			merged, err := valueReader{}.readValues(t.Context(), ValueSources{Values: rawExtension(c.values)})
			if !c.refused {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(merged).To(HaveKey("a"))
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring("but must have at most 131072; use fewer")))
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLimitExceeded))
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
		})
	}
}
