package inputs

import (
	"fmt"
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
