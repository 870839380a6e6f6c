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

// Bounds on the check of inputs. A pattern comes from an app and may backtrack
// for ever, so that a single match and all matches of a check have a time.
const (
	MaxInputBytes   = 64 << 10
	MaxPatternBytes = 1_000
	matchTime       = time.Second
	checkTime       = 3 * time.Second
	// maxListed bounds the options that a problem lists.
	maxListed = 10

	typePassword = "password"
	// plainPassword is the problem of a password that somebody wrote down.
	plainPassword = "give it by valueFrom.secretKeyRef: a password is never stored in an object"
)

// InputProblem is an input that is missing or wrong. Problem says what is wrong
// with it and never holds the value, which may be a secret.
type Problem struct {
	Input   Input
	Problem string
}

// problemMissing is the problem of an input that needs a value and has none.
const problemMissing = "required"

// IsMissing reports whether the input needs a value and has none.
func (p Problem) IsMissing() bool { return p.Problem == problemMissing }

// The problems of an input that the app does not ask for, and of an entrance that it does
// not have.
const (
	problemUnknown         = "unknown input"
	problemUnknownEntrance = "unknown entrance"
)

// IsUnknown reports whether the app does not ask for the input.
func (p Problem) IsUnknown() bool {
	return p.Problem == problemUnknown || p.Problem == problemUnknownEntrance
}

// CheckInputs merges what is known of the inputs of an app and reports every one
// that is missing or wrong, in the order of the inputs and then those that the
// app does not have, by name.
//
// What is given wins over the app's own value, that over what the platform has
// supplied under the input's From or otherwise its Name, and that over the
// default. An empty text that is given counts; one that is supplied does not.
// Given and supplied values are checked; the app's own are taken as they are.
//
// An input whose ShowIf does not hold is not required. The condition sees every
// other input as it comes out, checked or not.
//
// Plain are the names of inputs whose text, given or supplied, stands in an object
// for everyone to read who may read that, and not in a Secret. A password among
// them is refused.
//
// The values hold every input as text, empty if it has no value; one with a wrong
// value is as if that were absent. InputValues makes values for the chart of them.
// Charts compare those of a manifest with "true" and "false", also those of type
// bool, and fail to render if they find a bool there.
func CheckInputs(inputs []Input, given, supplied map[string]string, plain ...string) (map[string]any, []Problem) {
	values := make(map[string]any, len(inputs))
	var wrong []Problem
	unknown := maps.Clone(given)
	check := inputCheck{until: time.Now().Add(checkTime), inputs: inputs, given: given, supplied: supplied, plain: plain}
	for _, in := range inputs {
		delete(unknown, in.Name)
		value, problem := check.resolve(in)
		values[in.Name] = in.Spelled(value)
		if problem != "" {
			wrong = append(wrong, Problem{Input: in, Problem: problem})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		wrong = append(wrong, Problem{Input: Input{Name: name}, Problem: problemUnknown})
	}
	return values, wrong
}

// spelled is the value as a chart may compare it: a boolean is true or
// false however it was written.
func (in Input) Spelled(text string) string {
	if in.Type == "bool" {
		if value, err := strconv.ParseBool(text); err == nil {
			return strconv.FormatBool(value)
		}
	}
	return text
}

// inputCheck is the check of all inputs of an app; until bounds its time.
type inputCheck struct {
	until           time.Time
	inputs          []Input
	given, supplied map[string]string
	plain           []string
}

// resolve finds the value of an input and what is wrong with it.
func (c inputCheck) resolve(in Input) (value, problem string) {
	own := in.Value
	if own == "" {
		own = in.Default
	}
	if text, ok := c.given[in.Name]; ok {
		if problem := c.wrongGiven(in, text); problem != "" {
			return own, problem
		}
		return text, ""
	}
	if in.Value != "" {
		return in.Value, ""
	}
	if text := c.suppliedText(in); text != "" {
		if problem := c.wrong(in, text); problem != "" {
			return own, problem
		}
		return text, ""
	}
	if own == "" && c.requires(in) {
		return "", problemMissing
	}
	return own, ""
}

// suppliedText is what the platform supplies for an input.
func (c inputCheck) suppliedText(in Input) string {
	if from := c.supplied[in.From]; in.From != "" && from != "" {
		return from
	}
	return c.supplied[in.Name]
}

// text is the value of another input as a condition sees it, or what the platform
// supplies under a name that is no input's.
func (c inputCheck) text(name string) string {
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
	return in.Spelled(text)
}

func (c inputCheck) requires(in Input) bool { return in.Required && in.shown(c.text) }

func (c inputCheck) wrongGiven(in Input, text string) string {
	switch {
	case in.Value != "" && !in.Editable && text != in.Value:
		return "cannot be edited"
	case text == "" && c.requires(in):
		return problemMissing
	case text == "":
		return ""
	}
	return c.wrong(in, text)
}

// wrong says what is wrong with a value that is not empty.
func (c inputCheck) wrong(in Input, text string) string {
	if in.Type == typePassword && slices.Contains(c.plain, in.Name) {
		return plainPassword
	}
	if len(text) > MaxInputBytes {
		return fmt.Sprintf("longer than %d bytes", MaxInputBytes)
	}
	if problem := in.wrongKind(text); problem != "" {
		return problem
	}
	if len(in.Options) > 0 && !slices.ContainsFunc(in.Options, func(o Option) bool { return o.Value == text }) {
		return "not one of: " + listed(in.Options)
	}
	return c.wrongPattern(in.Pattern, text)
}

// wrongKind says what is wrong with the type of a text, or with its size.
func (in Input) wrongKind(text string) string {
	if problem := wrongType(in.Type, text); problem != "" {
		return problem
	}
	if !in.Number && in.Type != "int" {
		return in.Length.wrong(float64(utf8.RuneCountInString(text)), "must have at least %v characters", "must have at most %v characters")
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(number, 0) || math.IsNaN(number) {
		return "not a number"
	}
	return in.Range.wrong(number, "must be at least %v", "must be at most %v")
}

// wrong says which bound a number is outside of, in the given words.
func (b *Bounds) wrong(number float64, below, above string) string {
	switch {
	case b == nil:
	case b.Min != nil && number < *b.Min:
		return fmt.Sprintf(below, plainNumber(*b.Min))
	case b.Max != nil && number > *b.Max:
		return fmt.Sprintf(above, plainNumber(*b.Max))
	}
	return ""
}

// plainNumber writes a number without an exponent, as values are compared.
func plainNumber(number float64) string { return strconv.FormatFloat(number, 'f', -1, 64) }

func wrongType(kind, text string) string {
	switch kind {
	case "bool":
		if _, err := strconv.ParseBool(text); err != nil {
			return "not true or false"
		}
	case "int":
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return "not a whole number"
		}
	case "url":
		if u, err := url.Parse(text); err != nil || u.Scheme == "" || u.Host == "" {
			return "not a URL"
		}
	case "email":
		if address, err := mail.ParseAddress(text); err != nil || address.Address != text {
			return "not an e-mail address"
		}
	case "domain":
		if !isDomain(text) {
			return "not a domain name"
		}
	}
	return ""
}

// isDomain reports whether text is a host name as of RFC 1123.
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

func listed(options []Option) string {
	var words []string
	for _, option := range options[:min(len(options), maxListed)] {
		words = append(words, fmt.Sprintf("%.60s", option.Value))
	}
	if len(options) > maxListed {
		words = append(words, "and "+strconv.Itoa(len(options)-maxListed)+" more")
	}
	return strings.Join(words, ", ")
}

// wrongPattern matches as JavaScript does, where such patterns are at home, with
// look-ahead. A pattern that cannot be read is no pattern: it must not keep the
// app from being installed.
func (c inputCheck) wrongPattern(pattern, text string) string {
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
		return "cannot be checked against its pattern in time"
	}
	matched, err := re.MatchString(text)
	switch {
	case err != nil:
		return "cannot be checked against its pattern in time"
	case !matched:
		return "does not match pattern " + pattern
	}
	return ""
}
