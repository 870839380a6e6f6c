package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// page is a document, by its lines.
type page struct {
	path  string
	lines []string
}

func readPage(t *testing.T, path string) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return page{path: path, lines: strings.Split(string(text), "\n")}
}

// listPages returns the documents that people write.
func listPages(t *testing.T) []page {
	t.Helper()
	var pages []page
	for _, path := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "charts/appmarket/README.md", "config/samples/README.md"} {
		pages = append(pages, readPage(t, path))
	}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			name, _ := filepath.Rel(root, path)
			pages = append(pages, readPage(t, filepath.ToSlash(name)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// block is a fenced code block.
type block struct {
	language, text string
	line           int
}

// codeBlocks returns the fenced code blocks of the page.
func (p page) codeBlocks() []block {
	var blocks []block
	var open *block
	for i, line := range p.lines {
		switch {
		case open == nil && strings.HasPrefix(line, "```"):
			open = &block{language: strings.TrimPrefix(line, "```"), line: i + 1}
		case open != nil && line == "```":
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return blocks
}

// textLines returns the lines of the page, without the lines of code blocks.
func (p page) textLines() []string {
	var lines []string
	inBlock := false
	for _, line := range p.lines {
		if strings.HasPrefix(line, "```") {
			inBlock = !inBlock
			line = ""
		}
		if inBlock {
			line = ""
		}
		lines = append(lines, line)
	}
	return lines
}

var headingForm = regexp.MustCompile(`^(#{1,6}) +(.+?) *$`)

// splitSections returns the lines below each heading of the page, up to the next heading of the same
// or a higher level.
func (p page) splitSections() map[string][]string {
	sections := map[string][]string{}
	open := map[int]string{}
	for _, line := range p.textLines() {
		if heading := headingForm.FindStringSubmatch(line); heading != nil {
			level := len(heading[1])
			for other := range open {
				if other >= level {
					delete(open, other)
				}
			}
			open[level] = heading[2]
			sections[heading[2]] = nil
			continue
		}
		for _, name := range open {
			sections[name] = append(sections[name], line)
		}
	}
	return sections
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// headingAnchors returns the anchors that GitHub creates for the headings of the page.
func (p page) headingAnchors() map[string]bool {
	anchors := map[string]bool{}
	for _, line := range p.lines {
		if _, id, found := strings.Cut(line, `<a id="`); found {
			id, _, _ = strings.Cut(id, `"`)
			anchors[id] = true
		}
	}
	for _, line := range p.textLines() {
		heading := headingForm.FindStringSubmatch(line)
		if heading == nil {
			continue
		}
		anchor := strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(heading[2]), ""), " ", "-")
		unique := anchor
		for i := 1; anchors[unique]; i++ {
			unique = fmt.Sprintf("%s-%d", anchor, i)
		}
		anchors[unique] = true
	}
	return anchors
}

// splitCells returns the cells of a row of a table, nil if the line is no row.
func splitCells(line string) []string {
	if !strings.HasPrefix(line, "|") {
		return nil
	}
	line = strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "|"), "|"), `\|`, "\x00")
	var cells []string
	for cell := range strings.SplitSeq(line, "|") {
		cells = append(cells, strings.TrimSpace(strings.ReplaceAll(cell, "\x00", "|")))
	}
	return cells
}
