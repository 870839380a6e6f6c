package inputs

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// EnvValues is where charts read the inputs of their manifest.
const EnvValues = "olaresEnv"

// SuppliedInputs are the texts that values hold for inputs, as CheckInputs takes
// them: by name everything below .Values.olaresEnv, and for inputs with a Path
// what is there. A list or a map counts as its JSON; null, and an empty text, as
// nothing.
func Supplied(inputs []Input, values map[string]any) map[string]string {
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

// InputValues makes values for the chart of what CheckInputs returned: the inputs
// of a manifest as texts below .Values.olaresEnv, which is there if there is one,
// and the others at their Path, as a bool, a number or a text.
//
// Known are the values that the chart gets in any case, of the platform and of the
// tenant. What they, or the chart's own values, say already is left out, so that
// it keeps its type; so is an input that is not shown and was not given, and an
// empty text where there is no other.
func Values(inputs []Input, checked, known map[string]any) map[string]any {
	values := map[string]any{}
	supplied := Supplied(inputs, known)
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
		if in.known(given, supplied) || !in.shown(text) && given == in.Default {
			continue
		}
		if value, ok := in.typed(given); ok {
			setValue(values, in.Path, value)
		}
	}
	return values
}

// known reports whether the chart sees this text without being given it.
func (in Input) known(text string, supplied map[string]string) bool {
	if there, ok := supplied[in.Name]; ok {
		return in.Spelled(there) == text
	}
	if in.Preset || in.Default == "" {
		return in.Spelled(in.Default) == text
	}
	return false
}

// typed is a text as the value that a chart expects. An empty text is none for
// what is not text.
func (in Input) typed(text string) (any, bool) {
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

// shown reports whether the condition of an input holds. One that cannot be read
// does not: nobody is asked for what they may never see.
func (in Input) shown(text func(name string) string) bool {
	if in.ShowIf == "" {
		return true
	}
	for either := range strings.SplitSeq(in.ShowIf, "||") {
		if allHold(either, text) {
			return true
		}
	}
	return false
}

// allHold reports whether every part of a condition holds: "a=b" or "a!=b".
func allHold(conditions string, text func(name string) string) bool {
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

// valueText is a value as somebody would give it.
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

// valueAt is what values hold at a path, keys joined by dots.
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

// setValue puts a value at a path. What is in the way is replaced.
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
