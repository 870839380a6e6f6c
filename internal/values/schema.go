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
	// MaxSchemaBytes is the maximum size of a schema. A compiled schema takes about 100
	// times its size in memory.
	MaxSchemaBytes = 2 << 20
	// maxViolations is the maximum number of violations that an error lists.
	maxViolations = 20
	// chartURL is the base URL of a schema while it is compiled. The scheme is not
	// supported by any loader, so a relative reference never resolves to a real document.
	chartURL = "chart:///"
)

// CheckSchema validates values against a values.schema.json of any draft up to 2020-12.
// References to other documents are rejected.
//
// The error is Stalled with SchemaViolation if values violate the schema. It lists up to 20
// violations, sorted, with their paths, but without the values of strings, which may be
// secret. It is Stalled with InvalidChart if the schema is invalid, and with LimitExceeded
// if the validation would be too expensive.
//
// For the values of a dependency, at contains the keys of the dependency. The paths in the
// error start with these keys.
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
	compiler.UseLoader(noRefLoader{})
	if err := compiler.AddResource(chartURL+chart.SchemaFile, doc); err != nil {
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "read %s: %w", chart.SchemaFile, err)
	}
	compiled, err := compiler.Compile(chartURL + chart.SchemaFile)
	if err != nil {
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidChart, "read %s: %w", chart.SchemaFile, withoutChartURL(err))
	}
	return compiled, nil
}

// noRefLoader is a loader that rejects all references to other documents.
type noRefLoader struct{}

func (noRefLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("$ref %q: references to other documents are not supported", url)
}

// withoutChartURL removes chartURL from the message of an error.
func withoutChartURL(err error) error {
	return errors.New(strings.ReplaceAll(err.Error(), chartURL, ""))
}

// checkNumbers rejects numbers that do not fit into a float64. The validator uses exact
// arithmetic, so a number with a large exponent would keep it busy for a long time.
func checkNumbers(value any) error {
	switch value := value.(type) {
	case json.Number:
		if _, err := strconv.ParseFloat(value.String(), 64); err != nil {
			return errors.New("a number exceeds the range of a 64-bit float")
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
