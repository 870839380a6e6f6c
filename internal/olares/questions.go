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

// Questions reads questions.yaml, the form that Rancher draws for a chart. The
// inputs are in the order of the text, subquestions after their question, at most
// hydrate.MaxChartInputs. A question whose answer is a list or a map, or whose
// variable is a place in a list, cannot be given as a text and is left out with a
// warning, as is all else that is not understood. It fails, stalled with
// InvalidManifest, for a text that is no YAML map or exceeds a bound.
func (Reader) Questions(text []byte) ([]inputs.Input, []string, error) {
	root, _, err := parseDocument(text)
	if err != nil {
		return nil, nil, questionsError(err)
	}
	n := &warnings{}
	top := n.openMapping(pathNode{path: "the text", node: root}, essential)
	if top == nil {
		return nil, nil, questionsError(n.err)
	}
	top.path = ""
	r := &questionReader{warnings: n}
	r.readList(top, "questions", "")
	return r.inputs, n.sortedWarnings(), nil
}

func questionsError(err error) error {
	return outcome.Stalled(v1alpha1.ReasonInvalidManifest, fmt.Errorf("read questions: %w", err))
}

// questionReader collects the inputs of questions.
type questionReader struct {
	warnings *warnings
	inputs   []inputs.Input
}

// read takes in a list of questions that are shown on a condition.
func (r *questionReader) readList(f *decoder, key, showIf string) {
	for _, each := range f.listItems(key, inputs.MaxChartInputs, optional) {
		question := r.warnings.openMapping(each, optional)
		if question == nil {
			continue
		}
		in, ok := r.readQuestion(question, each.path)
		in.ShowIf = joinConditions(showIf, in.ShowIf)
		if ok {
			r.addInput(in, each.path)
		}
		// A condition on a question that is not known never holds.
		below := in.ShowIf
		if parent := question.boundedText("show_subquestion_if", maxLine); parent != "" {
			below = joinConditions(below, equalsCondition(in.Name, parent))
		}
		r.readList(question, "subquestions", below)
	}
}

func (r *questionReader) addInput(in inputs.Input, path string) {
	named := func(other inputs.Input) bool { return other.Name == in.Name }
	switch {
	case slices.ContainsFunc(r.inputs, named):
		r.warnings.addWarning("%s has the variable of another and was left out", path)
	case len(r.inputs) == inputs.MaxChartInputs:
		r.warnings.addWarning("there are more than %d questions; the rest was left out", inputs.MaxChartInputs)
	default:
		r.inputs = append(r.inputs, in)
	}
}

// question reads one question, and says whether it can be an input.
func (r *questionReader) readQuestion(f *decoder, path string) (inputs.Input, bool) {
	in := inputs.Input{
		Name:        f.boundedText("variable", inputs.MaxInputName),
		Title:       f.truncatedText("label", inputs.MaxInputTitle),
		Description: f.truncatedText("description", inputs.MaxInputProse),
		Required:    f.boolField("required"),
		Editable:    true,
		ShowIf:      f.boundedText("show_if", inputs.MaxPatternBytes),
	}
	in.Path = in.Name
	in.Default = f.boundedText("default", inputs.MaxInputBytes)
	kind := strings.ToLower(f.boundedText("type", maxLine))
	if kind == "" {
		kind = f.inferType("default")
	}
	in.Options = readQuestionOptions(f)
	switch {
	case in.Name == "":
		r.warnings.addWarning("%s has no variable and was left out", path)
		return in, false
	case !isValuesPath(in.Name):
		r.warnings.addWarning("%s was left out: its variable %q is not a path of keys joined by dots, so no text can be given for it", path, text.Truncate(in.Name, maxQuoted))
		return in, false
	}
	known, ok := questionTypes[kind]
	if !ok {
		r.warnings.addWarning("%s has a type that no text can be given for and was left out", path)
		return in, false
	}
	in.Type, in.Number = known, kind == "float"
	if known == "int" || in.Number {
		in.Range = f.boundsField("min", "max")
	} else {
		in.Length = f.boundsField("min_length", "max_length")
		in.Pattern = characterPattern(f.boundedText("valid_chars", maxLine), f.boundedText("invalid_chars", maxLine))
	}
	if kind == "enum" && hasIntegers(in.Options) && f.hasNumbers("default", "options") {
		in.Type = "int"
	}
	return in, true
}

// questionTypes are the types of questions that a text can answer, with those of
// inputs. A secret, a pvc and a storageclass are the name of one that is there.
var questionTypes = map[string]string{
	"string": "string", "multiline": "string", "enum": "string", "float": "string",
	"storageclass": "string", "pvc": "string", "secret": "string", "configmap": "string", "certificate": "string",
	"boolean": "bool", "bool": "bool", "int": "int", "integer": "int",
	"password": "password", "hostname": "domain",
}

// guessed is the type of a question that gives none, by its default.
func (f *decoder) inferType(key string) string {
	switch kindOf(f.nodes[key]) {
	case kindBool:
		return "boolean"
	case kindNumber:
		if f.nodes[key].ShortTag() == "!!int" {
			return "int"
		}
		return "float"
	case kindMap, kindList:
		return "map"
	}
	return "string"
}

// isPath reports whether a variable is a path of keys below the values.
func isValuesPath(variable string) bool {
	for key := range strings.SplitSeq(variable, ".") {
		if key == "" || strings.ContainsAny(key, "[]\\=&|! \t\n") {
			return false
		}
	}
	return true
}

// readQuestionOptions reads values, or maps of a label and a value.
func readQuestionOptions(f *decoder) []inputs.Option {
	var options []inputs.Option
	for _, each := range f.listItems("options", maxOptions, optional) {
		if kindOf(each.node) == kindMap {
			o := f.warnings.openMapping(each, optional)
			option := inputs.Option{Title: o.truncatedText("label", maxLine), Value: o.boundedText("value", maxSummary)}
			option.Title = firstNonEmpty(option.Title, text.Truncate(option.Value, maxLine))
			options = append(options, option)
			continue
		}
		if value := f.warnings.readBounded(each, maxSummary); value != "" {
			options = append(options, inputs.Option{Title: text.Truncate(value, maxLine), Value: value})
		}
	}
	return options
}

func hasIntegers(options []inputs.Option) bool {
	return len(options) > 0 && !slices.ContainsFunc(options, func(o inputs.Option) bool {
		_, err := strconv.ParseInt(o.Value, 10, 64)
		return err != nil
	})
}

// numeric reports whether the values of an entry, or of the list in it, are
// written as numbers and not as texts that look like one.
func (f *decoder) hasNumbers(keys ...string) bool {
	for _, key := range keys {
		node := f.nodes[key]
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

// bounds are the numbers of two entries.
func (f *decoder) boundsField(least, greatest string) *inputs.Bounds {
	b := inputs.Bounds{Min: f.floatField(least), Max: f.floatField(greatest)}
	if b == (inputs.Bounds{}) {
		return nil
	}
	return &b
}

// real is a number, also as text.
func (f *decoder) floatField(key string) *float64 {
	at := f.takeField(key)
	text := f.warnings.readBounded(at, maxLine)
	if text == "" {
		return nil
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
		f.warnings.addTypeProblem(at, "a number", optional)
		return nil
	}
	return &value
}

// characters is a pattern for texts of these characters, or of none of those. Both
// are what stands in the brackets of a regular expression; some write a whole one.
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

// both is the condition that two conditions hold, either of which may be empty. As
// there are no brackets, the parts of one are each joined with those of the other.
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

// answered is the condition that a question has this answer.
func equalsCondition(name, answer string) string {
	if strings.Contains(answer, "&&") || strings.Contains(answer, "||") {
		return neverCondition
	}
	return name + "=" + answer
}

// maxQuoted bounds what a warning quotes of the text, in bytes.
const maxQuoted = 64

// maxParts bounds what conditions that are joined may come to.
const maxAlternatives = 100

// never is a condition that does not hold, in place of one that is too much.
const neverCondition = "="
