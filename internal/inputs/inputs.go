package inputs

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// Limits for the check of inputs. A pattern comes from an app and may backtrack without
// end, so both a single match and all matches of a check have a time limit.
const (
	MaxInputBytes   = 64 << 10
	MaxPatternBytes = 1_000
	matchTime       = time.Second
	checkTime       = 3 * time.Second
	// maxListed is the maximum number of options that a problem lists.
	maxListed = 10

	typePassword = "password"
	// plainPassword is the problem of a password that is stored in plain text in an object.
	plainPassword = "must be set with valueFrom.secretKeyRef, because an object must not store a password"
)

// Problem is an input that is missing or invalid. The text of Problem never contains the
// value, which may be a secret.
type Problem struct {
	Input   Input
	Problem string
}

// problemMissing is the problem of a required input without a value.
const problemMissing = "required"

// IsMissing reports whether the input is required and has no value.
func (p Problem) IsMissing() bool { return p.Problem == problemMissing }

// IsMissingPassword reports whether the input is a required password without a value.
func (p Problem) IsMissingPassword() bool { return p.IsMissing() && p.Input.Type == typePassword }

// Problems of inputs and entrances that the app does not have.
const (
	problemUnknown         = "unknown input"
	problemUnknownEntrance = "unknown entrance"
)

// IsUnknown reports whether the app does not have the input or the entrance.
func (p Problem) IsUnknown() bool {
	return p.Problem == problemUnknown || p.Problem == problemUnknownEntrance
}

// CheckInputs resolves the values of an app's inputs and returns a problem for each missing
// or invalid input, in the order of inputs. Problems of given inputs that the app does not
// have follow in order of name.
//
// A value is taken from the first of these that has one: given, the app's own Value,
// supplied under the input's From and otherwise its Name, the default. An empty value
// counts in given but not in supplied. Given and supplied values are validated; values of
// the app are not.
//
// An input whose ShowIf is false is not required. The condition uses the resolved values of
// the other inputs, whether they are valid or not.
//
// plain contains the names of inputs whose given or supplied value is stored in an object
// in plain text and not in a Secret. Passwords among them are rejected.
//
// The returned map has each input as a string, empty if it has no value. An invalid value
// is replaced by the app's own value or the default. Values converts the map to values for
// the chart. Booleans are strings too: charts compare the inputs of a manifest with "true"
// and "false" and fail to render if they get a bool.
func CheckInputs(inputs []Input, given, supplied map[string]string, plain ...string) (map[string]any, []Problem) {
	values := make(map[string]any, len(inputs))
	var wrong []Problem
	unknown := maps.Clone(given)
	check := inputCheck{until: time.Now().Add(checkTime), inputs: inputs, given: given, supplied: supplied, plain: plain}
	for _, in := range inputs {
		delete(unknown, in.Name)
		value, problem := check.resolveInput(in)
		values[in.Name] = in.CanonicalText(value)
		if problem != "" {
			wrong = append(wrong, Problem{Input: in, Problem: problem})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		wrong = append(wrong, Problem{Input: Input{Name: name}, Problem: problemUnknown})
	}
	return values, wrong
}

// CanonicalText returns the value in the form that charts compare: a boolean in any spelling
// becomes "true" or "false".
func (in Input) CanonicalText(text string) string {
	if in.Type == "bool" {
		if value, err := strconv.ParseBool(text); err == nil {
			return strconv.FormatBool(value)
		}
	}
	return text
}

// inputCheck is the check of all inputs of an app. until is its deadline.
type inputCheck struct {
	until           time.Time
	inputs          []Input
	given, supplied map[string]string
	plain           []string
}

// resolveInput returns the value of an input, and the problem with it if it has one.
func (c inputCheck) resolveInput(in Input) (value, problem string) {
	own := in.Value
	if own == "" {
		own = in.Default
	}
	if text, ok := c.given[in.Name]; ok {
		if problem := c.givenProblem(in, text); problem != "" {
			return own, problem
		}
		return text, ""
	}
	if in.Value != "" {
		return in.Value, ""
	}
	if text := c.suppliedText(in); text != "" {
		if problem := c.valueProblem(in, text); problem != "" {
			return own, problem
		}
		return text, ""
	}
	if own == "" && c.isRequired(in) {
		return "", problemMissing
	}
	return own, ""
}

// suppliedText returns the value that the platform supplies for an input.
func (c inputCheck) suppliedText(in Input) string {
	if from := c.supplied[in.From]; in.From != "" && from != "" {
		return from
	}
	return c.supplied[in.Name]
}

// inputText returns the value of another input for use in a condition. If no input has the name,
// it returns the value that the platform supplies under this name.
func (c inputCheck) inputText(name string) string {
	at := slices.IndexFunc(c.inputs, func(in Input) bool { return in.Name == name })
	if at < 0 {
		return c.supplied[name]
	}
	in := c.inputs[at]
	text, ok := c.given[name]
	switch {
	case ok:
	case in.Value != "":
		text = in.Value
	default:
		if text = c.suppliedText(in); text == "" {
			text = in.Default
		}
	}
	return in.CanonicalText(text)
}

func (c inputCheck) isRequired(in Input) bool { return in.Required && in.isShown(c.inputText) }

func (c inputCheck) givenProblem(in Input, text string) string {
	switch {
	case in.Value != "" && !in.Editable && text != in.Value:
		return "must not be set because the app does not allow changes"
	case text == "" && c.isRequired(in):
		return problemMissing
	case text == "":
		return ""
	}
	return c.valueProblem(in, text)
}
