package helm

import (
	"errors"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/chart"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/values"
)

// checkSchemas checks values against the schemas of a chart and of the dependencies
// that are installed with it, as Helm does: the dependencies are processed already,
// so that those that are off have gone and the others bear their aliases. Helm's own
// check would read any file and address that a schema refers to.
//
// Violations are stalled with SchemaViolation, those of all charts in one error.
func checkSchemas(unit *chart.Chart, decoded map[string]any, at ...string) error {
	var violations []string
	if unit.Schema != nil {
		err := values.CheckSchema(unit.Schema, decoded, at...)
		if err != nil && outcome.Reason(err, "") != v1alpha1.ReasonSchemaViolation {
			return err
		}
		if err != nil {
			violations = append(violations, err.Error())
		}
	}
	for _, dependency := range unit.Dependencies() {
		below := append(at[:len(at):len(at)], dependency.Name())
		given, ok := decoded[dependency.Name()].(map[string]any)
		if !ok {
			continue
		}
		err := checkSchemas(dependency, given, below...)
		if err != nil && outcome.Reason(err, "") != v1alpha1.ReasonSchemaViolation {
			return fmt.Errorf("chart %q: %w", strings.Join(below, "."), err)
		}
		if err != nil {
			violations = append(violations, err.Error())
		}
	}
	if len(violations) == 0 {
		return nil
	}
	return outcome.Stalled(v1alpha1.ReasonSchemaViolation, errors.New(strings.Join(violations, "; ")))
}
