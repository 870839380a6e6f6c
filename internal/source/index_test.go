package source

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

func TestIndexByHand(t *testing.T) {
	const head = "apiVersion: v1\nentries:\n"
	for _, test := range []struct {
		why  string
		text string
		want []string
	}{
		{"entries before apiVersion, keys quoted, comments everywhere", "# c\nentries: # c\n# c\n  'a': # c\n# c\n    # c\n    - name: a # c\n# c\n\n      version: \"1.0.0\" # c\n      urls: # c\n      # c\n      - u # c\n\"apiVersion\": 'v1' # c\n", []string{"a 1.0.0 u"}},
		{"the dash alone on its line", head + "  a:\n  -\n    name: a\n    version: 1.0.0\n    urls: [u]\n", []string{"a 1.0.0 u"}},
		{"entries in flow style inside of blocks", head + "  a:\n  - {name: a, version: 1.0.0, urls: [u]}\n  - {name: a, version: 2.0.0,\n     urls: [u]}\n", []string{"a 2.0.0 u", "a 1.0.0 u"}},
		{"an app whose list is in flow style", head + "  a: [{name: a, version: 1.0.0, urls: [u]}]\n", []string{"a 1.0.0 u"}},
		{"apps without versions", head + "  a:\n  b: []\n  c: null\n  d:\n  - name: d\n    version: 1.0.0\n    urls: [u]\n", []string{"d 1.0.0 u"}},
		{"no apps", "apiVersion: v1\nentries: {}\n", nil},
		{"null for no apps", "apiVersion: v1\nentries:\ngenerated: now\n", nil},
		{"anchors and aliases within an entry", head + "  a:\n  - name: &n a\n    home: *n\n    version: 1.0.0\n    urls: [u]\n", []string{"a 1.0.0 u"}},
		{"an alias of another entry", head + "  a:\n  - &x\n    name: a\n    version: 1.0.0\n    urls: [u]\n  - <<: *x\n    version: 2.0.0\n", []string{"a 2.0.0 u", "a 1.0.0 u"}},
		{"an alias of a list", head + "  a: &l\n  - name: a\n    version: 1.0.0\n    urls: [u]\n  b: *l\n", []string{"a 1.0.0 u", "b skipped"}},
		{"the first of what is merged counts", head + "  a:\n  - <<: [{version: 1.0.0, name: a}, {version: 2.0.0, urls: [u]}]\n", []string{"a 1.0.0 u"}},
		{"versions that are numbers stay as written", head + "  a:\n  - name: a\n    version: 1.10\n    urls: [u]\n", []string{"a 1.10 u"}},
		{"a description that is cut in quotes", head + "  a:\n  - description: \"x\n      version: 9.0.0\n      y\"\n    name: a\n    version: 1.0.0\n    urls:\n    - u\n", []string{"a 1.0.0 u"}},
		{"a description as a literal that looks like an entry", head + "  a:\n  - description: |\n      - name: b\n     # less\n        version: 9.0.0\n    name: a\n    version: 1.0.0\n    urls:\n      - u\n      - v\n", []string{"a 1.0.0 u"}},
		{"a name over two lines", head + "  a:\n  - name:\n      a\n    version: >-\n      1.0.0\n    urls:\n    -\n      u\n", []string{"a 1.0.0 u"}},
		{"a flow list that closes at the left", head + "  a:\n  - keywords: [\n      k\n    ]\n    name: a\n    version: 1.0.0\n    urls: [u]\n", []string{"a 1.0.0 u"}},
		{"everything indented", "  apiVersion: v1\n  entries:\n    a:\n    - name: a\n      version: 1.0.0\n      urls: [u]\n", []string{"a 1.0.0 u"}},
		{"complex keys", "? apiVersion\n: v1\n? entries\n: a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n", []string{"a 1.0.0 u"}},
		{"one entry is no YAML, the others are", head + "  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n  b:\n  - name: \"b\n  c:\n  - name: c\n    version: 1.0.0\n    urls: [u]\n", []string{"a 1.0.0 u", "c 1.0.0 u", "b skipped"}},
		{"a key twice", head + "  a:\n  - name: a\n    version: 1.0.0\n    version: 2.0.0\n    urls: [u]\n", []string{"a skipped"}},
		{"wrong types", head + "  a:\n  - name: a\n    version: {}\n    urls: [u]\n  b:\n  - name: b\n    version: 1.0.0\n    urls: u\n  c:\n  - c\n  d:\n  - name: d\n    version: 1.0.0\n    urls: [u]\n    deprecated: perhaps\n", []string{"a skipped", "b skipped", "c skipped", "d skipped"}},
		{"wrong types in JSON", `{"apiVersion":"v1","entries":{"a":[{"name":7}],"b":null,"c":[{"name":"c","version":"1.0.0","urls":["u"]}]}}`, []string{"c 1.0.0 u", "a skipped"}},
		{"JSON that is only nearly so", `{apiVersion: v1, entries: {a: [{name: a, version: 1.0.0, urls: [u]}]}}`, []string{"a 1.0.0 u"}},
		{"no line end at the end", head + "  a:\n  - name: a\n    urls: [u]\n    version: 1.0.0", []string{"a 1.0.0 u"}},
		{"UTF-16", string([]byte{0xfe, 0xff}) + wide(head+"  a:\n  - name: a\n    urls: [u]\n    version: 1.0.0\n"), []string{"a 1.0.0 u"}},
	} {
		t.Run(test.why, func(t *testing.T) {
			g := NewWithT(t)
			shelf, err := readIndex(strings.NewReader(test.text), everything)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(brief(shelf)).To(Equal(test.want))
		})
	}
}

func wide(text string) string {
	var out strings.Builder
	for _, c := range []byte(text) {
		out.Write([]byte{0, c})
	}
	return out.String()
}

func brief(shelf *shelf) []string {
	var all []string
	list := shelf.listing("", hydrate.Mark{})
	for _, app := range list.Apps {
		for _, offer := range app.Offers {
			all = append(all, app.Name+" "+offer.Version+" "+offer.URL)
		}
	}
	for _, skipped := range list.Skipped {
		all = append(all, skipped.Name+" skipped")
	}
	return all
}

func TestIndexThatIsNone(t *testing.T) {
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
		{"JSON that ends too soon", `{"apiVersion":"v1","entries":{"a":[`, v1alpha1.ReasonInvalidIndex},
		{"a message in JSON", `{"error":"no such repository"}`, v1alpha1.ReasonInvalidIndex},
		{"another layout, and large", "{apiVersion: v1, entries: {}, x: \"" + strings.Repeat("x", maxWhole) + "\"}", v1alpha1.ReasonInvalidIndex},
		{"another layout, and large, in blocks", "? apiVersion\n: v1\nentries: {}\nx: " + strings.Repeat("x\n  ", maxWhole/4), v1alpha1.ReasonInvalidIndex},
		{"too many items for the parser", "apiVersion: v1\nentries: [" + strings.Repeat("a,", maxWholeMarks) + "]\n", v1alpha1.ReasonLimitExceeded},
		{"brackets without end", strings.Repeat("[", 1<<20), v1alpha1.ReasonLimitExceeded},
		{"deeper than the parser goes", strings.Repeat("[", 100_000), v1alpha1.ReasonInvalidIndex},
		{"aliases that multiply", multiplied(), v1alpha1.ReasonLimitExceeded},
		{"a value in JSON without end", `{"apiVersion":"v1","entries":{"a":[{"name":"` + strings.Repeat("a", 3*maxEntry), v1alpha1.ReasonLimitExceeded},
	} {
		t.Run(test.why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := readIndex(strings.NewReader(test.text), everything)
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			g.Expect(outcome.Reason(err, "")).To(Equal(test.reason), "%v", err)
			g.Expect(len(err.Error())).To(BeNumerically("<", 500))
		})
	}
}

// multiplied is a small index that aliases make a huge one.
func multiplied() string {
	var text strings.Builder
	text.WriteString("apiVersion: v1\nx: &x [" + strings.Repeat("{name: a},", 2000) + "]\nentries:\n  a: *x\n")
	for i := range 5000 {
		fmt.Fprintf(&text, "  a%d: *x\n", i)
	}
	return text.String()
}

// bomb is a chart version whose aliases stand for a billion texts.
const bomb = "    a: &a [x,x,x,x,x,x,x,x,x]\n    b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n    c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
	"    d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n    e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n    f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n    g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"

func TestIndexBounds(t *testing.T) {
	const head = "apiVersion: v1\nentries:\n"
	const good = "  z:\n  - name: z\n    version: 1.0.0\n    urls: [u]\n"
	self := "    <<: &m\n      <<: *m\n"
	for _, test := range []struct {
		why   string
		entry string
		want  []string
	}{
		{"an entry that is too large", "  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n    description: |\n" + strings.Repeat("      text\n", maxEntry/8), []string{"z 1.0.0 u", "a skipped"}},
		{"a line that is too long", "  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n    description: " + strings.Repeat("x", 2*maxEntry) + "\n", []string{"z 1.0.0 u", "a skipped"}},
		{"a large entry within the bound", "  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n    description: " + strings.Repeat("x", maxEntry-200) + "\n", []string{"a 1.0.0 u", "z 1.0.0 u"}},
		{"more items than are parsed", "  a:\n  - {name: a, x: [" + strings.Repeat("a,", maxEntryMarks) + "]}\n", []string{"z 1.0.0 u", "a skipped"}},
		{"aliases that would be a billion texts, which nobody asks for", "  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n" + bomb, []string{"a 1.0.0 u", "z 1.0.0 u"}},
		{"aliases that would be a billion texts, as a name", "  a:\n  - name: *g\n    version: 1.0.0\n" + strings.Replace(bomb, "    a:", "    urls: [u]\n    a:", 1), []string{"z 1.0.0 u", "a skipped"}},
		{"a mapping merged into itself", "  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n" + self, []string{"z 1.0.0 u", "a skipped"}},
		{"names that no object can have", "  Big:\n  - name: Big\n    version: 1.0.0\n    urls: [u]\n  a_b:\n  - name: a_b\n  \"\":\n  - name: \"\"\n  -a:\n  - name: -a\n  a..b:\n  - name: a..b\n  ../x:\n  - name: ../x\n", []string{"z 1.0.0 u", " skipped", "-a skipped", "../x skipped", "Big skipped", "a..b skipped", "a_b skipped"}},
		{"a name that is too long", "  " + strings.Repeat("a", 201) + ":\n  - version: 1.0.0\n", []string{"z 1.0.0 u", strings.Repeat("a", 200) + " skipped"}},
		{"a name that is not its key", "  a:\n  - name: b\n    version: 1.0.0\n    urls: [u]\n", []string{"z 1.0.0 u", "a skipped"}},
		{"not a semantic version", "  a:\n  - name: a\n    version: latest\n    urls: [u]\n  - name: a\n    version: 1.0.0\n    urls: [u]\n  - name: a\n    version: " + strings.Repeat("1", 300) + "\n    urls: [u]\n", []string{"a 1.0.0 u", "z 1.0.0 u", "a skipped"}},
		{"no URL, a URL with a password, a broken one, a broken digest", "  a:\n  - name: a\n    version: 1.0.0\n  - name: a\n    version: 2.0.0\n    urls: ['http://u:p@h/x']\n  - name: a\n    version: 3.0.0\n    urls: ['%zz']\n  - name: a\n    version: 4.0.0\n    urls: [u]\n    digest: abc\n", []string{"z 1.0.0 u", "a skipped"}},
	} {
		t.Run(test.why, func(t *testing.T) {
			g := NewWithT(t)
			shelf, err := readIndex(strings.NewReader(head+test.entry+good), everything)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(brief(shelf)).To(Equal(test.want))
		})
	}
}

func TestIndexTooLarge(t *testing.T) {
	g := NewWithT(t)
	line := "x: " + strings.Repeat("x", 1020) + "\n"
	endless := io.MultiReader(strings.NewReader("apiVersion: v1\nentries: {}\n"), &repeated{text: line})
	_, err := readIndex(endless, everything)
	g.Expect(outcome.IsStalled(err)).To(BeTrue())
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLimitExceeded))
}

// repeated is a text without end.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

func TestIndexThatBreaksOff(t *testing.T) {
	broken := errors.New("broken")
	const text = "apiVersion: v1\nentries:\n  a:\n  - name: a\n    version: 1.0.0\n    urls: [u]\n"
	for _, whole := range []string{text, `{"apiVersion":"v1","entries":{}}`, "? apiVersion\n: v1\n"} {
		for length := range len(whole) {
			g := NewWithT(t)
			_, err := readIndex(io.MultiReader(strings.NewReader(whole[:length]), iotest.ErrReader(broken)), everything)
			g.Expect(err).To(MatchError(broken), "after %d bytes", length)
			g.Expect(outcome.IsStalled(err)).To(BeFalse())
		}
	}
}
