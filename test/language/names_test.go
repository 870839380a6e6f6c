package language

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// maxOneWordPercent is the largest share of functions that may have a name of one word.
const maxOneWordPercent = 10

// oneWordBudget contains the packages that have more, with their share in percent.
var oneWordBudget = map[string]int{}

var oneWord = regexp.MustCompile(`^[a-z0-9]+$`)

// TestFunctionNames counts the functions whose names consist of one lower-case word. Such
// a name is right for a method of a small type whose package gives the context; elsewhere
// it neither says what the function does nor can it be found.
func TestFunctionNames(t *testing.T) {
	g := NewWithT(t)
	all, short := map[string]int{}, map[string][]string{}
	for _, path := range repositoryFiles(t, ".go") {
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "hack/") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.SkipObjectResolution)
		g.Expect(err).NotTo(HaveOccurred())
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || file.Name.Name == "main" {
				continue
			}
			all[partOf(path)]++
			if oneWord.MatchString(function.Name.Name) {
				short[partOf(path)] = append(short[partOf(path)], function.Name.Name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		percent := 100 * len(short[name]) / all[name]
		budget, listed := oneWordBudget[name]
		if !listed && percent <= maxOneWordPercent {
			continue
		}
		if percent != budget {
			t.Errorf("%s: %d of %d functions (%d %%) have names of one word, the budget is %d %%: use longer names, or lower the budget: %s",
				name, len(short[name]), all[name], percent, max(budget, maxOneWordPercent), strings.Join(short[name], ", "))
		}
	}
}
