package v1alpha1_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/test/conformance"
	"github.com/appmarket/operator/test/testenv"
)

// kinds are the condition sets of all kinds.
var kinds = []status.ConditionSet{status.MarketSource, status.AppInfo, status.AppInstance, status.AppInstallTask}

// constants returns the values of the constants in a file whose names start with a prefix, by name.
func constants(t *testing.T, file, prefix string) map[string]string {
	t.Helper()
	g := NewWithT(t)
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	g.Expect(err).NotTo(HaveOccurred())
	found := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		g.Expect(err).NotTo(HaveOccurred())
		found[spec.Names[0].Name] = value
		return true
	})
	g.Expect(found).NotTo(BeEmpty(), "%s has such constants", file)
	return found
}

func documented(t *testing.T) map[string]conformance.Reasons {
	t.Helper()
	all, err := conformance.DocumentedReasons()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return all
}

func TestConstantsAreNamedAfterTheirValues(t *testing.T) {
	g := NewWithT(t)
	for name, value := range constants(t, "conditions.go", "Condition") {
		g.Expect(name).To(Equal("Condition" + value))
	}
	for name, value := range constants(t, "reasons.go", "Reason") {
		g.Expect(name).To(Equal("Reason" + value))
	}
}

func TestEveryConditionIsDocumented(t *testing.T) {
	for name, condition := range constants(t, "conditions.go", "Condition") {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(documented(t)).To(HaveKey(condition))
			used := false
			for _, kind := range kinds {
				if !has(kind, condition) {
					continue
				}
				used = true
				reasons, err := conformance.AllowedReasons(kind, condition, metav1.ConditionTrue)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(reasons).NotTo(BeEmpty(), "the comment lists reasons for True")
			}
			g.Expect(used).To(BeTrue(), "a kind has it")
		})
	}
}

// has reports whether a kind has a condition.
func has(kind status.ConditionSet, condition string) bool {
	own := []string{kind.Summary, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled}
	return slices.Contains(slices.Concat(own, kind.Progress, kind.Facts, kind.Flags), condition)
}

func TestEveryMilestoneMayFail(t *testing.T) {
	for _, kind := range kinds {
		for _, milestone := range kind.Progress {
			NewWithT(t).Expect(documented(t)[milestone].Listed[metav1.ConditionFalse]).NotTo(BeEmpty(), milestone)
		}
	}
}

// TestReasonsAreTheDocumentedOnes fails if a reason is declared but not listed in the comment of
// a condition, or listed but not declared.
func TestReasonsAreTheDocumentedOnes(t *testing.T) {
	g := NewWithT(t)
	var declared, listed []string
	for _, reason := range constants(t, "reasons.go", "Reason") {
		declared = append(declared, reason)
	}
	for _, condition := range documented(t) {
		for _, reasons := range condition.Listed {
			listed = append(listed, reasons...)
		}
	}
	slices.Sort(listed)
	g.Expect(slices.Compact(listed)).To(ConsistOf(declared))
}

func TestNoReasonIsListedTwice(t *testing.T) {
	for _, condition := range documented(t) {
		for state, reasons := range condition.Listed {
			sorted := slices.Sorted(slices.Values(reasons))
			NewWithT(t).Expect(slices.Compact(sorted)).To(HaveLen(len(reasons)), "%s for %s", condition.Constant, state)
		}
	}
}

// TestEveryReasonIsUsed fails if a declared reason is not used by any code, or if code uses a
// string literal instead of the constant of a reason.
func TestEveryReasonIsUsed(t *testing.T) {
	g := NewWithT(t)
	used, written := reasonsInCode(t)
	declared := constants(t, "reasons.go", "Reason")
	g.Expect(written).To(BeEmpty(), "conditions and outcomes take constants")
	for name := range declared {
		g.Expect(used).To(HaveKey(name), "some code gives it")
	}
	for name := range used {
		g.Expect(declared).To(HaveKey(name), "reasons.go declares it")
	}
}

// reasonsInCode returns the names of the reason constants that non-test code uses, and the calls
// that use a string literal as reason.
func reasonsInCode(t *testing.T) (used map[string]bool, written []string) {
	t.Helper()
	g := NewWithT(t)
	root, err := testenv.ModuleRoot()
	g.Expect(err).NotTo(HaveOccurred())
	used = map[string]bool{}
	for _, folder := range []string{"controllers", "hydrate", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				if name := selected(n, "v1alpha1"); strings.HasPrefix(name, "Reason") {
					used[name] = true
				}
				if text := givenAsText(n); text != "" {
					written = append(written, path+": "+text)
				}
				return true
			})
			return nil
		})
		g.Expect(err).NotTo(HaveOccurred())
	}
	return used, written
}

// selected returns the identifier that an expression selects from a package, such as ReasonReady
// for v1alpha1.ReasonReady. It returns an empty string for any other node.
func selected(n ast.Node, from string) string {
	selector, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if x, ok := selector.X.(*ast.Ident); !ok || x.Name != from {
		return ""
	}
	return selector.Sel.Name
}

// givenAsText returns the string literal that a call, such as a call of outcome.Stalled, has as
// reason. It returns an empty string if there is none.
func givenAsText(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	at := -1
	if slices.Contains([]string{"Failed", "Waiting", "Stalled", "Reason"}, selected(call.Fun, "outcome")) {
		at = slices.IndexFunc(call.Args, isText)
	}
	if method, ok := call.Fun.(*ast.SelectorExpr); ok && at < 0 {
		if reasonAt, ok := map[string]int{"SetReady": 0, "MarkTrue": 1}[method.Sel.Name]; ok && isText(call.Args[reasonAt]) {
			at = reasonAt
		}
	}
	if at < 0 {
		return ""
	}
	return call.Args[at].(*ast.BasicLit).Value
}

// isText reports whether an argument is a string literal that is not empty.
func isText(argument ast.Expr) bool {
	literal, ok := argument.(*ast.BasicLit)
	return ok && literal.Kind == token.STRING && literal.Value != `""`
}
