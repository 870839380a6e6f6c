package values

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// DecodeField parses the values in a field of an object. Numbers become float64, as when Helm
// parses a values.yaml. It returns nil for a field that is not specified.
func DecodeField(raw *runtime.RawExtension) (map[string]any, error) {
	if raw == nil || len(raw.Raw) == 0 {
		return nil, nil
	}
	decoded := map[string]any{}
	if err := json.Unmarshal(raw.Raw, &decoded); err != nil {
		if !json.Valid(raw.Raw) {
			return nil, outcome.Stalledf(v1alpha1.ReasonInvalidValues, "not JSON")
		}
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidValues, "%s", ParseProblem(err))
	}
	if decoded == nil { // null
		decoded = map[string]any{}
	}
	return decoded, nil
}
