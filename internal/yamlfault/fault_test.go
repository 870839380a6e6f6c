package yamlfault_test

import (
	"errors"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	yamlv2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/appmarket/operator/internal/yamlfault"
)

func TestLocate(t *testing.T) {
	const list = "entries:\n  web:\n"
	for _, c := range []struct {
		why  string
		text string
		line int
		want string
	}{
		{"an item of a list that is one space off", list + "   - name: web\n     version: 1.0.0\n  - name: web\n", 5, "a key is expected here"},
		{"the same after 500 lines", strings.Repeat("# comment\n", 500) + list + "   - name: web\n  - name: web\n", 504, "a key is expected here"},
		{"a key that is one space off", "a: 1\nb:\n  c: 1\n d: 2\n", 4, "a key is expected here"},
		{"text after a closed quote", "a: 1\nb: 'x' y\nc: d\n", 2, "a key is expected here"},
		{"a key among the items of a list", "a:\n  - b\n  c: d\n", 3, "a list item"},
		{"a list that continues as a mapping", "- a\nb: c\n", 2, "a list item"},
		{"brackets that are not closed", "a: 1\nb: [1,\n 2\nc: 3\n", 4, `"," or "]" is expected`},
		{"braces that are not closed", "a: {b: c\nd: e}\n", 2, `"," or "}" is expected`},
		{"nothing after a bracket", "a: 1\nb: [}\n", 2, "a value is expected"},
		{"a fault in the first line", "b: ]\n", 1, "a value is expected"},
		{"two colons in a line", "a: 1\nb: c: d\n", 2, `the line has a second ": "`},
		{"a value that begins with @", "a: 1\nb: @x\n", 2, "cannot begin with this character"},
		{"a tab in the first line", "\tx: y\n", 1, "cannot begin with this character"},
		{"a tab as indentation", "a: 1\n\tb: 1\n", 2, "the indentation contains a tab"},
		{"a key without a colon", "a: 1\nb\nc: d\n", 2, `a ":" is missing`},
		{"a quote that is not closed", "a: 1\nb: \"x\nc: 3\nd: 4\n", 2, "not closed"},
		{"a quote that is not closed in the first line", "b: 'x\nc: d\ne: f\n", 1, "not closed"},
		{"an unknown escape sequence in double quotes", "a: 1\nb: \"\\q\"\n", 2, "backslash"},
		{"a control character", "a: 1\nb: \x01\n", 2, "control characters are not allowed"},
		{"bytes that are not UTF-8", "a: 1\nb: c\nd: \xff\n", 3, "UTF-8"},
		{"a tag that is not declared", "a: 1\nb: !x!y z\n", 2, "the tag in this line"},
		{"an anchor that does not exist", "a: 1\nb: *x\n", 0, "unknown anchor 'x' referenced"},
	} {
		t.Run(c.why, func(t *testing.T) {
			var node yaml.Node
			var value any
			for by, err := range map[string]error{
				"v3":   yaml.Unmarshal([]byte(c.text), &node),
				"sigs": sigsyaml.Unmarshal([]byte(c.text), &value),
			} {
				g := NewWithT(t)
				g.Expect(err).To(HaveOccurred(), by)
				fault := yamlfault.Locate([]byte(c.text), err)
				g.Expect(fault.Problem).To(ContainSubstring(c.want), by)
				g.Expect(fault.Line).To(Equal(c.line), by)
			}
		})
	}
}

// TestGrammarMessagesOfTheLibrary fails if the library changes the text of an error that the
// table does not contain.
func TestGrammarMessagesOfTheLibrary(t *testing.T) {
	for _, text := range []string{"a:\n b: c\n  d: e\n", "a:\n- b\nc: d\n e: f\n", "a: [b\nc: d\n", "a: {b: c\nd\n", "- a\n b: c\n"} {
		g := NewWithT(t)
		err := yamlv2.Unmarshal([]byte(text), &struct{}{})
		g.Expect(err).To(HaveOccurred(), text)
		g.Expect(yamlfault.Locate([]byte(text), err).Problem).NotTo(ContainSubstring("did not find expected"), text)
	}
}

func TestOffset(t *testing.T) {
	g := NewWithT(t)
	fault := yamlfault.Locate([]byte("a: [\n"), errors.New("yaml: line 2: strange"))
	g.Expect(fault).To(HaveField("Line", 2))
	g.Expect(fault).To(MatchError("line 2: strange"))
	g.Expect(fault.Offset(10)).To(MatchError("line 11: strange"))
	g.Expect(yamlfault.Locate(nil, errors.New("strange"))).To(MatchError("strange"))
	g.Expect(yamlfault.Locate(nil, errors.New("strange")).Offset(10)).To(MatchError("line 10: strange"))
}
