package language

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

const root = "../.."

//go:embed words.txt
var wordList string

// wordBudget contains the hits that are left in each part of the repository.
var wordBudget = map[string]int{
	"hack/localcluster": 13,
}

func TestWords(t *testing.T) {
	words := wordPattern(wordList)
	hits := map[string][]string{}
	paths := append(repositoryFiles(t, ".go", ".md"), pageFiles(t)...)
	for _, path := range paths {
		for place, text := range readProse(t, path) {
			for _, word := range words.FindAllString(text, -1) {
				hits[partOf(path)] = append(hits[partOf(path)], fmt.Sprintf("%s: %q", place, word))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(hits)) {
		found := hits[name]
		slices.Sort(found)
		if len(found) != wordBudget[name] {
			t.Errorf("%s has %d listed words, the budget is %d: use other words, or lower the budget:\n%s",
				name, len(found), wordBudget[name], strings.Join(found[:min(len(found), 40)], "\n"))
		}
	}
	for name := range wordBudget {
		if hits[name] == nil {
			t.Errorf("remove the budget of %s: it has no listed words", name)
		}
	}
}

func TestWordPattern(t *testing.T) {
	g := NewWithT(t)
	words := wordPattern("# a comment\nthat of\nwish\n")
	g.Expect(words.FindAllString("A wish like that  of\nothers, wishes and thatof", -1)).To(Equal([]string{"wish", "that  of"}))
	g.Expect(words.FindAllString("Wish\nthat\nof", -1)).To(HaveLen(2), "case and line breaks do not matter")
}

func TestNotProse(t *testing.T) {
	g := NewWithT(t)
	g.Expect(notProse.ReplaceAllString("the reason `Canceled` of a [wish](adr/wish.md)", "`")).To(Equal("the reason ` of a [wish`"))
}

// wordPattern returns an expression that matches each word or phrase of a list.
func wordPattern(list string) *regexp.Regexp {
	var alternatives []string
	for line := range strings.Lines(list) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		alternatives = append(alternatives, strings.Join(strings.Fields(line), `\s+`))
	}
	return regexp.MustCompile(`(?i)\b(?:` + strings.Join(alternatives, "|") + `)\b`)
}

// partOf returns the part of the repository that a file belongs to: its folder, or docs.
func partOf(path string) string {
	if strings.HasSuffix(path, ".md") {
		return "documents"
	}
	return filepath.ToSlash(filepath.Dir(path))
}

// notProse matches the parts of a document that are not prose: code spans, which contain names of
// the API, and the targets of links.
var notProse = regexp.MustCompile("`[^`\n]+`|\\]\\([^)\n]+\\)")

// readProse returns the texts of a file by their position: a document as a whole, without names, and
// the comments and string literals of Go code.
func readProse(t *testing.T, path string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(path) == ".js" {
		// The words of a name count, too.
		return map[string]string{path: wordBoundary.ReplaceAllString(string(content), "$1 $2")}
	}
	if !strings.HasSuffix(path, ".go") {
		return map[string]string{path: notProse.ReplaceAllString(string(content), "`")}
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, group := range file.Comments {
		texts[files.Position(group.Pos()).String()] = group.Text()
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			texts[files.Position(literal.Pos()).String()] = literal.Value
		}
		return true
	})
	return texts
}

// wordBoundary matches the end of a word and the begin of the next one in a name such as textCanceled.
var wordBoundary = regexp.MustCompile(`([a-z])([A-Z])`)

// pageFiles returns the English texts and the scripts of the pages, without the scripts of other projects.
func pageFiles(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, pattern := range []string{"ui/locale/*en.toml", "ui/assets/dist/*.js"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("find %s: %d files, %v", pattern, len(found), err)
		}
		for _, path := range found {
			if name, _ := filepath.Rel(root, path); !strings.HasSuffix(path, ".min.js") {
				paths = append(paths, name)
			}
		}
	}
	return paths
}

// repositoryFiles returns the files of the repository that people write, by their
// extensions.
func repositoryFiles(t *testing.T, extensions ...string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		switch {
		case entry.IsDir() && slices.Contains([]string{".git", ".local", "bin", "dist", "testdata", filepath.Join("docs", "adr"), filepath.Join("docs", "api")}, name),
			entry.IsDir() && slices.Contains([]string{"testdata", "node_modules"}, entry.Name()), entry.IsDir() && name == filepath.Join("test", "language"):
			return filepath.SkipDir
		case entry.IsDir() || strings.HasPrefix(entry.Name(), "zz_generated"):
			return nil
		case slices.Contains(extensions, filepath.Ext(path)):
			paths = append(paths, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
