package olares

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

var _ hydrate.QuestionReader = Reader{}

// Questions reads questions.yaml, from which Rancher creates the form of a chart. It returns
// at most inputs.MaxChartInputs inputs in the order of the file, with subquestions after
// their question. A question is ignored with a warning if its value is a list or a map, or if
// its variable is an item of a list, because the value of an input is a string. Invalid and
// unknown fields are ignored with a warning, too. It returns an error that is stalled with
// InvalidManifest if the content is not a YAML map or exceeds a limit.
func (Reader) Questions(text []byte) ([]inputs.Input, []string, error) {
	root, _, err := parseDocument(text)
	if err != nil {
		return nil, nil, questionsError(err)
	}
	w := &warnings{}
	top := w.openMapping(pathNode{path: "the file", node: root}, essential)
	if top == nil {
		return nil, nil, questionsError(w.err)
	}
	top.path = ""
	r := &questionReader{warnings: w}
	r.readList(top, "questions", "")
	return r.inputs, w.sortedWarnings(), nil
}

// questionsError returns a stalled error for an invalid questions.yaml.
func questionsError(err error) error {
	return outcome.Stalled(v1alpha1.ReasonInvalidManifest, fmt.Errorf("read questions: %w", err))
}

// questionReader reads questions as inputs.
type questionReader struct {
	warnings *warnings
	inputs   []inputs.Input
}

// readList reads a list of questions that are visible if a condition is met.
func (r *questionReader) readList(d *decoder, key, showIf string) {
	for _, each := range d.listItems(key, inputs.MaxChartInputs, optional) {
		question := r.warnings.openMapping(each, optional)
		if question == nil {
			continue
		}
		in, ok := r.readQuestion(question, each.path)
		in.ShowIf = joinConditions(showIf, in.ShowIf)
		if ok {
			r.addInput(in, each.path)
		}
		// The condition refers to the question even if that is ignored. It is never met then.
		below := in.ShowIf
		if parent := question.boundedText("show_subquestion_if", maxLine); parent != "" {
			below = joinConditions(below, equalsCondition(in.Name, parent))
		}
		r.readList(question, "subquestions", below)
	}
}

// addInput adds an input, unless there is one of the same name or there are too many.
func (r *questionReader) addInput(in inputs.Input, path string) {
	named := func(other inputs.Input) bool { return other.Name == in.Name }
	switch {
	case slices.ContainsFunc(r.inputs, named):
		r.warnings.addWarning("%s is ignored: another question has the same variable", path)
	case len(r.inputs) == inputs.MaxChartInputs:
		r.warnings.addWarning("questions has more than %d entries: the rest is ignored", inputs.MaxChartInputs)
	default:
		r.inputs = append(r.inputs, in)
	}
}

// readQuestion reads one question, and reports whether it is a valid input.
func (r *questionReader) readQuestion(d *decoder, path string) (inputs.Input, bool) {
	in := inputs.Input{
		Name:        d.boundedText("variable", inputs.MaxInputName),
		Title:       d.truncatedText("label", inputs.MaxInputTitle),
		Description: d.truncatedText("description", inputs.MaxInputProse),
		Required:    d.boolField("required"),
		Editable:    true,
		ShowIf:      d.boundedText("show_if", inputs.MaxPatternBytes),
		Group:       d.truncatedText("group", inputs.MaxInputTitle),
	}
	in.Path = in.Name
	in.Default = d.boundedText("default", inputs.MaxInputBytes)
	kind := strings.ToLower(d.boundedText("type", maxLine))
	if kind == "" {
		kind = d.inferType("default")
	}
	in.Options = readQuestionOptions(d)
	switch {
	case in.Name == "":
		r.warnings.addWarning("%s is ignored: variable is missing", path)
		return in, false
	case !isValuesPath(in.Name):
		r.warnings.addWarning("%s is ignored: variable %q must be a path of keys separated by dots", path, text.Truncate(in.Name, maxQuoted))
		return in, false
	}
	known, ok := questionTypes[kind]
	if !ok {
		r.warnings.addWarning("%s is ignored: values of type %q are not supported", path, text.Truncate(kind, maxQuoted))
		return in, false
	}
	in.Type, in.Number, in.Multiline = known, kind == "float", kind == "multiline"
	if known == "int" || in.Number {
		in.Range = d.boundsField("min", "max")
	} else {
		in.Length = d.boundsField("min_length", "max_length")
		in.Pattern = characterPattern(d.boundedText("valid_chars", maxLine), d.boundedText("invalid_chars", maxLine))
	}
	if kind == "enum" && hasIntegers(in.Options) && d.hasNumbers("default", "options") {
		in.Type = "int"
	}
	return in, true
}

// questionTypes maps the types of questions whose values are strings to the types of inputs.
// The value of a secret, a pvc or a storageclass is the name of an existing object.
var questionTypes = map[string]string{
	"string": "string", "multiline": "string", "enum": "string", "float": "string",
	"storageclass": "string", "pvc": "string", "secret": "string", "configmap": "string", "certificate": "string",
	"boolean": "bool", "bool": "bool", "int": "int", "integer": "int",
	"password": "password", "hostname": "domain",
}

// inferType returns the type of a question without a type. It depends on the default value.
func (d *decoder) inferType(key string) string {
	switch kindOf(d.nodes[key]) {
	case kindBool:
		return "boolean"
	case kindNumber:
		if d.nodes[key].ShortTag() == "!!int" {
			return "int"
		}
		return "float"
	case kindMap, kindList:
		return "map"
	}
	return "string"
}

// isValuesPath reports whether a variable is a path of keys in the values of a chart.
func isValuesPath(variable string) bool {
	for key := range strings.SplitSeq(variable, ".") {
		if key == "" || strings.ContainsAny(key, "[]\\=&|! \t\n") {
			return false
		}
	}
	return true
}

// readQuestionOptions reads the options of a question, which are values or maps of a label
// and a value.
func readQuestionOptions(d *decoder) []inputs.Option {
	var options []inputs.Option
	for _, each := range d.listItems("options", maxOptions, optional) {
		if kindOf(each.node) == kindMap {
			o := d.warnings.openMapping(each, optional)
			option := inputs.Option{Title: o.truncatedText("label", maxLine), Value: o.boundedText("value", maxSummary)}
			option.Title = firstNonEmpty(option.Title, text.Truncate(option.Value, maxLine))
			options = append(options, option)
			continue
		}
		if value := d.warnings.readBounded(each, maxSummary); value != "" {
			options = append(options, inputs.Option{Title: text.Truncate(value, maxLine), Value: value})
		}
	}
	return options
}

// hasIntegers reports whether all options have integer values.
func hasIntegers(options []inputs.Option) bool {
	return len(options) > 0 && !slices.ContainsFunc(options, func(o inputs.Option) bool {
		_, err := strconv.ParseInt(o.Value, 10, 64)
		return err != nil
	})
}

// hasNumbers reports whether the values of fields, or the items of their lists, are numbers
// and not strings that contain digits.
func (d *decoder) hasNumbers(keys ...string) bool {
	for _, key := range keys {
		node := d.nodes[key]
		if node == nil {
			continue
		}
		values := []*yaml.Node{node}
		if node.Kind == yaml.SequenceNode {
			values = node.Content
		}
		if slices.ContainsFunc(values, func(value *yaml.Node) bool { return kindOf(value) != kindNumber }) {
			return false
		}
	}
	return true
}

// boundsField returns the numbers of two fields as bounds, or nil if both are absent.
func (d *decoder) boundsField(least, greatest string) *inputs.Bounds {
	b := inputs.Bounds{Min: d.floatField(least), Max: d.floatField(greatest)}
	if b == (inputs.Bounds{}) {
		return nil
	}
	return &b
}

// floatField returns a number, which may also be written as a string.
func (d *decoder) floatField(key string) *float64 {
	at := d.takeField(key)
	text := d.warnings.readBounded(at, maxLine)
	if text == "" {
		return nil
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
		d.warnings.addTypeProblem(at, "a number", optional)
		return nil
	}
	return &value
}

// characterPattern returns a pattern for texts that consist of valid characters, or that
// contain no invalid characters. Both are the content of the brackets of a regular expression,
// but some charts contain a whole regular expression.
func characterPattern(valid, invalid string) string {
	pattern := ""
	switch {
	case strings.HasPrefix(valid, "^") || strings.HasSuffix(valid, "$") || strings.HasPrefix(valid, "["):
		pattern = valid
	case valid != "":
		pattern = "^[" + valid + "]*$"
	case invalid != "" && !strings.HasPrefix(invalid, "["):
		pattern = "^[^" + invalid + "]*$"
	}
	return pattern
}

// joinConditions returns the condition that two conditions are met, of which each may be
// empty. The syntax has no parentheses, so each alternative of one condition is combined with
// each alternative of the other.
func joinConditions(one, other string) string {
	if one == "" || other == "" {
		return one + other
	}
	ones, others := strings.Split(one, "||"), strings.Split(other, "||")
	if len(ones)*len(others) > maxAlternatives {
		return neverCondition
	}
	var parts []string
	for _, a := range ones {
		for _, b := range others {
			parts = append(parts, a+"&&"+b)
		}
	}
	joined := strings.Join(parts, "||")
	if len(joined) > inputs.MaxPatternBytes {
		return neverCondition
	}
	return joined
}

// equalsCondition returns the condition that a question has a value.
func equalsCondition(name, answer string) string {
	if strings.Contains(answer, "&&") || strings.Contains(answer, "||") {
		return neverCondition
	}
	return name + "=" + answer
}

// maxQuoted is the maximum length of a quoted text in a warning, in bytes.
const maxQuoted = 64

// maxAlternatives is the maximum number of alternatives of a joined condition.
const maxAlternatives = 100

// neverCondition is a condition that is never met. It replaces a condition that is too long.
const neverCondition = "="
