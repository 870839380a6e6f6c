package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/net/html"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/sourcebuilder"
	"github.com/appmarket/operator/ui/locale"
)

// newFuzzRequest returns the request of a form with a body. It reports false if the pages reject the form.
func newFuzzRequest(t *testing.T, body string) (*request, bool) {
	t.Helper()
	submitted, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://market.example.com/sources/new", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	submitted.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r := &request{Request: submitted, lang: locale.English}
	return r, parseForm(r) == nil
}

// FuzzSourceForm submits the form of a source with any body. A form without problems describes the same source in its
// manifest, and its command contains the entries as whole words.
func FuzzSourceForm(f *testing.F) {
	f.Add("to=market&name=charts&location=https%3A%2F%2Fcharts.example.com&interval=10m&max-versions=3&sharing=all&include=a%2Cb")
	f.Add("to=market&name=charts&type=OCI&location=oci%3A%2F%2Fregistry.example.com%2Fcharts&all-charts=on&insecure=on&charts=web%0D%0Awiki&verify=Cosign&trust-root=Secret%2Fkeys&identities=a%3Db%0Ac")
	f.Add("to=market&name=charts&type=Git&location=https%3A%2F%2Fgit.example.com%2Fa%27%24%28id%29.git&ref=semver%3A1.x&path=..%2F..&secret=%00")
	f.Add("to=market&name=charts&type=Olares&location=https%3A%2F%2Fstore.example.com&system-version=1.11&profile=Olares&sharing=selector&selector=a+in+%28b%29")
	f.Add("to=market&name=charts&type=Artifact&location=GitRepository%2Fcharts&receiver=GitHub&receiver-secret=hook")
	f.Add("to=market&name=charts&type=Upload&max-versions=99999999999999999999")
	f.Add("type=Unknown&name=%2F&interval=-1s&sharing=none")
	f.Fuzz(func(t *testing.T, body string) {
		g := NewWithT(t)
		r, ok := newFuzzRequest(t, body)
		if !ok {
			return
		}
		v := &sourceForm{lang: r.lang, Request: sourcebuilder.Request{AllowedNamespaces: "same"}}
		v.Namespace, v.Name = strings.TrimSpace(r.PostFormValue("to")), strings.TrimSpace(r.PostFormValue("name"))
		v.addEntries(r)
		if v.addSource() != nil {
			return
		}
		v.checkFields()
		words, err := splitWords(v.Command)
		g.Expect(err).NotTo(HaveOccurred(), v.Command)
		g.Expect(words[:4]).To(Equal([]string{"kubectl", "market", "source", "add"}))
		if len(v.Errors) > 0 || strings.Contains(body, "%00") || !isPrintable(body) {
			return
		}
		g.Expect(words[4]).To(Equal(v.Name))
		if v.source.Spec.Type != v1alpha1.SourceTypeUpload {
			g.Expect(words[5]).To(Equal(v.Location))
		}
		var shown v1alpha1.MarketSource
		g.Expect(yaml.UnmarshalStrict([]byte(v.Manifest), &shown)).To(Succeed(), v.Manifest)
		g.Expect(equality.Semantic.DeepEqual(shown.Spec, v.source.Spec)).To(BeTrue(), v.Manifest)
		g.Expect([]string{shown.Namespace, shown.Name}).To(Equal([]string{v.Namespace, v.Name}))
	})
}

// isPrintable reports whether a body has only characters that YAML can contain unescaped.
func isPrintable(body string) bool {
	decoded, err := url.QueryUnescape(body)
	return err == nil && !strings.ContainsFunc(decoded, func(c rune) bool { return c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == '\uFFFD' || c > '~' })
}

// splitWords splits a command as a POSIX shell does. It returns an error for a character that the shell would
// interpret.
func splitWords(command string) (words []string, err error) {
	word, quoted, begun := strings.Builder{}, false, false
	for i := 0; i < len(command); i++ {
		switch c := command[i]; {
		case c == '\'':
			quoted, begun = !quoted, true
		case quoted:
			word.WriteByte(c)
		case c == '\\' && i+1 < len(command):
			i++
			word.WriteByte(command[i])
		case c == ' ':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		case strings.IndexByte("|&;<>()$`\"*?[]#~!{}\n\r\t\\", c) >= 0:
			return nil, fmt.Errorf("the shell interprets %q", command[i:])
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote in %q does not end", command)
	}
	return append(words, word.String()), nil
}

// FuzzInputForm submits any values for the inputs of any report of a chart. A confidential value is stored in a Secret
// only, and each problem is the problem of a field.
func FuzzInputForm(f *testing.F) {
	f.Add([]byte(`[{"name":"ADMIN","type":"string","required":true},{"name":"PASSWORD","type":"password","length":{"min":1,"max":1e300}}]`), "input.ADMIN=a&input.PASSWORD=confidential-entry")
	f.Add([]byte(`[{"name":"SIZE","type":"int","range":{"min":-1e300,"max":3},"show_if":"A=b"},{"name":"A","options":[{"title":"B","value":"b"}]}]`), "input.SIZE=1e9&input.A=b")
	f.Add([]byte(`[{"name":"","type":"bool"},{"name":"A"},{"name":"A","pattern":"(a+)+$"}]`), "input.A=aaaaaaaaaaaaaaaaaaaaaaaa!&from.A=output&secret.A=x&key.A=y")
	f.Add([]byte(`[{"name":"A","value":"x"},{"name":"B","type":"password","value":"y","multiline":true,"group":"G"}]`), "input.A=z&input.B=z&secret.B=x")
	f.Add([]byte(`{"name":"A"}`), "input.A=%zz")
	f.Fuzz(func(t *testing.T, report []byte, body string) {
		g := NewWithT(t)
		list, err := readInputs(report)
		r, ok := newFuzzRequest(t, body)
		if err != nil || !ok {
			return
		}
		form := newInputForm(r, "", list)
		form.check()
		ids := []string{}
		for _, field := range form.all() {
			g.Expect(ids).NotTo(ContainElement(field.ID))
			ids = append(ids, field.ID)
		}
		for _, problem := range form.Errors {
			g.Expect(ids).To(ContainElement(problem.ID))
			g.Expect(problem.Text).NotTo(ContainSubstring("confidential-entry"))
		}
		values, confidential := form.values("secret")
		g.Expect(len(values)).To(BeNumerically("<=", len(list)))
		for _, value := range values {
			field := form.all()[slices.IndexFunc(form.all(), func(field *inputField) bool { return field.Name == value.Name })]
			g.Expect(field.Secret && value.Value != nil).To(BeFalse(), "a confidential value is in the task")
		}
		g.Expect(len(confidential)).To(BeNumerically("<=", len(list)))
	})
}

// FuzzMarkdown renders any text of a chart. The page has only elements and attributes that a text needs, and its links
// lead to web pages and to mail.
func FuzzMarkdown(f *testing.F) {
	f.Add([]byte("# Web\n\n[docs](https://example.com \"t\") <script>alert(1)</script>\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n"))
	f.Add([]byte("[x](javascript:alert(1)) [y](&#106;avascript:alert(1)) ![i](https://example.com/i.png) <a href='data:text/html,x'>z</a>"))
	f.Add([]byte("<h1><h2></h1 onload=x></h2>\n\n```html\n</code></pre><pre><script>\n```\n\n<pre autofocus onfocus=alert(1)>"))
	f.Add([]byte("<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">"))
	f.Add([]byte("<//evil.example.com> [a](//evil.example.com) [b](/settings) [c](http:evil) <mailto:a@example.com> www.example.com\n\n- [ ] task"))
	f.Add([]byte(strings.Repeat("> ", 200) + strings.Repeat("[", 500)))
	f.Add([]byte("![a](https://example.com/a.png) [![b](https://example.com/b.png \"t\")](https://example.com) ![c](/img/x/y/readme/0?v=1) ![d][r]\n\n[r]: http://example.com/d"))
	attributes := []string{"align", "start", "href", "rel", "tabindex", "src", "alt", "loading"}
	urlOf := func(number int, _ string) string {
		return "/img/market/samples.wiki/readme/" + strconv.Itoa(number) + "?version=1.0.0"
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		rendered := renderMarkdown(locale.English, text, urlOf)
		tokens := html.NewTokenizer(strings.NewReader(string(rendered)))
		for {
			switch kind := tokens.Next(); kind {
			case html.ErrorToken:
				return
			case html.CommentToken, html.DoctypeToken:
				t.Fatalf("the page has a comment: %s", rendered)
			case html.StartTagToken, html.SelfClosingTagToken:
				token := tokens.Token()
				if !slices.Contains(strings.Fields("h2 h3 h4 h5 h6 p br hr ul ol li blockquote pre code em strong del table thead tbody tr th td a img"), token.Data) {
					t.Fatalf("the page has an element %q: %s", token.Data, rendered)
				}
				for _, attribute := range token.Attr {
					if !slices.Contains(attributes, attribute.Key) {
						t.Fatalf("the page has an attribute %q: %s", attribute.Key, rendered)
					}
					if attribute.Key == "href" {
						checkMarkdownLink(t, attribute.Val)
					}
					if attribute.Key == "src" && !ownImage.MatchString(attribute.Val) {
						t.Fatalf("the page has an image from %q", attribute.Val)
					}
				}
			}
		}
	})
}

var ownImage = regexp.MustCompile(`^/img/market/samples\.wiki/readme/1?[0-9]\?version=1\.0\.0$`)

// checkMarkdownLink checks the address of a link as a browser reads it.
func checkMarkdownLink(t *testing.T, address string) {
	t.Helper()
	plain := strings.ToLower(strings.Map(func(c rune) rune {
		if c <= ' ' {
			return -1
		}
		return c
	}, address))
	if !strings.HasPrefix(plain, "https:") && !strings.HasPrefix(plain, "http:") && !strings.HasPrefix(plain, "mailto:") {
		t.Fatalf("the page has a link to %q", address)
	}
}
