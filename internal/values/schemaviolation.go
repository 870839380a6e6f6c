package values

import (
	"bytes"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/text"
)

// violationError returns an error that lists up to 20 violations of a schema.
func violationError(err *jsonschema.ValidationError, schema []byte, at []string) error {
	found := violationsOf(err, schema, at, nil)
	slices.Sort(found)
	found = slices.Compact(found)
	if more := len(found) - maxViolations; more > 0 {
		found = append(found[:maxViolations], fmt.Sprintf("and %d more", more))
	}
	of := ""
	if len(at) > 0 {
		of = fmt.Sprintf(" of chart %q", strings.Join(at, "."))
	}
	return &SchemaError{Violations: found, of: of}
}

// SchemaError lists up to 20 violations of a schema, sorted.
type SchemaError struct {
	Violations []string

	// of names the chart.
	of string
}

// Error returns all listed violations.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("values do not match %s%s: %s", chart.SchemaFile, e.of, strings.Join(e.Violations, "; "))
}

// violationsOf appends the innermost causes of an error to found.
func violationsOf(err *jsonschema.ValidationError, schema []byte, at []string, found []string) []string {
	for _, cause := range err.Causes {
		found = violationsOf(cause, schema, at, found)
	}
	if len(err.Causes) > 0 {
		return found
	}
	path := slices.Concat(at, err.InstanceLocation)
	below := func(keys []string, message string) []string {
		for _, key := range keys {
			found = append(found, jsonPath(append(path[:len(path):len(path)], key))+": "+message)
		}
		return found
	}
	switch of := err.ErrorKind.(type) {
	case *kind.Required:
		return below(of.Missing, "Required value")
	case *kind.AdditionalProperties:
		return below(of.Properties, "unknown key"+allowedKeys(schema, err.SchemaURL))
	}
	return append(found, jsonPath(path)+": "+violationMessage(err.ErrorKind))
}

// jsonPath returns a path in the values, such as "env[0].name".
func jsonPath(tokens []string) string {
	if len(tokens) == 0 {
		return "values"
	}
	var path strings.Builder
	for _, token := range tokens {
		switch _, err := strconv.Atoi(token); {
		case err == nil:
			path.WriteString("[" + token + "]")
		case strings.ContainsAny(token, `.[]" `):
			path.WriteString("[" + strconv.Quote(token) + "]")
		default:
			path.WriteString("." + token)
		}
	}
	return strings.TrimPrefix(path.String(), ".")
}

// maxKeys is the maximum number of allowed keys that a violation lists.
const maxKeys = 10

// allowedKeys returns the properties of the schema at a URL as part of a message. It
// returns "" if the schema has no properties.
func allowedKeys(schema []byte, url string) string {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return ""
	}
	_, pointer, _ := strings.Cut(url, "#")
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if token == "" {
			continue
		}
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch at := doc.(type) {
		case map[string]any:
			doc = at[token]
		case []any:
			number, err := strconv.Atoi(token)
			if err != nil || number < 0 || number >= len(at) {
				return ""
			}
			doc = at[number]
		default:
			return ""
		}
	}
	object, _ := doc.(map[string]any)
	properties, _ := object["properties"].(map[string]any)
	if len(properties) == 0 {
		return ""
	}
	return " (supported keys: " + text.List(slices.Sorted(maps.Keys(properties)), ", ", maxKeys) + ")"
}

var english = message.NewPrinter(language.English)

// violationMessage returns the message for a violation. It shows only numbers and sizes from the
// value because strings may be secret.
func violationMessage(of jsonschema.ErrorKind) string {
	if message := sizeViolationMessage(of); message != "" {
		return message
	}
	switch of := of.(type) {
	case *kind.Type:
		return fmt.Sprintf("must be of type %s, but is %s", strings.Join(of.Want, " or "), of.Got)
	case *kind.Enum:
		return "must be one of: " + text.List(valueTexts(of.Want), ", ", maxKeys)
	case *kind.Const:
		return "must be " + valueTexts([]any{of.Want})[0]
	case *kind.Pattern:
		return fmt.Sprintf("must match pattern %q", of.Want)
	case *kind.Format:
		return "must be a valid " + of.Want
	case *kind.ContentEncoding:
		return "must be encoded as " + of.Want
	case *kind.ContentMediaType:
		return "must have media type " + of.Want
	case *kind.UniqueItems:
		return fmt.Sprintf("items %d and %d must not be equal", of.Duplicates[0], of.Duplicates[1])
	case *kind.Dependency:
		return fmt.Sprintf("%s requires %s", of.Prop, strings.Join(of.Missing, ", "))
	case *kind.DependentRequired:
		return fmt.Sprintf("%s requires %s", of.Prop, strings.Join(of.Missing, ", "))
	case *kind.Not:
		return `must not match the schema in "not"`
	case *kind.OneOf:
		return `must match exactly one schema in "oneOf"`
	case *kind.FalseSchema:
		return "must not be set"
	}
	return of.LocalizedString(english)
}

// sizeViolationMessage returns the message for a violation of a limit on a number, a length or a
// count. It returns "" for all other violations.
func sizeViolationMessage(of jsonschema.ErrorKind) string {
	switch of := of.(type) {
	case *kind.Minimum:
		return fmt.Sprintf("Invalid value: %s: must be at least %s", formatNumber(of.Got), formatNumber(of.Want))
	case *kind.Maximum:
		return fmt.Sprintf("Invalid value: %s: must be at most %s", formatNumber(of.Got), formatNumber(of.Want))
	case *kind.ExclusiveMinimum:
		return fmt.Sprintf("Invalid value: %s: must be more than %s", formatNumber(of.Got), formatNumber(of.Want))
	case *kind.ExclusiveMaximum:
		return fmt.Sprintf("Invalid value: %s: must be less than %s", formatNumber(of.Got), formatNumber(of.Want))
	case *kind.MultipleOf:
		return fmt.Sprintf("Invalid value: %s: must be a multiple of %s", formatNumber(of.Got), formatNumber(of.Want))
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %s, but has %d", text.Count(of.Want, "character", "characters"), of.Got)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %s, but has %d", text.Count(of.Want, "character", "characters"), of.Got)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %s, but has %d", text.Count(of.Want, "item", "items"), of.Got)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %s, but has %d", text.Count(of.Want, "item", "items"), of.Got)
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %s, but has %d", text.Count(of.Want, "key", "keys"), of.Got)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %s, but has %d", text.Count(of.Want, "key", "keys"), of.Got)
	}
	return ""
}

// formatNumber formats a number of a schema.
func formatNumber(number *big.Rat) string {
	float, _ := number.Float64()
	return strconv.FormatFloat(float, 'f', -1, 64)
}

// valueTexts formats the values that a schema allows.
func valueTexts(values []any) []string {
	texts := make([]string, 0, len(values))
	for _, value := range values {
		written := fmt.Sprint(value)
		if value == nil {
			written = "null"
		} else if written == "" {
			written = `""`
		}
		texts = append(texts, fmt.Sprintf("%.60s", written))
	}
	return texts
}
