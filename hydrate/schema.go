package hydrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// maxSchemaBytes bounds a schema, which takes a hundred times its length when
	// it is compiled.
	maxSchemaBytes = 2 << 20
	// maxViolations bounds the violations that an error lists.
	maxViolations = 20
	// chartURL is where a schema lies while it is compiled; that there is no such
	// place keeps relative references from leading to a real one.
	chartURL = "chart:///"
)

// CheckSchema checks values against a values.schema.json, of any draft up to
// 2020-12. A reference to another document is refused, be it a file or an
// address. Violations are stalled with SchemaViolation and listed with their
// paths, sorted, at most 20, and without the values, which may be secret; a
// schema that is no schema is stalled with InvalidChart, and one whose check
// would take too long with LimitExceeded.
//
// The values of a dependency are at the keys given, with which the paths then begin.
func CheckSchema(schema []byte, values map[string]any, at ...string) error {
	compiled, err := compileSchema(schema)
	if err != nil {
		return err
	}
	text, err := json.Marshal(MergeMaps(values, nil))
	if err != nil {
		return invalidValues("check values: %w", err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return invalidValues("check values: %w", err)
	}
	if err := checkSchemaCost(compiled, instance); err != nil {
		return err
	}
	err = compiled.Validate(instance)
	if violation, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return outcome.Stalled(v1alpha1.ReasonSchemaViolation, describe(violation, at))
	}
	if err != nil {
		return invalidChart("check values: %w", err)
	}
	return nil
}

func compileSchema(text []byte) (*jsonschema.Schema, error) {
	if len(text) > maxSchemaBytes {
		return nil, overLimit("read %s: %d bytes, at most %d are allowed", schemaFile, len(text), maxSchemaBytes)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, invalidChart("read %s: %w", schemaFile, err)
	}
	if err := checkNumbers(doc); err != nil {
		return nil, invalidChart("read %s: %w", schemaFile, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(nothingElse{})
	if err := compiler.AddResource(chartURL+schemaFile, doc); err != nil {
		return nil, invalidChart("read %s: %w", schemaFile, err)
	}
	compiled, err := compiler.Compile(chartURL + schemaFile)
	if err != nil {
		return nil, invalidChart("read %s: %w", schemaFile, cleaned(err))
	}
	return compiled, nil
}

// nothingElse loads no document but the schema itself.
type nothingElse struct{}

func (nothingElse) Load(url string) (any, error) {
	return nil, fmt.Errorf("reference to %q: a chart's schema must be complete in itself", url)
}

// cleaned takes chartURL out of an error.
func cleaned(err error) error {
	return errors.New(strings.ReplaceAll(err.Error(), chartURL, ""))
}

// checkNumbers refuses numbers that no float64 can hold: the arithmetic of the
// validator is exact, and a few digits of exponent could keep it busy for long.
func checkNumbers(value any) error {
	switch value := value.(type) {
	case json.Number:
		if _, err := strconv.ParseFloat(value.String(), 64); err != nil {
			return errors.New("a number is out of range")
		}
	case map[string]any:
		for _, item := range value {
			if err := checkNumbers(item); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range value {
			if err := checkNumbers(item); err != nil {
				return err
			}
		}
	}
	return nil
}

// describe lists violations, one after the other.
func describe(err *jsonschema.ValidationError, at []string) error {
	found := violations(err, at, nil)
	slices.Sort(found)
	found = slices.Compact(found)
	if more := len(found) - maxViolations; more > 0 {
		found = append(found[:maxViolations], fmt.Sprintf("and %d more", more))
	}
	of := ""
	if len(at) > 0 {
		of = fmt.Sprintf(" of chart %q", strings.Join(at, "."))
	}
	return fmt.Errorf("values do not meet %s%s: %s", schemaFile, of, strings.Join(found, "; "))
}

// violations are the innermost causes of an error.
func violations(err *jsonschema.ValidationError, at []string, found []string) []string {
	for _, cause := range err.Causes {
		found = violations(cause, at, found)
	}
	if len(err.Causes) > 0 {
		return found
	}
	place := slices.Concat(at, err.InstanceLocation)
	below := func(keys []string, complaint string) []string {
		for _, key := range keys {
			found = append(found, jsonPath(append(place[:len(place):len(place)], key))+": "+complaint)
		}
		return found
	}
	switch of := err.ErrorKind.(type) {
	case *kind.Required:
		return below(of.Missing, "missing")
	case *kind.AdditionalProperties:
		return below(of.Properties, "not allowed")
	}
	return append(found, jsonPath(place)+": "+complaint(err.ErrorKind))
}

// jsonPath is a place in the values, such as "env[0].name".
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

var english = message.NewPrinter(language.English)

// complaint says what is wrong without saying what the value is.
func complaint(of jsonschema.ErrorKind) string {
	switch of := of.(type) {
	case *kind.Type:
		return fmt.Sprintf("expected %s, but got %s", strings.Join(of.Want, " or "), of.Got)
	case *kind.Pattern:
		return fmt.Sprintf("does not match pattern %q", of.Want)
	case *kind.Format:
		return "is not a valid " + of.Want
	case *kind.ContentEncoding:
		return "is not encoded as " + of.Want
	case *kind.ContentMediaType:
		return "is not of media type " + of.Want
	case *kind.FalseSchema:
		return "nothing is allowed here"
	}
	return of.LocalizedString(english)
}
