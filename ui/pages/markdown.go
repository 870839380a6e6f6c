package pages

import (
	"bytes"
	"html/template"
	"regexp"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"github.com/appmarket/operator/ui/locale"
)

// maxMarkdownBytes bounds the Markdown that is rendered.
const maxMarkdownBytes = 256 << 10

// markdown renders without HTML of the text itself, and policyOfMarkdown allows only what a text
// needs: no script, style, class, identifier or form, only images of this server, and no attribute of the scripts
// of the pages.
var (
	markdown         = goldmark.New(goldmark.WithExtensions(extension.GFM))
	policyOfMarkdown = newMarkdownPolicy()
)

// absoluteURL matches the addresses of links, and readmeImageURL the URLs of images.
var (
	absoluteURL    = regexp.MustCompile(`^(?i:https?://|mailto:)`)
	readmeImageURL = regexp.MustCompile(`^/img/[a-z0-9.-]+/[a-z0-9.-]+/readme/[0-9]+\?[A-Za-z0-9=&%.~+_-]+$`)
)

func newMarkdownPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "ul", "ol", "li", "blockquote", "pre", "code",
		"em", "strong", "del", "table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("align").Matching(regexp.MustCompile("^(left|right|center)$")).OnElements("th", "td")
	p.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
	p.AllowAttrs("href").Matching(absoluteURL).OnElements("a")
	p.AllowURLSchemes("http", "https", "mailto")
	p.AllowRelativeURLs(true) // For images: the patterns are stricter.
	p.AllowAttrs("src").Matching(readmeImageURL).OnElements("img")
	p.AllowAttrs("alt").OnElements("img")
	p.AllowAttrs("loading").Matching(regexp.MustCompile("^lazy$")).OnElements("img")
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

// parseMarkdown returns the document of an untrusted text, the text as far as it is rendered, and whether it is cut.
func parseMarkdown(source []byte) (document ast.Node, rendered []byte, isCut bool) {
	if isCut = len(source) > maxMarkdownBytes; isCut {
		source = source[:maxMarkdownBytes]
	}
	return markdown.Parser().Parse(text.NewReader(source)), source, isCut
}

// renderMarkdown returns the HTML of an untrusted text. Images have the URLs that urlOf returns; without it, they are
// links.
func renderMarkdown(l *locale.Language, source []byte, urlOf imageURLFunc) template.HTML {
	document, source, isCut := parseMarkdown(source)
	replaceImages(document, urlOf)
	var out bytes.Buffer
	if err := markdown.Renderer().Render(&out, source, document); err != nil {
		return paragraphOf(l.Text("app.markdownProblem"))
	}
	sanitized := policyOfMarkdown.SanitizeBytes(out.Bytes())
	// The page has a heading of level 1 of its own.
	sanitized = headingTag.ReplaceAllFunc(sanitized, lowerHeading)
	// Code can be wider than the page: the keyboard must be able to scroll it.
	rendered := template.HTML(bytes.ReplaceAll(sanitized, []byte("<pre>"), []byte(`<pre tabindex="0">`)))
	if isCut {
		rendered += paragraphOf(l.Text("app.markdownCut"))
	}
	return rendered
}
