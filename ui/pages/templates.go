package pages

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"strings"

	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/ui/assets"
)

//go:embed templates/*.html
var templateFiles embed.FS

// templates are the parsed templates.
type templates struct{ all *template.Template }

// parseTemplates parses the templates with the functions that they use.
func parseTemplates() (*templates, error) {
	all, err := template.New("").Funcs(template.FuncMap{
		"icon": assets.Icon, "asset": assets.URL, "ago": formatAge, "until": formatUntil, "clock": formatClock, "bytes": formatBytes,
		"count": text.Count[int], "count32": text.Count[int32],
		"initial": initialOf, "tint": tintOf, "join": strings.Join,
		"appURL": appURL, "appTabURL": appTabURL, "versionURL": versionURL, "reportURL": reportURL, "imageListURL": imageListURL,
		"installURL": installURL, "adoptURL": adoptURL,
		"previewURL": previewURL, "checkURL": checkURL, "instanceURL": instanceURL, "instanceTabURL": instanceTabURL, "actionURL": actionURL,
		"taskURL": taskURL, "taskActionURL": taskActionURL, "sourceURL": sourceURL, "refURL": refURL,
	}).ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	return &templates{all: all}, nil
}

// render executes a template. Its output is HTML because html/template escapes what it inserts.
func (t *templates) render(name string, data any) (template.HTML, error) {
	var out bytes.Buffer
	if err := t.all.ExecuteTemplate(&out, name, data); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return template.HTML(out.String()), nil
}
