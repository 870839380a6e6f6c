package audit

import (
	"errors"
	"fmt"
	"sync"

	"github.com/google/cel-go/cel"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/text"
)

// Limits of an audit. The costs are in units of CEL: about one for each operator and each access to a
// field, and one for ten bytes of text that is read.
const (
	// maxCost is the maximum cost of one evaluation.
	maxCost = 1_000_000
	// maxTotalCost is the maximum cost of all evaluations of a version.
	maxTotalCost = 5_000_000
	// MaxFindings is the maximum number of findings in a report.
	MaxFindings = 200
	// maxObject and maxMessage are the maximum lengths of the texts of a finding in bytes.
	maxObject  = 253
	maxMessage = 512
)

// App contains the facts about an app that rules can use as the variable app.
type App struct {
	Name, Version, AppVersion, Description, Home string
	// Namespace is the namespace of objects without a namespace.
	Namespace string
	Licenses  []string
	Images    []string
	Keywords  []string
	// IsRendered reports whether the objects of the app are known.
	IsRendered bool
	// Access describes what the objects may do outside their Pods.
	Access objects.Access
	// Annotations are the annotations of Chart.yaml.
	Annotations map[string]string
}

// Report contains the findings of a version. Denied and Warned include the findings that are omitted.
type Report struct {
	Denied   int                     `json:"denied"`
	Warned   int                     `json:"warned"`
	Findings []v1alpha1.AuditFinding `json:"findings"`
}

// Evaluate evaluates the rules for documents and an app. An error means that a document could not be
// read.
func Evaluate(rules *Rules, documents []objects.Document, app App) (*Report, error) {
	base, err := environment()
	if err != nil {
		return nil, err
	}
	a := &auditor{report: &Report{Findings: []v1alpha1.AuditFinding{}}, variables: map[string]any{
		"app": app.toVariable(), "allowedRegistries": rules.AllowedRegistries,
	}}
	for _, rule := range rules.Rules {
		a.addRule(base, rule)
	}
	for _, rule := range a.appRules {
		a.evaluateRule(rule, a.variables, "")
	}
	for _, doc := range documents {
		if len(a.objectRules) == 0 || a.isExhausted {
			break
		}
		if err := objects.EachObject(doc, a.evaluateObject); err != nil {
			return nil, err
		}
	}
	return a.report, nil
}

// environment returns the CEL environment of the rules. Only functions of the standard library are
// available, because the costs of others are not known.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	env, err := cel.NewEnv(
		cel.Variable("object", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("pod", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("containers", cel.ListType(cel.MapType(cel.StringType, cel.DynType))),
		cel.Variable("app", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("allowedRegistries", cel.ListType(cel.StringType)),
		cel.OptionalTypes(),
		cel.HomogeneousAggregateLiterals(),
		cel.ParserRecursionLimit(100),
		cel.ParserExpressionSizeLimit(4096),
	)
	if err != nil {
		return nil, fmt.Errorf("create CEL environment: %w", err)
	}
	return env, nil
})

// auditor collects the findings of a version.
type auditor struct {
	appRules, objectRules []compiledRule
	variables             map[string]any
	report                *Report
	cost                  uint64
	// isExhausted is set when the evaluations exceed maxTotalCost.
	isExhausted bool
}

type compiledRule struct {
	Rule
	program cel.Program
}

// addRule compiles a rule. A rule that is invalid is a finding.
func (a *auditor) addRule(env *cel.Env, rule Rule) {
	program, err := compileRule(env, rule)
	switch {
	case err != nil:
		a.addFinding(rule, "", "the rule is invalid: "+err.Error())
	case rule.Target == v1alpha1.AuditTargetApp:
		a.appRules = append(a.appRules, compiledRule{rule, program})
	default:
		a.objectRules = append(a.objectRules, compiledRule{rule, program})
	}
}

func compileRule(env *cel.Env, rule Rule) (cel.Program, error) {
	if rule.Expression == "" {
		return nil, errors.New("it has no expression, and no default rule has its name")
	}
	ast, issues := env.Compile(rule.Expression)
	if err := issues.Err(); err != nil {
		return nil, errors.New(text.Printable(err.Error(), maxMessage/2))
	}
	if kind := ast.OutputType(); !kind.IsExactType(cel.BoolType) && !kind.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("the result of the expression must be a bool, not %s", kind)
	}
	return env.Program(ast, cel.CostLimit(maxCost))
}

// evaluateObject evaluates the rules for an object.
func (a *auditor) evaluateObject(o objects.Map) error {
	if a.isExhausted {
		return nil
	}
	variables := map[string]any{
		"object": toVariable(o), "app": a.variables["app"], "allowedRegistries": a.variables["allowedRegistries"],
		"pod": map[string]any{}, "containers": []any{},
	}
	if pod := o.PodSpec(); pod != nil {
		variables["pod"] = toVariable(pod)
		containers := []any{}
		for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
			for _, container := range pod.MapsAt(list) {
				containers = append(containers, toVariable(container))
			}
		}
		variables["containers"] = containers
	}
	for _, rule := range a.objectRules {
		a.evaluateRule(rule, variables, o.KindAndName())
	}
	return nil
}

// evaluateRule evaluates a rule, and adds a finding unless the result is true.
func (a *auditor) evaluateRule(rule compiledRule, variables map[string]any, object string) {
	if a.isExhausted {
		return
	}
	result, details, err := rule.program.Eval(variables)
	cost := uint64(maxCost)
	if details != nil && details.ActualCost() != nil {
		cost = *details.ActualCost()
	}
	a.cost += cost + 1
	switch {
	case err != nil:
		a.addFinding(rule.Rule, object, "the rule cannot be evaluated: "+err.Error())
	case result.Value() != true:
		a.addFinding(rule.Rule, object, rule.Message)
	}
	if a.cost > maxTotalCost {
		a.isExhausted = true
		a.addFinding(Rule{Name: "cost", Effect: v1alpha1.AuditDeny}, "",
			"the audit exceeds its cost limit, because the app has too many objects or a rule is too expensive; the remaining objects were not evaluated")
	}
}

// addFinding adds a finding. Findings are counted if they do not fit.
func (a *auditor) addFinding(rule Rule, object, message string) {
	if rule.Effect == v1alpha1.AuditDeny {
		a.report.Denied++
	} else {
		a.report.Warned++
	}
	finding := v1alpha1.AuditFinding{
		Rule: rule.Name, Object: text.Printable(object, maxObject), Message: text.Printable(message, maxMessage), Effect: rule.Effect,
	}
	if len(a.report.Findings) < MaxFindings {
		a.report.Findings = append(a.report.Findings, finding)
		return
	}
	if rule.Effect != v1alpha1.AuditDeny {
		return
	}
	// A finding that denies the version replaces the last one that does not.
	for i := len(a.report.Findings) - 1; i >= 0; i-- {
		if a.report.Findings[i].Effect != v1alpha1.AuditDeny {
			a.report.Findings[i] = finding
			return
		}
	}
}
