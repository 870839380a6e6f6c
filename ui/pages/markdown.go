package pages

import (
	"bytes"
	"html/template"
	"regexp"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"github.com/appmarket/operator/ui/locale"
)

// maxMarkdownBytes bounds the Markdown that is rendered.
const maxMarkdownBytes = 256 << 10

// markdown renders without HTML of the text itself, and policyOfMarkdown allows only what a text
// needs: no script, style, class, identifier, form or image, and no attribute of the scripts of
// the pages.
var (
	markdown         = goldmark.New(goldmark.WithExtensions(extension.GFM))
	policyOfMarkdown = newMarkdownPolicy()
)

func newMarkdownPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "ul", "ol", "li", "blockquote", "pre", "code",
		"em", "strong", "del", "table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("align").Matching(regexp.MustCompile("^(left|right|center)$")).OnElements("th", "td")
	p.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("http", "https", "mailto")
	p.AllowRelativeURLs(false)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	p.AddTargetBlankToFullyQualifiedLinks(false)
	return p
}

// headingTag matches the tags of headings that have a lower level below them. Sanitized headings have
// no attributes.
var headingTag = regexp.MustCompile(`</?h[1-5]>`)

// lowerHeading returns the tag of a heading of the next lower level.
func lowerHeading(tag []byte) []byte {
	lowered := bytes.Clone(tag)
	lowered[len(lowered)-2]++
	return lowered
}

// paragraphOf returns a text as a paragraph.
func paragraphOf(text string) template.HTML {
	return template.HTML("<p>" + template.HTMLEscapeString(text) + "</p>")
}

// renderMarkdown returns the HTML of an untrusted text.
func renderMarkdown(l *locale.Language, text []byte) template.HTML {
	cut := len(text) > maxMarkdownBytes
	if cut {
		text = text[:maxMarkdownBytes]
	}
	var out bytes.Buffer
	if err := markdown.Convert(text, &out); err != nil {
		return paragraphOf(l.Text("app.markdownProblem"))
	}
	sanitized := policyOfMarkdown.SanitizeBytes(out.Bytes())
	// The page has a heading of level 1 of its own.
	sanitized = headingTag.ReplaceAllFunc(sanitized, lowerHeading)
	// Code can be wider than the page: the keyboard must be able to scroll it.
	rendered := template.HTML(bytes.ReplaceAll(sanitized, []byte("<pre>"), []byte(`<pre tabindex="0">`)))
	if cut {
		rendered += paragraphOf(l.Text("app.markdownCut"))
	}
	return rendered
}
