package inputs

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// EnvValues is the key in the values of a chart that contains the inputs of its manifest.
const EnvValues = "olaresEnv"

// SuppliedTexts returns the inputs that values contain, in the form that CheckInputs expects:
// all keys below .Values.olaresEnv by name, and the values at the Path of inputs that have
// one. Lists and maps are encoded as JSON. Null and empty strings are omitted.
func SuppliedTexts(inputs []Input, values map[string]any) map[string]string {
	supplied := map[string]string{}
	if envs, ok := values[EnvValues].(map[string]any); ok {
		for name, value := range envs {
			supplied[name] = ValueText(value)
		}
	}
	for _, in := range inputs {
		if in.Path == "" {
			continue
		}
		if value, ok := ValueAt(values, in.Path); ok {
			supplied[in.Name] = ValueText(value)
		}
	}
	for name, text := range supplied {
		if text == "" {
			delete(supplied, name)
		}
	}
	return supplied
}

// ChartValues converts the result of CheckInputs to values for the chart: the inputs of a
// manifest as strings below .Values.olaresEnv, which is set only if there is at least one,
// and all other inputs at their Path as a bool, a number or a string.
//
// known contains the values that the chart receives anyway, from the platform and from the
// tenant. An input is omitted if known or the chart's own values already have the same
// value, so that the type of that value is kept. An input is also omitted if its ShowIf is
// false and it still has its default, and if its text cannot be converted to its type.
func ChartValues(inputs []Input, checked, known map[string]any) map[string]any {
	values := map[string]any{}
	supplied := SuppliedTexts(inputs, known)
	text := func(name string) string {
		if text, ok := checked[name].(string); ok {
			return text
		}
		return supplied[name]
	}
	for _, in := range inputs {
		given := text(in.Name)
		if in.Path == "" {
			put := values[EnvValues]
			if put == nil {
				put = map[string]any{}
				values[EnvValues] = put
			}
			put.(map[string]any)[in.Name] = given
			continue
		}
		if in.hasKnownValue(given, supplied) || !in.isShown(text) && given == in.Default {
			continue
		}
		if value, ok := in.toTypedValue(given); ok {
			setValue(values, in.Path, value)
		}
	}
	return values
}

// hasKnownValue reports whether the chart already has this value without passing it.
func (in Input) hasKnownValue(text string, supplied map[string]string) bool {
	if value, ok := supplied[in.Name]; ok {
		return in.CanonicalText(value) == text
	}
	if in.Preset || in.Default == "" {
		return in.CanonicalText(in.Default) == text
	}
	return false
}

// toTypedValue converts a text to the type that the chart expects. It returns false for a text
// that cannot be converted, such as an empty text for a number.
func (in Input) toTypedValue(text string) (any, bool) {
	switch {
	case in.Type == "bool":
		value, err := strconv.ParseBool(text)
		return value, err == nil
	case in.Type == "int":
		value, err := strconv.ParseInt(text, 10, 64)
		return value, err == nil
	case in.Number:
		value, err := strconv.ParseFloat(text, 64)
		return value, err == nil
	}
	return text, true
}

// HiddenInputs returns the names of the inputs whose ShowIf is false with the given and the supplied values.
func HiddenInputs(inputs []Input, given, supplied map[string]string) map[string]bool {
	hidden, check := map[string]bool{}, inputCheck{inputs: inputs, given: given, supplied: supplied}
	for _, in := range inputs {
		if !in.isShown(check.inputText) {
			hidden[in.Name] = true
		}
	}
	return hidden
}

// isShown reports whether the condition of an input is true. An invalid condition is false,
// so that an input that is never shown is not required.
func (in Input) isShown(text func(name string) string) bool {
	if in.ShowIf == "" {
		return true
	}
	for either := range strings.SplitSeq(in.ShowIf, "||") {
		if hasAllConditions(either, text) {
			return true
		}
	}
	return false
}

// hasAllConditions reports whether all parts of a condition, "a=b" or "a!=b", are true.
func hasAllConditions(conditions string, text func(name string) string) bool {
	for condition := range strings.SplitSeq(conditions, "&&") {
		name, want, ok := strings.Cut(condition, "=")
		name, unlike := strings.CutSuffix(strings.TrimSpace(name), "!")
		want = strings.Trim(strings.TrimSpace(want), `"'`)
		if !ok || name == "" || (text(strings.TrimSpace(name)) == want) == unlike {
			return false
		}
	}
	return true
}

// ValueText returns a value as the text that a user would enter.
func ValueText(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	case float64:
		return plainNumber(value)
	case map[string]any, []any:
		text, err := json.Marshal(value)
		if err != nil {
			return ""
		}
		return string(text)
	}
	return fmt.Sprint(value)
}

// ValueAt returns the value at a path, with keys joined by dots, and whether it exists.
func ValueAt(values map[string]any, path string) (any, bool) {
	at := any(values)
	for key := range strings.SplitSeq(path, ".") {
		inner, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		if at, ok = inner[key]; !ok {
			return nil, false
		}
	}
	return at, true
}

// setValue sets the value at a path. A value on the path that is not a map is replaced.
func setValue(values map[string]any, path string, value any) {
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		inner, ok := values[key].(map[string]any)
		if !ok {
			inner = map[string]any{}
			values[key] = inner
		}
		values = inner
	}
	values[keys[len(keys)-1]] = value
}
