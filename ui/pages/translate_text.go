package pages

import (
	"regexp"
	"strings"

	"github.com/appmarket/operator/ui/locale"
)

// textPatterns are the English texts of packages without translations, with the messages for them. The first group
// is the value with the name Value.
var textPatterns = []struct {
	pattern *regexp.Regexp
	id      string
}{
	{regexp.MustCompile(`^(a value is )?required$`), "fieldProblem.required"},
	{regexp.MustCompile(`^a title is required$`), "fieldProblem.titleRequired"},
	{regexp.MustCompile(`^must have at least (\S+) characters?$`), "fieldProblem.minLength"},
	{regexp.MustCompile(`^must have at most (\S+) characters?$`), "fieldProblem.maxLength"},
	{regexp.MustCompile(`^must have at most (\S+) bytes$`), "fieldProblem.maxBytes"},
	{regexp.MustCompile(`^must be at least (\S+)$`), "fieldProblem.minimum"},
	{regexp.MustCompile(`^must be at most (\S+)$`), "fieldProblem.maximum"},
	{regexp.MustCompile(`^must be true or false$`), "fieldProblem.bool"},
	{regexp.MustCompile(`^must be an integer$`), "fieldProblem.int"},
	{regexp.MustCompile(`^must be a number$`), "fieldProblem.number"},
	{regexp.MustCompile(`^must be a URL$`), "fieldProblem.url"},
	{regexp.MustCompile(`^must be an email address$`), "fieldProblem.email"},
	{regexp.MustCompile(`^must be a domain name$`), "fieldProblem.domain"},
	{regexp.MustCompile(`(?s)^must be one of: (.+)$`), "fieldProblem.options"},
	{regexp.MustCompile(`(?s)^must match pattern (.+)$`), "fieldProblem.pattern"},
	{regexp.MustCompile(`^cannot be matched against the pattern in time$`), "fieldProblem.patternTime"},
	{regexp.MustCompile(`^Required value$`), "fieldProblem.required"},
	{regexp.MustCompile(`^must be of type (.+), but is \S+$`), "fieldProblem.type"},
	{regexp.MustCompile(`^Invalid value: \S+: must be at least (\S+)$`), "fieldProblem.minimum"},
	{regexp.MustCompile(`^Invalid value: \S+: must be at most (\S+)$`), "fieldProblem.maximum"},
	{regexp.MustCompile(`^must have at least (\S+) characters?, but has \d+$`), "fieldProblem.minLength"},
	{regexp.MustCompile(`^must have at most (\S+) characters?, but has \d+$`), "fieldProblem.maxLength"},
	{regexp.MustCompile(`^unknown key$`), "fieldProblem.unknownKey"},
	{regexp.MustCompile(`(?s)^unknown key \(supported keys: (.+)\)$`), "fieldProblem.supportedKeys"},
	{regexp.MustCompile(`^values\.schema\.json has (\d+) bytes$`), "enteredValues.schemaBytes"},
	{regexp.MustCompile(`^The lines are not compared: the comparison takes too long\.$`), "compare.linesTooSlow"},
	{regexp.MustCompile(`^The lines are not compared: the texts are too long\.$`), "compare.linesTooLong"},
	{regexp.MustCompile(`^a version has too many entries to be compared$`), "compare.tooMany"},
	{regexp.MustCompile(`^the comparison takes too long$`), "compare.tooSlow"},
	{regexp.MustCompile(`^already used by another instance$`), "fieldProblem.usedByInstance"},
	{regexp.MustCompile(`^already used by another entrance$`), "fieldProblem.usedByEntrance"},
	{regexp.MustCompile(`^must not be set because the app does not allow changes$`), "fieldProblem.notEditable"},
}

// translateText returns a text of a package that knows no language in a language. A text without a message is
// returned as it is.
func translateText(l *locale.Language, text string) string {
	if l == locale.English {
		return text
	}
	for _, each := range textPatterns {
		if match := each.pattern.FindStringSubmatch(text); match != nil {
			return l.Text(each.id, "Value", match[len(match)-1])
		}
	}
	return text
}

// translateViolation returns a violation of a schema, a path with a message, in a language.
func translateViolation(l *locale.Language, violation string) string {
	path, message, found := strings.Cut(violation, ": ")
	if translated := translateText(l, message); found && translated != message {
		return l.Text("enteredValues.violation", "Path", path, "Problem", translated)
	}
	return violation
}
