package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var linkForm = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks checks that each link between documents leads to an existing file and heading.
func TestLinks(t *testing.T) {
	for _, p := range listPages(t) {
		for i, line := range p.textLines() {
			for _, match := range linkForm.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, ""), -1) {
				if problem := checkLink(t, p, match[1]); problem != "" {
					t.Errorf("%s:%d: %s: %s", p.path, i+1, match[1], problem)
				}
			}
		}
	}
}

// checkLink returns what is wrong with a link of a page, "" if nothing is wrong.
func checkLink(t *testing.T, from page, link string) string {
	t.Helper()
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return ""
	}
	target, anchor, _ := strings.Cut(link, "#")
	to := from
	if target != "" {
		name := path.Join(path.Dir(from.path), target)
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil {
			return "no such file"
		}
		if info.IsDir() || path.Ext(name) != ".md" {
			return ""
		}
		to = readPage(t, name)
	}
	if anchor != "" && !to.headingAnchors()[anchor] {
		return "no such heading"
	}
	return ""
}
