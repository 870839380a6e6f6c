package inputs_test

import (
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/inputs"

	. "github.com/onsi/gomega"
)

func TestCheckTitles(t *testing.T) {
	t.Parallel()
	entrances := []inputs.Entrance{{Name: "web", Title: "Web"}, {Name: "admin", Title: "Admin"}}
	type titles = map[string]string
	for _, c := range []struct {
		why   string
		given titles
		taken []string
		want  titles
	}{
		{"both are new", titles{"web": "My web", "admin": "My admin"}, []string{"Web", "Admin"}, titles{}},
		{"none is given", nil, nil, titles{"web": "required", "admin": "required"}},
		{"spaces are no title", titles{"web": " \t ", "admin": "A"}, nil, titles{"web": "required"}},
		{"nothing to see is no title", titles{"web": "\u200b\u200b", "admin": "A"}, nil, titles{"web": "required"}},
		{"thirty characters, whatever their bytes", titles{"web": strings.Repeat("ü", 30), "admin": strings.Repeat("界", 31)}, nil,
			titles{"admin": "must have at most 30 characters"}},
		{"spaces around do not count", titles{"web": "  " + strings.Repeat("a", 30) + "  ", "admin": "A"}, nil, titles{}},
		{"letters of two parts count once", titles{"web": strings.Repeat("u\u0308", 30), "admin": "A"}, nil, titles{}},
		{"another instance has it, in other capitals", titles{"web": "BLOG ", "admin": "Straße"}, []string{" blog", "STRASSE"},
			titles{"web": "already used by another instance", "admin": "already used by another instance"}},
		{"another instance has it, in other bytes", titles{"web": "Caf\u00e9", "admin": "A"}, []string{"cafe\u0301"}, titles{"web": "already used by another instance"}},
		{"one title for two", titles{"web": "Blog", "admin": "blog"}, nil, titles{"admin": "already used by another entrance"}},
		{"a wrong title takes nothing", titles{"web": "a\x1bb", "admin": "A"}, nil, titles{"web": "must not contain control characters"}},
		{"no such entrance", titles{"web": "A", "admin": "B", "wbe": "C", "x": "D"}, nil, titles{"wbe": "unknown entrance", "x": "unknown entrance"}},
		{"a title of megabytes", titles{"web": strings.Repeat("a\u0301", 2<<20), "admin": "B"}, nil, titles{"web": "must have at most 30 characters"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			before := len(c.given)
			got := titles{}
			for _, p := range inputs.CheckTitles(entrances, c.given, c.taken) {
				got[p.Input.Name] = p.Problem
			}
			g.Expect(got).To(Equal(c.want))
			g.Expect(c.given).To(HaveLen(before), "what is given is not changed")
		})
	}
	NewWithT(t).Expect(inputs.CheckTitles(entrances, titles{"z": "A", "y": "B"}, nil)).To(HaveExactElements(
		inputs.Problem{Input: inputs.Input{Name: "web", Title: "Web", Type: "string", Required: true, Editable: true}, Problem: "required"},
		inputs.Problem{Input: inputs.Input{Name: "admin", Title: "Admin", Type: "string", Required: true, Editable: true}, Problem: "required"},
		inputs.Problem{Input: inputs.Input{Name: "y"}, Problem: "unknown entrance"},
		inputs.Problem{Input: inputs.Input{Name: "z"}, Problem: "unknown entrance"},
	))
}
