package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// readConstants returns the values of the constants in a file of the API whose names have a prefix.
func readConstants(t *testing.T, file, prefix string) map[string]bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "api", "v1alpha1", file), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]bool{}
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, prefix) {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			values[value] = true
		}
		return true
	})
	if len(values) == 0 {
		t.Fatalf("%s has no constants %s…", file, prefix)
	}
	return values
}

func declaredReasons(t *testing.T) map[string]bool { return readConstants(t, "reasons.go", "Reason") }

// TestReasonsOfTroubleshooting checks the tables of docs/troubleshooting.md: the column "condition
// and reason" contains conditions and reasons of the API only, and every reason that is not a
// success.
func TestReasonsOfTroubleshooting(t *testing.T) {
	reasons, conditions := declaredReasons(t), readConstants(t, "conditions.go", "Condition")
	p := readPage(t, "docs/troubleshooting.md")
	inTable, used := false, map[string]bool{"Uninstalled": true, "Stopped": true, "Succeeded": true}
	for i, line := range p.textLines() {
		row := splitCells(line)
		switch {
		case len(row) < 2:
			inTable = false
		case row[1] == "condition and reason":
			inTable = true
		case inTable && !strings.HasPrefix(row[1], "-"):
			for _, name := range codeSpan.FindAllStringSubmatch(row[1], -1) {
				used[name[1]] = true
				isField := strings.Contains(name[1], ".") || name[1] == "problem"
				if !isField && !reasons[name[1]] && !conditions[name[1]] {
					t.Errorf("%s:%d: %s is neither a condition nor a reason", p.path, i+1, name[1])
				}
			}
		}
	}
	for reason := range reasons {
		if !used[reason] && !conditions[reason] {
			t.Errorf("%s: add a row for the reason %s", p.path, reason)
		}
	}
}
