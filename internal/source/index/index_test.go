package index

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

func TestLayouts(t *testing.T) {
	const head = "apiVersion: v1\nentries:\n"
	for _, test := range []struct {
		why  string
		text string
		want []string
	}{
		{"entries before apiVersion, quoted keys, comments on all lines", "# c\nentries: # c\n# c\n  'a': # c\n# c\n    # c\n    - name: a # c\n# c\n\n      version: \"1.0.0\" # c\n      urls: # c\n      # c\n      - u # c\n\"apiVersion\": 'v1' # c\n", []string{"a/a 1.0.0 u"}},
		{"a dash on a line of its own", head + "  a:\n  -\n    name: a\n    version: 1.0.0\n    urls: [u]\n", []string{"a/a 1.0.0 u"}},
		{"entries in flow style in a block list", head + "  a:\n  - {name: a, version: 1.0.0, urls: [u]}\n  - {name: a, version: 2.0.0,\n     urls: [u]}\n", []string{"a/a 1.0.0 u", "a/a 2.0.0 u"}},
		{"a list of entries in flow style", head + "  a: [{name: a, version: 1.0.0, urls: [u]}]\n", []string{"a/a 1.0.0 u"}},
		{"apps without entries", head + "  a:\n  b: []\n  c: null\n  d:\n  - name: d\n    version: 1.0.0\n    urls: [u]\n", []string{"d/d 1.0.0 u"}},
		{"no apps", "apiVersion: v1\nentries: {}\n", nil},
		{"null instead of apps", "apiVersion: v1\nentries:\ngenerated: now\n", nil},
		{"anchors and aliases within an entry", head + "  a:\n  - name: &n a\n    home: *n\n    version: 1.0.0\n    urls: [u]\n", []string{"a/a 1.0.0 u"}},
		{"an alias of another entry", head + "  a:\n  - &x\n    name: a\n    version: 1.0.0\n    urls: [u]\n  - <<: *x\n    version: 2.0.0\n", []string{"a/a 1.0.0 u", "a/a 2.0.0 u"}},
		{"an alias of a list", head + "  a: &l\n  - name: a\n    version: 1.0.0\n    urls: [u]\n  b: *l\n", []string{"a/a 1.0.0 u", "b/a 1.0.0 u"}},
		{"the first merged mapping takes precedence", head + "  a:\n  - <<: [{version: 1.0.0, name: a}, {version: 2.0.0, urls: [u]}]\n", []string{"a/a 1.0.0 u"}},
		{"a version that is a number is not changed", head + "  a:\n  - name: a\n    version: 1.10\n    urls: [u]\n", []string{"a/a 1.10 u"}},
		{"a quoted description on several lines", head + "  a:\n  - description: \"x\n      version: 9.0.0\n      y\"\n    name: a\n    version: 1.0.0\n    urls:\n    - u\n", []string{"a/a 1.0.0 u"}},
		{"a literal description that looks like an entry", head + "  a:\n  - description: |\n      - name: b\n     # less\n        version: 9.0.0\n    name: a\n    version: 1.0.0\n    urls:\n      - u\n      - v\n", []string{"a/a 1.0.0 u"}},
		{"a name on the next line", head + "  a:\n  - name:\n      a\n    version: >-\n      1.0.0\n    urls:\n    -\n      u\n", []string{"a/a 1.0.0 u"}},
		{"a flow list whose bracket is not indented", head + "  a:\n  - keywords: [\n      k\n    ]\n    name: a\n    version: 1.0.0\n    urls: [u]\n", []string{"a/a 1.0.0 u"}},
		{"everything indented", "  apiVersion: v1\n  entries:\n    a:\n    - name: a\n      version: 1.0.0\n      urls: [u]\n", []string{"a/a 1.0.0 u"}},
		{"keys with a question mark", "? apiVersion\n: v1\n? entries\n: a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n", []string{"a/a 1.0.0 u"}},
		{"one entry is not valid YAML", head + "  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n  b:\n  - name: \"b\n  c:\n  - name: c\n    version: 1.0.0\n    urls: [u]\n", []string{"a/a 1.0.0 u", "c/c 1.0.0 u", "b skipped"}},
		{"a key twice", head + "  a:\n  - name: a\n    version: 1.0.0\n    version: 2.0.0\n    urls: [u]\n", []string{"a skipped"}},
		{"wrong types", head + "  a:\n  - name: a\n    version: {}\n    urls: [u]\n  b:\n  - name: b\n    version: 1.0.0\n    urls: u\n  c:\n  - c\n  d:\n  - name: d\n    version: 1.0.0\n    urls: [u]\n    deprecated: perhaps\n", []string{"a skipped", "b skipped", "c skipped", "d skipped"}},
		{"wrong types in JSON", `{"apiVersion":"v1","entries":{"a":[{"name":7}],"b":null,"c":[{"name":"c","version":"1.0.0","urls":["u"]}]}}`, []string{"c/c 1.0.0 u", "a skipped"}},
		{"YAML in flow style that looks like JSON", `{apiVersion: v1, entries: {a: [{name: a, version: 1.0.0, urls: [u]}]}}`, []string{"a/a 1.0.0 u"}},
		{"no line end after the last line", head + "  a:\n  - name: a\n    urls: [u]\n    version: 1.0.0", []string{"a/a 1.0.0 u"}},
		{"UTF-16", string([]byte{0xfe, 0xff}) + toUTF16(head+"  a:\n  - name: a\n    urls: [u]\n    version: 1.0.0\n"), []string{"a/a 1.0.0 u"}},
	} {
		t.Run(test.why, func(t *testing.T) {
			g := NewWithT(t)
			got, _, err := Read(strings.NewReader(test.text), newRecorder)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got.allLines()).To(Equal(test.want))
		})
	}
}

func toUTF16(text string) string {
	var out strings.Builder
	for _, c := range []byte(text) {
		out.Write([]byte{0, c})
	}
	return out.String()
}

// recorder is a Collector that records what it receives.
type recorder struct {
	entries map[string][]Entry
	skipped map[string][]error
	// lines describes the entries and then the skipped apps, in the order of reading.
	lines, skippedLines []string
}

func newRecorder() *recorder {
	return &recorder{entries: map[string][]Entry{}, skipped: map[string][]error{}}
}

func (*recorder) Wants(string) bool { return true }

func (r *recorder) Add(app string, e Entry) error {
	r.entries[app] = append(r.entries[app], e)
	r.lines = append(r.lines, fmt.Sprintf("%s/%s %s %s", app, e.Name, e.Version, e.URL))
	return nil
}

func (r *recorder) Skip(app string, err error) {
	r.skipped[app] = append(r.skipped[app], err)
	r.skippedLines = append(r.skippedLines, app+" skipped")
}

func (r *recorder) allLines() []string { return append(r.lines, r.skippedLines...) }

func TestInvalidIndex(t *testing.T) {
	for _, test := range []struct {
		why    string
		text   string
		reason string
	}{
		{"empty", "", v1alpha1.ReasonInvalidIndex},
		{"only comments", "# nothing\n", v1alpha1.ReasonInvalidIndex},
		{"an HTML page", "\n<!DOCTYPE html><html></html>", v1alpha1.ReasonInvalidIndex},
		{"plain text", "not found\n", v1alpha1.ReasonInvalidIndex},
		{"not YAML", "apiVersion: v1\nentries:\n  a: \"\n", v1alpha1.ReasonInvalidIndex},
		{"binary", "\x00\x01\x02\xff\xfe", v1alpha1.ReasonInvalidIndex},
		{"no apiVersion", "entries: {}\n", v1alpha1.ReasonInvalidIndex},
		{"an empty apiVersion", "apiVersion: \"\"\nentries: {}\n", v1alpha1.ReasonInvalidIndex},
		{"no entries", "apiVersion: v1\n", v1alpha1.ReasonInvalidIndex},
		{"entries is a list", "apiVersion: v1\nentries:\n- a\n", v1alpha1.ReasonInvalidIndex},
		{"entries is a text", "apiVersion: v1\nentries: a\n", v1alpha1.ReasonInvalidIndex},
		{"a list", "- a\n", v1alpha1.ReasonInvalidIndex},
		{"no apiVersion in JSON", `{"entries":{}}`, v1alpha1.ReasonInvalidIndex},
		{"truncated JSON", `{"apiVersion":"v1","entries":{"a":[`, v1alpha1.ReasonInvalidIndex},
		{"another document in JSON", `{"error":"no such repository"}`, v1alpha1.ReasonInvalidIndex},
		{"another layout in a large index", "{apiVersion: v1, entries: {}, x: \"" + strings.Repeat("x", maxDocumentBytes) + "\"}", v1alpha1.ReasonInvalidIndex},
		{"another block layout in a large index", "? apiVersion\n: v1\nentries: {}\nx: " + strings.Repeat("x\n  ", maxDocumentBytes/4), v1alpha1.ReasonInvalidIndex},
		{"too many values for the parser", "apiVersion: v1\nentries: [" + strings.Repeat("a,", maxDocumentMarkers) + "]\n", v1alpha1.ReasonLimitExceeded},
		{"too many open brackets", strings.Repeat("[", 1<<20), v1alpha1.ReasonLimitExceeded},
		{"nested deeper than the parser allows", strings.Repeat("[", 100_000), v1alpha1.ReasonInvalidIndex},
		{"aliases that repeat a list", multiplyingAliases(), v1alpha1.ReasonLimitExceeded},
		{"an endless value in JSON", `{"apiVersion":"v1","entries":{"a":[{"name":"` + strings.Repeat("a", 3*maxEntryBytes), v1alpha1.ReasonLimitExceeded},
	} {
		t.Run(test.why, func(t *testing.T) {
			g := NewWithT(t)
			_, _, err := Read(strings.NewReader(test.text), newRecorder)
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			g.Expect(outcome.Reason(err, "")).To(Equal(test.reason), "%v", err)
			g.Expect(len(err.Error())).To(BeNumerically("<", 500))
		})
	}
}

// multiplyingAliases returns a small index that is very large with aliases expanded.
func multiplyingAliases() string {
	var text strings.Builder
	text.WriteString("apiVersion: v1\nx: &x [" + strings.Repeat("{name: a},", 2000) + "]\nentries:\n  a: *x\n")
	for i := range 5000 {
		fmt.Fprintf(&text, "  a%d: *x\n", i)
	}
	return text.String()
}

// aliasBomb contains the fields of an entry with aliases that represent a billion texts.
const aliasBomb = "    a: &a [x,x,x,x,x,x,x,x,x]\n    b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n    c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
	"    d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n    e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n    f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n    g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"

func TestEntryLimits(t *testing.T) {
	const head = "apiVersion: v1\nentries:\n"
	const good = "  z:\n  - name: z\n    version: 1.0.0\n    urls: [u]\n"
	self := "    <<: &m\n      <<: *m\n"
	for _, test := range []struct {
		why   string
		entry string
		want  []string
	}{
		{"an entry that is too large", "  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n    description: |\n" + strings.Repeat("      text\n", maxEntryBytes/8), []string{"z/z 1.0.0 u", "a skipped"}},
		{"a line that is larger than an entry may be", "  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n    description: " + strings.Repeat("x", 2*maxEntryBytes) + "\n", []string{"z/z 1.0.0 u", "a skipped"}},
		{"a large entry within the limit", "  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n    description: " + strings.Repeat("x", maxEntryBytes-200) + "\n", []string{"a/a 1.0.0 u", "z/z 1.0.0 u"}},
		{"too many values in an entry", "  a:\n  - {name: a, x: [" + strings.Repeat("a,", maxEntryMarkers) + "]}\n", []string{"z/z 1.0.0 u", "a skipped"}},
		{"an alias bomb in fields that are not read", "  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n" + aliasBomb, []string{"a/a 1.0.0 u", "z/z 1.0.0 u"}},
		{"an alias bomb as a name", "  a:\n  - name: *g\n    version: 1.0.0\n" + strings.Replace(aliasBomb, "    a:", "    urls: [u]\n    a:", 1), []string{"z/z 1.0.0 u", "a skipped"}},
		{"a mapping merged into itself", "  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n" + self, []string{"z/z 1.0.0 u", "a skipped"}},
	} {
		t.Run(test.why, func(t *testing.T) {
			g := NewWithT(t)
			got, _, err := Read(strings.NewReader(head+test.entry+good), newRecorder)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got.allLines()).To(Equal(test.want))
		})
	}
}

func TestIndexSizeLimit(t *testing.T) {
	g := NewWithT(t)
	line := "x: " + strings.Repeat("x", 1020) + "\n"
	endless := io.MultiReader(strings.NewReader("apiVersion: v1\nentries: {}\n"), &repeatedReader{text: line})
	_, _, err := Read(endless, newRecorder)
	g.Expect(outcome.IsStalled(err)).To(BeTrue())
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLimitExceeded))
}

// repeatedReader returns a text endlessly.
type repeatedReader struct {
	text string
	at   int
}

func (r *repeatedReader) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	const text = "apiVersion: v1\nentries:\n  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n"
	for _, whole := range []string{text, `{"apiVersion":"v1","entries":{}}`, "? apiVersion\n: v1\n"} {
		for length := range len(whole) {
			g := NewWithT(t)
			_, _, err := Read(io.MultiReader(strings.NewReader(whole[:length]), iotest.ErrReader(broken)), newRecorder)
			g.Expect(err).To(MatchError(broken), "after %d bytes", length)
			g.Expect(outcome.IsStalled(err)).To(BeFalse())
		}
	}
}

// TestLineOfInvalidYAML reads invalid indexes. The error must contain the line.
func TestLineOfInvalidYAML(t *testing.T) {
	const head = "apiVersion: v1\nentries:\n"
	const good = "  web:\n  - name: web\n    version: 1.0.0\n    urls: [u]\n"
	for _, c := range []struct {
		why  string
		text string
		want string
	}{
		{"an item one space too far left", head + "  bad:\n   - name: bad\n     version: 1.0.0\n     urls: [u]\n  - name: bad\n    version: 0.9.0\n" + good, "line 7: a key is expected here"},
		{"the same in the last app", head + good + "  bad:\n   - name: bad\n  - name: bad\n", "line 9: a key is expected here"},
		{"the name of an app without a colon", head + good + "  bad\n  - name: bad\n", `line 7: a ":" is missing`},
		{"an index in JSON", "{\"apiVersion\": \"v1\",\n\"entries\": {\n\"web\": [}\n}", "line 3: a value is expected here"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			_, _, err := Read(strings.NewReader(c.text), newRecorder)
			g.Expect(err).To(MatchError(ContainSubstring("read index: invalid YAML: " + c.want)))
		})
	}
}
