package pages

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/appmarket/operator/ui/assets"
	"github.com/appmarket/operator/ui/locale"
)

//go:embed templates/*.html
var templateFiles embed.FS

// templates are the templates, parsed once for each language: their functions return texts of that language.
type templates map[*locale.Language]*template.Template

// parseTemplates parses the templates with the functions that they use.
func parseTemplates() (templates, error) {
	parsed := templates{}
	for _, l := range locale.All {
		all, err := template.New("").Funcs(template.FuncMap{
			"icon": assets.Icon, "asset": assets.URL, "clock": formatClock, "bytes": formatBytes,
			"inc": func(n int) int { return n + 1 }, "initial": initialOf, "command": commandHTML, "tint": tintOf, "join": strings.Join,
			"appURL": appURL, "appTabURL": appTabURL, "versionURL": versionURL, "reportURL": reportURL, "imageListURL": imageListURL, "permissionsURL": permissionsURL,
			"isPrerelease": isPrerelease, "installURL": installURL, "adoptURL": adoptURL,
			"previewURL": previewURL, "manifestURL": manifestURL, "checkURL": checkURL,
			"fieldsURL": fieldsURL, "inputsURL": inputsURL, "defaultsURL": defaultsURL, "copyURL": copyURL,
			"instanceURL": instanceURL, "instanceTabURL": instanceTabURL, "actionURL": actionURL,
			"taskURL": taskURL, "taskActionURL": taskActionURL, "sourceURL": sourceURL, "refURL": refURL,
		}).Funcs(textFunctions(l)).ParseFS(templateFiles, "templates/*.html")
		if err != nil {
			return nil, err
		}
		parsed[l] = all
	}
	return parsed, nil
}

// textFunctions returns the functions of the templates that return texts of a language. Templates escape the
// texts, except the texts of marked, which it escapes.
func textFunctions(l *locale.Language) template.FuncMap {
	return template.FuncMap{
		"t": l.Text, "word": l.Word, "reason": l.Reason,
		"translated": func(text string) string { return translateText(l, text) },
		"message":    func(text string) string { return messageText(l, text) },
		"violation":  func(text string) string { return translateViolation(l, text) },
		"marked":     func(id string, values ...any) template.HTML { return markCode(l.Text(id, values...)) },
		"ago":        func(t time.Time) string { return formatAge(l, t) },
		"until":      func(t time.Time) string { return formatUntil(l, t) },
		"language":   func() *locale.Language { return l }, "languages": func() []*locale.Language { return locale.All },
	}
}

// markCode returns a text as HTML in which the parts between backticks are code.
func markCode(text string) template.HTML {
	var out strings.Builder
	for i, part := range strings.Split(text, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		out.WriteString(part)
	}
	return template.HTML(out.String())
}

// commandHTML returns a command as HTML in which lines break at spaces, and not after the hyphens of words.
func commandHTML(command string) template.HTML {
	var out strings.Builder
	for i, word := range strings.Split(command, " ") {
		if i > 0 {
			out.WriteString(" ")
		}
		word = template.HTMLEscapeString(word)
		if strings.Contains(word, "-") && !strings.Contains(word, "\n") {
			word = "<span>" + word + "</span>"
		}
		out.WriteString(word)
	}
	return template.HTML(out.String())
}

// render executes a template in a language. Its output is HTML because html/template escapes what it inserts.
func (t templates) render(l *locale.Language, name string, data any) (template.HTML, error) {
	var out bytes.Buffer
	if err := t[l].ExecuteTemplate(&out, name, data); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return template.HTML(out.String()), nil
}
