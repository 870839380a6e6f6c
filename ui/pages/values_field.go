package pages

import (
	"encoding/json"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/ui/locale"
)

// maxValuesBytes is the size of the values that a form accepts.
const maxValuesBytes = 64 << 10

// encodeValues returns entered values as JSON, nil if there are none, or the problem with them.
func encodeValues(l *locale.Language, text string) (raw []byte, problem string) {
	if strings.TrimSpace(text) == "" {
		return nil, ""
	}
	if len(text) > maxValuesBytes {
		return nil, l.Text("fieldProblem.valuesBytes", "Value", maxValuesBytes)
	}
	var values map[string]any
	if err := yaml.Unmarshal([]byte(text), &values); err != nil {
		return nil, strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	}
	if len(values) == 0 {
		return nil, ""
	}
	raw, err := json.Marshal(values)
	if err != nil || len(raw) > 4*maxValuesBytes {
		return nil, l.Text("fieldProblem.valuesTooLarge")
	}
	return raw, ""
}
