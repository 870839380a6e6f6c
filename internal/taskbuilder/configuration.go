package taskbuilder

import (
	"encoding/json"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
)

// EncodeValues returns Helm values in the format of the API, nil for nil.
func EncodeValues(values map[string]any) (*runtime.RawExtension, error) {
	if values == nil {
		return nil, nil
	}
	raw, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("encode values: %w", err)
	}
	return &runtime.RawExtension{Raw: raw}, nil
}

// MergeInputs returns the inputs with further inputs, which replace inputs of the same name.
func MergeInputs(inputs, further []v1alpha1.InputValue) []v1alpha1.InputValue {
	merged := append([]v1alpha1.InputValue{}, inputs...)
	for _, input := range further {
		replaced := false
		for i := range merged {
			if merged[i].Name == input.Name {
				merged[i], replaced = input, true
			}
		}
		if !replaced {
			merged = append(merged, input)
		}
	}
	return merged
}

// pointerUnlessEmpty returns a pointer to a value, nil if all its fields are empty.
func pointerUnlessEmpty[T any](value T) *T {
	if reflect.ValueOf(value).IsZero() {
		return nil
	}
	return &value
}

// isSameValue reports whether two values of the same type are equal.
func isSameValue(a, b any) bool { return reflect.DeepEqual(a, b) }
