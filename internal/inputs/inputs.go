package inputs

import (
	"fmt"
	"maps"
	"math"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
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

// valueProblem returns the problem with a value that is not empty, or "".
func (c inputCheck) valueProblem(in Input, text string) string {
	if in.Type == typePassword && slices.Contains(c.plain, in.Name) {
		return plainPassword
	}
	if len(text) > MaxInputBytes {
		return fmt.Sprintf("must have at most %d bytes", MaxInputBytes)
	}
	if problem := in.kindProblem(text); problem != "" {
		return problem
	}
	if len(in.Options) > 0 && !slices.ContainsFunc(in.Options, func(o Option) bool { return o.Value == text }) {
		return "must be one of: " + optionsText(in.Options)
	}
	return c.patternProblem(in.Pattern, text)
}

// kindProblem returns the problem with the type or the size of a value, or "".
func (in Input) kindProblem(text string) string {
	if problem := typeProblem(in.Type, text); problem != "" {
		return problem
	}
	if !in.Number && in.Type != "int" {
		return in.Length.boundsProblem(float64(utf8.RuneCountInString(text)), "must have at least %s", "must have at most %s", countCharacters)
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(number, 0) || math.IsNaN(number) {
		return "must be a number"
	}
	return in.Range.boundsProblem(number, "must be at least %s", "must be at most %s", plainNumber)
}

// boundsProblem returns the message for the limit that number exceeds, or "". below and above are
// the formats of the messages, and format formats the limit.
func (b *Bounds) boundsProblem(number float64, below, above string, format func(float64) string) string {
	switch {
	case b == nil:
	case b.Min != nil && number < *b.Min:
		return fmt.Sprintf(below, format(*b.Min))
	case b.Max != nil && number > *b.Max:
		return fmt.Sprintf(above, format(*b.Max))
	}
	return ""
}

// countCharacters formats a number of characters.
func countCharacters(number float64) string {
	if number == 1 {
		return "1 character"
	}
	return plainNumber(number) + " characters"
}

// plainNumber formats a number without an exponent, so that it can be compared as text.
func plainNumber(number float64) string { return strconv.FormatFloat(number, 'f', -1, 64) }

// typeProblem returns the problem with the type of a value, or "".
func typeProblem(kind, text string) string {
	switch kind {
	case "bool":
		if _, err := strconv.ParseBool(text); err != nil {
			return "must be true or false"
		}
	case "int":
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return "must be an integer"
		}
	case "url":
		if u, err := url.Parse(text); err != nil || u.Scheme == "" || u.Host == "" {
			return "must be a URL"
		}
	case "email":
		if address, err := mail.ParseAddress(text); err != nil || address.Address != text {
			return "must be an email address"
		}
	case "domain":
		if !isDomain(text) {
			return "must be a domain name"
		}
	}
	return ""
}

// isDomain reports whether text is a host name as defined by RFC 1123.
func isDomain(text string) bool {
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		if strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return len(text) <= 253
}

func optionsText(options []Option) string {
	var words []string
	for _, option := range options[:min(len(options), maxListed)] {
		words = append(words, fmt.Sprintf("%.60s", option.Value))
	}
	if len(options) > maxListed {
		words = append(words, "and "+strconv.Itoa(len(options)-maxListed)+" more")
	}
	return strings.Join(words, ", ")
}

// patternProblem matches text against a pattern in the syntax of JavaScript, for which these
// patterns are written, including look-ahead. An invalid pattern is ignored so that it does
// not prevent the installation of the app.
func (c inputCheck) patternProblem(pattern, text string) string {
	if pattern == "" || len(pattern) > MaxPatternBytes {
		return ""
	}
	re, err := regexp2.Compile(pattern, regexp2.ECMAScript)
	if err != nil {
		if re, err = regexp2.Compile(pattern, regexp2.None); err != nil {
			return ""
		}
	}
	re.MatchTimeout = min(matchTime, time.Until(c.until))
	if re.MatchTimeout <= 0 {
		return "cannot be matched against the pattern in time"
	}
	matched, err := re.MatchString(text)
	switch {
	case err != nil:
		return "cannot be matched against the pattern in time"
	case !matched:
		return "must match pattern " + pattern
	}
	return ""
}
