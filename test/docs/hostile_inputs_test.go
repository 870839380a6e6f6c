package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// minHostileInputs is the minimum number of rows of docs/hostile-inputs.md.
const minHostileInputs = 60

var (
	// hostileTestForm is the column "test": a package, and a test with its subtest, or the text of a spec.
	hostileTestForm = regexp.MustCompile("^`([a-z/]+)` `(?:(Test[A-Za-z0-9]+)(?:/(.+))?|([^`]+))`$")
	// hostileReasonForm is a reason or an HTTP status in the column "outcome", and hostileConditionForm a condition
	// with its reason.
	hostileReasonForm    = regexp.MustCompile("`([A-Z][A-Za-z]+|[0-9]{3})`")
	hostileConditionForm = regexp.MustCompile("`([A-Za-z]+)=False` `([A-Za-z]+)`")
)

// TestHostileInputs checks that each row of docs/hostile-inputs.md names a test that exists, that the test contains
// the reason or the HTTP status of the row, and that the reason is one of the condition.
func TestHostileInputs(t *testing.T) {
	p, reasons, sources := readPage(t, "docs/hostile-inputs.md"), declaredReasons(t), map[string][]*ast.File{}
	ofCondition := failureReasons(t)
	rows, seen := 0, map[string]int{}
	for i, line := range p.textLines() {
		row := splitCells(line)
		if len(row) != 4 || row[0] == "input" || strings.HasPrefix(row[0], "-") {
			continue
		}
		rows++
		test := hostileTestForm.FindStringSubmatch(row[3])
		if test == nil {
			t.Errorf("%s:%d: %s is not a package with a test", p.path, i+1, row[3])
			continue
		}
		if seen[row[3]]++; seen[row[3]] > 1 {
			t.Errorf("%s:%d: %s has more than one row", p.path, i+1, row[3])
		}
		if sources[test[1]] == nil {
			sources[test[1]] = parseTests(t, test[1])
		}
		found := findTest(sources[test[1]], test[2], test[3]+test[4])
		if found == nil {
			t.Errorf("%s:%d: %s does not exist", p.path, i+1, row[3])
			continue
		}
		if of := hostileConditionForm.FindStringSubmatch(row[2]); of != nil && !slices.Contains(ofCondition[of[1]], of[2]) {
			t.Errorf("%s:%d: %s is not a reason for %s=False", p.path, i+1, of[2], of[1])
		}
		for _, outcome := range hostileReasonForm.FindAllStringSubmatch(row[2], -1) {
			if name := constantOf(outcome[1], reasons); name == "" || !found.uses(name) {
				t.Errorf("%s:%d: %s does not expect %s", p.path, i+1, row[3], outcome[1])
			}
		}
	}
	if rows < minHostileInputs {
		t.Errorf("%s has %d rows, at least %d are required", p.path, rows, minHostileInputs)
	}
}

// constantOf returns the name of the constant of a reason or an HTTP status, "" if there is none.
func constantOf(outcome string, reasons map[string]bool) string {
	if status, err := strconv.Atoi(outcome); err == nil {
		return "Status" + strings.ReplaceAll(http.StatusText(status), " ", "")
	}
	if !reasons[outcome] {
		return ""
	}
	return "Reason" + outcome
}

// parseTests parses the tests of a package.
func parseTests(t *testing.T, folder string) []*ast.File {
	t.Helper()
	var parsed []*ast.File
	names, err := fs.Glob(os.DirFS(filepath.Join(root, folder)), "*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, folder, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
	}
	return parsed
}

// foundTest is a test in its source, and the rows of its tables with a text, nil for a test without a table.
type foundTest struct {
	test ast.Node
	rows []ast.Node
}

// findTest returns the test with a name, or any spec if the name is empty, that contains a text, nil if there is none.
func findTest(files []*ast.File, name, text string) *foundTest {
	for _, file := range files {
		for _, declaration := range file.Decls {
			function, isFunction := declaration.(*ast.FuncDecl)
			if name != "" && (!isFunction || function.Name.Name != name) {
				continue
			}
			if text == "" {
				return &foundTest{test: declaration}
			}
			if rows := findTableRows(declaration, text); len(rows) > 0 {
				return &foundTest{declaration, rows}
			}
		}
	}
	return nil
}

// findTableRows returns the rows that contain a text as a string.
func findTableRows(in ast.Node, text string) []ast.Node {
	var path, rows []ast.Node
	ast.Inspect(in, func(node ast.Node) bool {
		if node == nil {
			path = path[:len(path)-1]
			return true
		}
		path = append(path, node)
		literal, isText := node.(*ast.BasicLit)
		if !isText || literal.Kind != token.STRING {
			return true
		}
		if value, err := strconv.Unquote(literal.Value); err == nil && value == text {
			rows = append(rows, rowOf(path))
		}
		return true
	})
	return rows
}

// rowOf returns the last node of a path that is a row of a table: an element of a list, a pair of a map, or a call. It
// returns the string itself if there is none.
func rowOf(path []ast.Node) ast.Node {
	for i := len(path) - 2; i >= 0; i-- {
		switch node := path[i].(type) {
		case *ast.CompositeLit, *ast.CallExpr:
			return node
		case *ast.KeyValueExpr:
			if node.Key == path[i+1] { // A map whose keys are the names of the subtests.
				return node
			}
		}
	}
	return path[len(path)-1]
}

// outcomeConstantForm matches the names of the constants of reasons and HTTP statuses.
var outcomeConstantForm = regexp.MustCompile("^(Reason|Status)[A-Z]")

// uses reports whether a row of a test uses a constant. Rows without such constants have the outcomes of their test.
func (f foundTest) uses(constant string) bool {
	used := map[string]bool{}
	for _, row := range f.rows {
		addOutcomes(used, row)
	}
	if len(used) == 0 {
		addOutcomes(used, f.test)
	}
	return used[constant]
}

// addOutcomes adds the constants of reasons and HTTP statuses in a node.
func addOutcomes(used map[string]bool, in ast.Node) {
	ast.Inspect(in, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok && outcomeConstantForm.MatchString(selector.Sel.Name) {
			used[selector.Sel.Name] = true
		}
		return true
	})
}
