package values_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/values"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

func TestMergeValues(t *testing.T) {
	const commented = `# The image.
image:
    repository: "nginx"   # where from

    # The tag.
    tag: '1.27'
    # digest: sha256:…

# How many.
replicas: 0x02  # two

list:
- a
- b   # second
empty: {}   # nothing yet
  # limits: 1
text: |
  # not a comment

  last line

last: yes
# The end.
`
	for _, c := range []struct {
		why    string
		text   string
		params map[string]any
		want   string
	}{
		{"nothing to merge", "a:   1\r\n\n\n", nil, "a:   1\r\n\n\n"},
		{"no text", "", map[string]any{"b": "x", "a": 1}, "a: 1\nb: x\n"},
		{"only comments", "# Nothing.\n", map[string]any{"a": 1}, "# Nothing.\na: 1\n"},
		{"a document of null", "---\n", map[string]any{"a": 1}, "---\na: 1\n"},
		{"a scalar keeps its comment", "a: 1  # one\nb: 2\n", map[string]any{"a": "x"}, "a: x  # one\nb: 2\n"},
		{"what is equal keeps its style", "a: 'x'\nb: 0x02\nc: {d: [1]}\n", map[string]any{"a": "x", "b": 2, "c": map[string]any{"d": []any{1}}}, "a: 'x'\nb: 0x02\nc: {d: [1]}\n"},
		{"a quoted scalar", `a: "x: # y" # z` + "\nb: 'it''s'\n", map[string]any{"a": 1, "b": 2}, "a: 1 # z\nb: 2\n"},
		{"a scalar over several lines", "a: one\n  two\nb: \"x\n  y\"\nc: 1\n", map[string]any{"a": 1, "b": 2}, "a: 1\nb: 2\nc: 1\n"},
		{"a value on its own line", "a:\n  \"x\"\nb: 1\n", map[string]any{"a": 1}, "a: 1\nb: 1\n"},
		{"a quoted key", "\"a b\": 1\n'c': 2\n", map[string]any{"a b": 3, "c": 4}, "\"a b\": 3\n'c': 4\n"},
		{"other alphabets", "größe: ä # é\nb: 1\n", map[string]any{"größe": 1}, "größe: 1 # é\nb: 1\n"},
		{"an empty value", "a:\nb: # none\nc:\n", map[string]any{"a": 1, "b": map[string]any{"x": 1}, "c": []any{"y"}}, "a: 1\nb: # none\n  x: 1\nc:\n- \"y\"\n"},
		{"an empty value at the end of the text", "a:", map[string]any{"a": 1}, "a: 1"},
		{"no newline at the end", "a: 1", map[string]any{"a": 2, "b": 3}, "a: 2\nb: 3\n"},
		{"Windows lines", "a: 1\r\nb:\r\n  c: 1\r\n", map[string]any{"a": 2, "b": map[string]any{"d": 1}}, "a: 2\r\nb:\r\n  c: 1\r\n  d: 1\r\n"},
		{"maps merge", "a:\n  b: 1\n  c: 2\nd: 3\n", map[string]any{"a": map[string]any{"c": 4, "e": 5}}, "a:\n  b: 1\n  c: 4\n  e: 5\nd: 3\n"},
		{"new keys keep the indentation there", "a:\n    b:\n        c: 1\n", map[string]any{"a": map[string]any{"b": map[string]any{"x": 1}, "w": map[string]any{"z": 1}}}, "a:\n    b:\n        c: 1\n        x: 1\n    w:\n      z: 1\n"},
		{"a map replaces a scalar", "a: 1 # one\nb: 2\n", map[string]any{"a": map[string]any{"x": 1}}, "a: # one\n  x: 1\nb: 2\n"},
		{"a scalar replaces a map", "a: # one\n  x: 1\n  # two\nb: 2\n", map[string]any{"a": 5}, "a: 5 # one\n  # two\nb: 2\n"},
		{"a map in flow style", "a: {b: 1, c: [x, \"}\"]} # one\nd: 2\n", map[string]any{"a": map[string]any{"b": 2}}, "a: # one\n  b: 2\n  c:\n  - x\n  - '}'\nd: 2\n"},
		{"a list is replaced", "a:\n- 1\n- 2 # two\n\nb: 1\n", map[string]any{"a": []any{"x", map[string]any{"y": 1}}}, "a:\n- x\n- \"y\": 1\n\nb: 1\n"},
		{"an emptied list", "a:\n  - 1\nb: 1\n", map[string]any{"a": []any{}}, "a: []\nb: 1\n"},
		{"a text of several lines", "a: |\n  # x\n\n  y\n\nb: 1\n", map[string]any{"a": "p\nq\n"}, "a: |\n  p\n  q\n\nb: 1\n"},
		{"a text of several lines for a scalar", "a: 1 # one\nb: 1\n", map[string]any{"a": "p\nq"}, "a: |- # one\n  p\n  q\nb: 1\n"},
		{"after a text of several lines", "a: |\n  x\n  # y\n", map[string]any{"b": 1}, "a: |\n  x\n  # y\nb: 1\n"},
		{"a nil removes", "a: 1\n# two\nb:\n  c: 1\n  # three\n\n# four\nd: 4\n", map[string]any{"b": nil, "x": nil}, "a: 1\n# two\n\n# four\nd: 4\n"},
		{"a nil inside", "a:\n  b: 1\n  c: 2\n", map[string]any{"a": map[string]any{"b": nil, "z": nil}}, "a:\n  c: 2\n"},
		{"a nil for the last key", "a:\n  b: 1\nc: 2\n", map[string]any{"a": map[string]any{"b": nil}}, "a: {}\nc: 2\n"},
		{"nils for everything", "a: 1\nb: 2\n", map[string]any{"a": nil, "b": nil}, ""},
		{"strings stay strings", "", map[string]any{"a": "yes", "b": "012", "c": "1e3", "d": "null", "e": "~", "f": "0x1", "g": " x", "h": "", "i": "12:30:00"}, "a: \"yes\"\nb: \"012\"\nc: \"1e3\"\nd: \"null\"\ne: \"~\"\nf: \"0x1\"\ng: ' x'\nh: \"\"\ni: \"12:30:00\"\n"},
		{"numbers stay as they are said", "", map[string]any{"a": 12345678, "b": 1.5, "c": float64(3), "d": int64(1 << 40)}, "a: 12345678\nb: 1.5\nc: 3\nd: 1099511627776\n"},
		{"of equal keys the last counts", "a: 1\na: 2\n", map[string]any{"a": 3}, "a: 1\na: 3\n"},
		{"below an alias", "base: &b\n  x: 1 # one\nuse: *b\n", map[string]any{"use": map[string]any{"x": 2}}, "base: &b\n  x: 1 # one\nuse:\n  x: 2\n"},
		{"below an anchor", "base: &b\n  x: 1 # one\n\nuse: *b\n", map[string]any{"base": map[string]any{"x": 2}}, "base:\n  x: 2 # one\nuse:\n  x: 1 # one\n"},
		{"an anchor that goes", "base: &b {x: 1}\nuse: *b\n", map[string]any{"base": nil}, "use: {x: 1}\n"},
		{"over a merge key", "base: &b\n  x: {v: 1}\nuse:\n  <<: *b\n  z: 1\n", map[string]any{"use": map[string]any{"x": map[string]any{"w": 2}}}, "base: &b\n  x: {v: 1}\nuse:\n  <<: *b\n  z: 1\n  x:\n    v: 1\n    w: 2\n"},
		{"a nil against a merge key", "# one\nbase: &b\n  x: 1\nuse:\n  <<: *b\n  z: 1\n", map[string]any{"use": map[string]any{"x": nil}}, "base:\n  x: 1\nuse:\n  z: 1\n"},
		{"a text in flow style", "{a: 1, b: 2}\n", map[string]any{"a": 3}, "a: 3\nb: 2\n"},
		{"many things at once", commented, map[string]any{
			"image": map[string]any{"tag": "1.28", "pullPolicy": "Always"},
			"empty": map[string]any{"cpu": 1}, "replicas": 3, "list": []any{"c"}, "text": nil, "extra": true,
		}, `# The image.
image:
    repository: "nginx"   # where from

    # The tag.
    tag: "1.28"
    # digest: sha256:…
    pullPolicy: Always

# How many.
replicas: 3  # two

list:
- c
empty:   # nothing yet
  cpu: 1
  # limits: 1

last: yes
# The end.
extra: true
`},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			base, err := values.Decode([]byte(c.text))
			g.Expect(err).NotTo(HaveOccurred())
			merged, err := values.MergeText([]byte(c.text), c.params)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(string(merged)).To(Equal(c.want))

			got, err := values.Decode(merged)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(fmt.Sprint(got)).To(Equal(fmt.Sprint(toFloats(values.MergeMaps(base, c.params)))))
			g.Expect(values.MergeText(merged, c.params)).To(Equal(merged), "a second time changes nothing")
		})
	}
}

// toFloats converts the numbers of a test to the type that Decode returns.
func toFloats(value any) any {
	switch value := value.(type) {
	case int:
		return float64(value)
	case int64:
		return float64(value)
	case map[string]any:
		for key, item := range value {
			value[key] = toFloats(item)
		}
	case []any:
		for i, item := range value {
			value[i] = toFloats(item)
		}
	}
	return value
}

// TestMergeValuesOfDependencies shows that null is kept below the key of a dependency.
func TestMergeValuesOfDependencies(t *testing.T) {
	for _, c := range []struct {
		why    string
		text   string
		params map[string]any
		want   string
	}{
		{"a default that only the dependency has", "own: 1\n", map[string]any{"sub": map[string]any{"a": map[string]any{"b": nil}}, "own": nil, "none": nil}, "sub:\n  a:\n    b: null\n"},
		{"a default that the chart sets again", "sub:\n  a: 1 # one\n  b: 2\n", map[string]any{"sub": map[string]any{"a": nil}}, "sub:\n  a: null # one\n  b: 2\n"},
		{"a map that the chart sets again", "sub:\n  a:\n    x: 1\n  b: 2\n", map[string]any{"sub": map[string]any{"a": nil}}, "sub:\n  a: null\n  b: 2\n"},
		{"a null that is there", "sub: {a: null}\n", map[string]any{"sub": map[string]any{"a": nil}}, "sub: {a: null}\n"},
		{"no dependency of this name", "own: {a: 1}\n", map[string]any{"own": map[string]any{"a": nil}, "other": map[string]any{"a": nil}}, "own: {}\nother: {}\n"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			merged, err := values.MergeText([]byte(c.text), c.params, "sub")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(string(merged)).To(Equal(c.want))
			g.Expect(values.MergeText(merged, c.params, "sub")).To(Equal(merged), "a second time changes nothing")
		})
	}
}

func TestMergeValuesRefuses(t *testing.T) {
	for _, c := range []struct {
		why    string
		text   string
		params map[string]any
		reason string
	}{
		{"no YAML", "a: [", map[string]any{"a": 1}, v1alpha1.ReasonInvalidValues},
		{"no map", "- a\n", map[string]any{"a": 1}, v1alpha1.ReasonInvalidValues},
		{"two documents", "a: 1\n---\nb: 2\n", map[string]any{"a": 1}, v1alpha1.ReasonInvalidValues},
		{"parameters that no YAML can say", "a: 1\n", map[string]any{"a": func() {}}, v1alpha1.ReasonInvalidValues},
		{"a result that is too large", "a: 1\n" + strings.Repeat("#"+strings.Repeat(" ", 1022)+"\n", chart.MaxFileBytes/1024-1) + strings.Repeat("#", 1010), map[string]any{"b": "twelve bytes"}, v1alpha1.ReasonLimitExceeded},
		{"parameters that are too large", "a: 1\n", map[string]any{"a": strings.Repeat("x ", chart.MaxFileBytes/2)}, v1alpha1.ReasonLimitExceeded},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := values.MergeText([]byte(c.text), c.params)
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), "%v", err)
		})
	}
}

func TestDecodeValues(t *testing.T) {
	g := NewWithT(t)
	decoded, err := values.Decode([]byte("\ufeffa: yes\nb: 010\nc: 1.5\nd:\n1: x\ne: 1\ne: 2\n"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(decoded).To(Equal(map[string]any{"a": true, "b": 8.0, "c": 1.5, "d": nil, "1": "x", "e": 2.0}))
	for _, none := range []string{"", "# Nothing.\n", "null\n", "{}"} {
		g.Expect(values.Decode([]byte(none))).To(Equal(map[string]any{}))
	}
}

// TestDecodeValuesSaysWhatIsWrong covers the messages for invalid values.
func TestDecodeValuesSaysWhatIsWrong(t *testing.T) {
	const second = "read values: Helm reads only the first of several YAML documents; merge them into one"
	for _, c := range []struct{ why, text, want string }{
		{"a list", "- a\n", "read values: values must be a map, but are a list"},
		{"a text", "hello\n", "read values: values must be a map, but are a string"},
		{"a number", "5\n", "read values: values must be a map, but are a number"},
		{"a boolean", "yes\n", "read values: values must be a map, but are a boolean"},
		{"what cannot be read", "a: 1\nb: c: d\n", `read values: invalid YAML: line 2: the line has a second ": ", or its indentation is wrong; put a value that contains ": " in quotes`},
		{"a key that is one space off", "a: 1\nb:\n  c: 1\n d: 2\n", "read values: invalid YAML: line 4: a key is expected here; check the indentation and the quotes"},
		{"a key among the items of a list", "a:\n  - b\n  c: d\n", `read values: invalid YAML: line 3: a list item ("- ") is expected here; check the indentation`},
		{"a second document", "a: 1\n---\nb: 2\n", second},
		{"a third document", "a: 1\n---\n# nothing\n---\nb: 2\n", second},
		{"a document after nothing", "---\n---\na: 1\n", second},
		{"a document after the end of another", "a: 1\n...\n---\n- b\n", second},
		{"documents that say nothing", "---\na: 1\n---\n# nothing\n---\nnull\n...\n", ""},
		{"a separator in a text", "a: |\n  x\n  ---\n  y\n", ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := values.Decode([]byte(c.text))
			if c.want == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(c.want))
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidValues))
		})
	}
}

func TestDecodeValuesBombs(t *testing.T) {
	laughs := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := range 12 {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	for _, c := range []struct{ why, text, reason string }{
		{"aliases of aliases", laughs, v1alpha1.ReasonLimitExceeded},
		{"a long text many times", "a: &a \"" + strings.Repeat("x", 1<<20) + "\"\nb: [" + strings.Repeat("*a, ", 1000) + "]\n", v1alpha1.ReasonLimitExceeded},
		{"an anchor inside itself", "a: &a [*a]\n", v1alpha1.ReasonLimitExceeded},
		{"merge keys", strings.ReplaceAll(strings.ReplaceAll(laughs, "[", "{<<: ["), "]", "]}"), v1alpha1.ReasonLimitExceeded},
		{"lists of nothing", "a: [" + strings.Repeat("[],", 1<<20) + "]", v1alpha1.ReasonLimitExceeded},
		{"depth", "a: " + strings.Repeat("[", 100_000), v1alpha1.ReasonInvalidValues},
		{"length", "a: " + strings.Repeat("x", chart.MaxFileBytes), v1alpha1.ReasonLimitExceeded},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			begin := time.Now()
			_, err := values.Decode([]byte(c.text))
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), "%.300v", err)
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			g.Expect(time.Since(begin)).To(BeNumerically("<", 20*time.Second))
		})
	}
}

func TestMergeMaps(t *testing.T) {
	g := NewWithT(t)
	base := map[string]any{"a": map[string]any{"b": 1, "c": []any{map[string]any{"d": 1}}}, "gone": 1, "kept": nil, "x": 1}
	over := map[string]any{"a": map[string]any{"e": 2, "none": nil}, "gone": nil, "absent": nil, "x": map[string]any{"y": nil, "z": []any{1}}}
	merged := values.MergeMaps(base, over)
	want := map[string]any{
		"a":    map[string]any{"b": 1, "c": []any{map[string]any{"d": 1}}, "e": 2},
		"kept": nil,
		"x":    map[string]any{"z": []any{1}},
	}
	g.Expect(merged).To(Equal(want))

	merged["a"].(map[string]any)["c"].([]any)[0].(map[string]any)["d"] = 9
	merged["x"].(map[string]any)["z"].([]any)[0] = 9
	g.Expect(values.MergeMaps(base, over)).To(Equal(want), "the result shares nothing with what it was made of")
	g.Expect(values.MergeMaps(nil, nil)).To(BeEmpty())
}

// TestMergeValuesOfCatalog adds a key to the values of every real chart and removes each of
// their keys. No other values may change.
func TestMergeValuesOfCatalog(t *testing.T) {
	folder := os.Getenv("MARKET_CATALOG")
	if folder == "" {
		t.Skip("left out: MARKET_CATALOG is not set")
	}
	g := NewWithT(t)
	found, err := filepath.Glob(filepath.Join(folder, "*", "values.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).NotTo(BeEmpty())
	for _, name := range found {
		text, err := os.ReadFile(name)
		g.Expect(err).NotTo(HaveOccurred())
		base, err := values.Decode(text)
		g.Expect(err).NotTo(HaveOccurred(), name)

		merged, err := values.MergeText(text, map[string]any{"marketAdded": map[string]any{"a": 1}})
		g.Expect(err).NotTo(HaveOccurred(), name)
		rest := strings.Replace(string(merged), "marketAdded:", "", 1)
		rest = strings.TrimRight(strings.Replace(rest, "\n  a: 1", "", 1), "\r\n")
		g.Expect(rest).To(Equal(strings.TrimRight(string(text), "\r\n")), name)

		for key := range base {
			merged, err := values.MergeText(text, map[string]any{key: nil})
			g.Expect(err).NotTo(HaveOccurred(), name)
			g.Expect(values.Decode(merged)).To(Equal(values.MergeMaps(base, map[string]any{key: nil})), name)
		}
	}
}

// FuzzMergeValues merges a key at some depth into any text. The result must decode to the
// result of MergeMaps.
func FuzzMergeValues(f *testing.F) {
	f.Add("a: 1 # one\nb:\n  c: {d: 1}\n", "b", "c", "x")
	f.Add("a: &a\n  b: |\n    x\n\nc: *a\n", "c", "b", "")
	f.Add("# x\na:\n- b: 'c'\n  d: \"e\"\n# y", "a", "b", "p\nq")
	f.Add("a:\r\n  b:\r\n", "a", "b", "")
	f.Add(" 00:\n.0000000", "0", "0", "y") // A key that is a number.
	f.Add("yes:\n  a: 1\n", "true", "a", "y")
	f.Fuzz(func(t *testing.T, text, outer, inner, value string) {
		g := NewWithT(t)
		base, err := values.Decode([]byte(text))
		if err != nil {
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			return
		}
		over := map[string]any{inner: value, "new": []any{value}}
		if value == "" {
			over[inner] = nil
		}
		params := map[string]any{outer: over}
		merged, err := values.MergeText([]byte(text), params)
		if err != nil {
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
			return
		}
		if utf8.ValidString(outer + " " + inner + " " + value) {
			g.Expect(values.Decode(merged)).To(Equal(values.MergeMaps(base, params)))
		}
	})
}
