package docs_test

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
)

var (
	bulletForm  = regexp.MustCompile(`(?m)^\* "([A-Za-z]+)"`)
	sectionForm = regexp.MustCompile(`(?s)Reasons for False:(.*?)(?:Reasons for Unknown:|$)`)
)

// retryReason is a reason of every condition: a failure without a reason of its own. The pages
// do not repeat it.
const retryReason = "ProgressingWithRetry"

// failureReasons returns the reasons for which a condition may be False, by condition, as the
// comments in conditions.go list them.
func failureReasons(t *testing.T) map[string][]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "api", "v1alpha1", "conditions.go"), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string][]string{}
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || spec.Doc == nil {
			return true
		}
		section := sectionForm.FindStringSubmatch(spec.Doc.Text())
		if section == nil {
			return true
		}
		condition := strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
		for _, bullet := range bulletForm.FindAllStringSubmatch(section[1], -1) {
			if bullet[1] != retryReason {
				reasons[condition] = append(reasons[condition], bullet[1])
			}
		}
		return true
	})
	if len(reasons) < 8 {
		t.Fatalf("conditions.go lists reasons for %d conditions only", len(reasons))
	}
	return reasons
}

// TestReasonsOfConditions compares the column "reasons when False" of the pages with the comments
// in conditions.go, for each progress condition of a long-lived kind.
func TestReasonsOfConditions(t *testing.T) {
	left := failureReasons(t)
	for _, name := range []string{"marketsources", "appinfos", "appinstances"} {
		p := readPage(t, "docs/spec/"+name+".md")
		inTable := false
		for _, line := range p.textLines() {
			row := splitCells(line)
			switch {
			case row == nil:
				inTable = false
			case len(row) == 3 && row[2] == "reasons when False":
				inTable = true
			case inTable && left[conditionOf(row)] != nil:
				var written []string
				for _, reason := range codeSpan.FindAllStringSubmatch(row[2], -1) {
					written = append(written, reason[1])
				}
				want := left[conditionOf(row)]
				slices.Sort(written)
				slices.Sort(want)
				if !slices.Equal(written, want) {
					t.Errorf("%s: %s: the reasons are\n%s, and conditions.go has\n%s", p.path, conditionOf(row), strings.Join(written, " "), strings.Join(want, " "))
				}
				delete(left, conditionOf(row))
			}
		}
	}
	if len(left) > 0 {
		t.Errorf("no page has a row for %s", strings.Join(slices.Sorted(maps.Keys(left)), ", "))
	}
}

// conditionOf returns the condition in the first cell of a row.
func conditionOf(row []string) string {
	if name := codeSpan.FindStringSubmatch(row[0]); name != nil {
		return name[1]
	}
	return ""
}
