package render

import (
	"errors"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/chart"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/values"
)

// checkSchemas validates values against the schemas of a chart and of its enabled dependencies, as
// Helm does. The dependencies must be processed: disabled dependencies are removed, and the others
// have their aliases. Helm's own check would read any file and URL to which a schema refers.
//
// The error for violations is stalled with SchemaViolation, and contains the violations of all
// charts.
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
