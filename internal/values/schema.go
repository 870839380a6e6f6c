package values

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// maxSchemaBytes bounds a schema, which takes a hundred times its length when
	// it is compiled.
	MaxSchemaBytes = 2 << 20
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
		return outcome.Stalledf(v1alpha1.ReasonInvalidValues, "check values: %w", err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return outcome.Stalledf(v1alpha1.ReasonInvalidValues, "check values: %w", err)
	}
	if err := checkSchemaCost(compiled, instance); err != nil {
		return err
	}
	err = compiled.Validate(instance)
	if violation, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return outcome.Stalled(v1alpha1.ReasonSchemaViolation, violationError(violation, schema, at))
	}
	if err != nil {
		return outcome.Stalledf(v1alpha1.ReasonInvalidChart, "check values: %w", err)
	}
	return nil
}

func compileSchema(text []byte) (*jsonschema.Schema, error) {
	if len(text) > MaxSchemaBytes {
		return nil, outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "read %s: %d bytes, at most %d are allowed", chart.SchemaFile, len(text), MaxSchemaBytes)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "read %s: %w", chart.SchemaFile, err)
	}
	if err := checkNumbers(doc); err != nil {
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "read %s: %w", chart.SchemaFile, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(nothingElse{})
	if err := compiler.AddResource(chartURL+chart.SchemaFile, doc); err != nil {
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "read %s: %w", chart.SchemaFile, err)
	}
	compiled, err := compiler.Compile(chartURL + chart.SchemaFile)
	if err != nil {
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "read %s: %w", chart.SchemaFile, cleaned(err))
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
