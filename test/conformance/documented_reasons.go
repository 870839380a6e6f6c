package conformance

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/status"
	"github.com/appmarket/operator/test/testenv"
)

// Reasons contains the reasons that are documented for a condition.
type Reasons struct {
	// Constant is the name of the constant of the condition.
	Constant string
	// Listed are the listed reasons by status.
	Listed map[metav1.ConditionStatus][]string
	// borrowed are sentences that refer to the reasons of another condition, by status.
	borrowed map[metav1.ConditionStatus]string
}

// Sentences in conditions.go that refer to the reasons of other conditions.
const (
	refersToCondition   = "the reason of the milestone that failed"
	refersToReconciling = "the reason of Reconciling"
	refersToFailure     = "it has the reason of the failure"
)

var (
	sectionForm = regexp.MustCompile(`^Reasons for (True|False|Unknown):(.*)$`)
	bulletForm  = regexp.MustCompile(`^\* "([A-Za-z]+)"`)
)

// DocumentedReasons returns the reasons in the comments of api/v1alpha1/conditions.go, by
// condition type.
var DocumentedReasons = sync.OnceValues(func() (map[string]Reasons, error) {
	root, err := testenv.ModuleRoot()
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "api", "v1alpha1", "conditions.go"), nil, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("read conditions: %w", err)
	}
	documented := map[string]Reasons{}
	for _, declared := range file.Decls {
		constants, ok := declared.(*ast.GenDecl)
		if !ok || constants.Tok != token.CONST {
			continue
		}
		for _, spec := range constants.Specs {
			value := spec.(*ast.ValueSpec)
			comment := value.Doc
			if comment == nil && !constants.Lparen.IsValid() {
				comment = constants.Doc
			}
			kind, err := strconv.Unquote(value.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				return nil, fmt.Errorf("read condition %s: %w", value.Names[0].Name, err)
			}
			documented[kind] = parseReasons(value.Names[0].Name, comment.Text())
		}
	}
	return documented, nil
})

func parseReasons(constant, comment string) Reasons {
	r := Reasons{
		Constant: constant,
		Listed:   map[metav1.ConditionStatus][]string{},
		borrowed: map[metav1.ConditionStatus]string{},
	}
	var section metav1.ConditionStatus
	for line := range strings.Lines(comment) {
		line = strings.TrimSpace(line)
		if head := sectionForm.FindStringSubmatch(line); head != nil {
			section = metav1.ConditionStatus(head[1])
			line = head[2]
			r.Listed[section] = nil
		}
		if bullet := bulletForm.FindStringSubmatch(line); bullet != nil {
			r.Listed[section] = append(r.Listed[section], bullet[1])
			continue
		}
		r.borrowed[section] += " " + line
	}
	return r
}

// AllowedReasons returns the reasons that a condition of a kind may have in a status. It returns
// none if the condition may not have this status.
func AllowedReasons(kind status.ConditionSet, condition string, of metav1.ConditionStatus) ([]string, error) {
	documented, err := DocumentedReasons()
	if err != nil {
		return nil, err
	}
	known, ok := documented[condition]
	if !ok {
		return nil, fmt.Errorf("condition %s is not documented", condition)
	}
	allowed := slices.Clone(known.Listed[of])
	if strings.Contains(known.borrowed[of], refersToCondition) {
		allowed = append(allowed, failureReasons(documented, kind)...)
	}
	if strings.Contains(known.borrowed[of], refersToReconciling) {
		allowed = append(allowed, documented[v1alpha1.ConditionReconciling].Listed[metav1.ConditionTrue]...)
	}
	// The comment of Stalled has no sections, because Stalled exists only while it is True.
	if of == metav1.ConditionTrue && strings.Contains(strings.ToLower(known.borrowed[""]), refersToFailure) {
		allowed = append(allowed, failureReasons(documented, kind)...)
		allowed = append(allowed, documented[kind.Summary].Listed[metav1.ConditionFalse]...)
	}
	return allowed, nil
}

// failureReasons returns the reasons for which a progress condition of a kind may be False.
func failureReasons(documented map[string]Reasons, kind status.ConditionSet) []string {
	var all []string
	for _, milestone := range kind.Progress {
		all = append(all, documented[milestone].Listed[metav1.ConditionFalse]...)
	}
	return all
}
