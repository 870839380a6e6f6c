package values

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/yamlbounds"

	sigsyaml "sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/yamlfault"
)

// Decode parses values in YAML as Helm does: YAML 1.1, every number becomes a float64, and
// the last of equal keys counts. A text that is empty or contains only comments has no
// values. The length of the text is limited to chart.MaxFileBytes, and the expansion of
// aliases is limited too. A second document, which Helm ignores, is rejected. Errors are
// Stalled with InvalidValues or LimitExceeded.
func Decode(text []byte) (map[string]any, error) {
	values, err := DecodeFirst(text)
	if err != nil {
		return nil, err
	}
	if HasSecondDocument(text) {
		return nil, errSecondDocument
	}
	return values, nil
}

var errSecondDocument = outcome.Stalledf(v1alpha1.ReasonInvalidValues, "read values: Helm reads only the first of several YAML documents; merge them into one")

// DecodeFirst parses values like Decode and ignores all documents after the first.
func DecodeFirst(text []byte) (map[string]any, error) {
	if err := yamlbounds.CheckText(text, chart.MaxFileBytes); err != nil {
		return nil, fmt.Errorf("read values: %w", err)
	}
	values := map[string]any{}
	if err := sigsyaml.Unmarshal(text, &values); err != nil {
		if notAMap.MatchString(err.Error()) {
			return nil, outcome.Stalledf(v1alpha1.ReasonInvalidValues, "read values: %s", ParseProblem(err))
		}
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidValues, "read values: invalid YAML: %s", yamlfault.Locate(text, err))
	}
	if values == nil {
		values = map[string]any{}
	}
	return values, nil
}

var (
	// notAMap matches the error of encoding/json for a document that is not a map.
	notAMap = regexp.MustCompile(`cannot unmarshal (\w+) into Go value of type map`)
	// typesOfJSON maps the type names in that error to the names in messages.
	typesOfJSON = map[string]string{"array": "a list", "string": "a string", "number": "a number", "bool": "a boolean"}
)

// ParseProblem returns the message for an error of the YAML decoder.
func ParseProblem(err error) string {
	text := err.Error()
	if m := notAMap.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("values must be a map, but are %s", cmp.Or(typesOfJSON[m[1]], m[1]))
	}
	if _, problem, ok := strings.Cut(text, "error converting YAML to JSON: "); ok {
		text = strings.TrimPrefix(problem, "yaml: ")
	}
	return "invalid YAML: " + text
}

// HasSecondDocument reports whether a document after the first is not empty.
func HasSecondDocument(text []byte) bool {
	if !bytes.Contains(text, []byte("\n---")) && !bytes.Contains(text, []byte("\n...")) {
		return false
	}
	documents := yaml.NewDecoder(bytes.NewReader(text))
	for first := true; ; first = false {
		var document yaml.Node
		if documents.Decode(&document) != nil {
			return false
		}
		if !first && len(document.Content) > 0 && document.Content[0].ShortTag() != "!!null" {
			return true
		}
	}
}

// MergeMaps returns base with over merged into it, by Helm's rules for user-supplied
// values: maps are merged key by key, lists and scalars are replaced, and a nil removes the
// key. Unlike in Helm, a nil for a key that base does not have is dropped. The result
// shares no data with base and over, which are not changed.
func MergeMaps(base, over map[string]any) map[string]any {
	return mergeRecursively(base, over, false)
}

// Overlay merges over into base like MergeMaps but keeps nil values, so that they remove
// keys from the values that the result is merged into later, such as the values of a chart.
func Overlay(base, over map[string]any) map[string]any {
	return mergeRecursively(base, over, true)
}

func mergeRecursively(base, over map[string]any, keepNil bool) map[string]any {
	merged := make(map[string]any, len(base)+len(over))
	for key, value := range base {
		merged[key] = copyValue(value)
	}
	for key, value := range over {
		switch value := value.(type) {
		case nil:
			delete(merged, key)
			if keepNil {
				merged[key] = nil
			}
		case map[string]any:
			below, _ := base[key].(map[string]any)
			merged[key] = mergeRecursively(below, value, keepNil)
		default:
			merged[key] = copyValue(value)
		}
	}
	return merged
}

func copyValue(value any) any {
	switch value := value.(type) {
	case map[string]any:
		copied := maps.Clone(value)
		for key, item := range copied {
			copied[key] = copyValue(item)
		}
		return copied
	case []any:
		copied := make([]any, len(value))
		for i, item := range value {
			copied[i] = copyValue(item)
		}
		return copied
	}
	return value
}

// MergeText merges params into the text of a values.yaml by the rules of MergeMaps. The
// text is edited in place: everything that params do not change keeps its bytes, comments
// and order, and new keys are appended in sorted order. Without params the text is returned
// unchanged.
//
// Below the keys of dependencies, a nil is written as null because it removes a default
// that only the dependency has.
//
// If a change is below an alias, all aliases are expanded first, so that the other uses of
// the anchor do not change. This loses the layout of the text but not its comments. If no
// edit of the text produces the merged values, the file is generated from them without
// comments. Errors are Stalled with InvalidValues or LimitExceeded.
func MergeText(text []byte, params map[string]any, dependencies ...string) ([]byte, error) {
	if len(params) == 0 {
		return text, nil
	}
	base, err := Decode(text)
	if err != nil {
		return nil, err
	}
	params, err = plainValues(params)
	if err != nil {
		return nil, err
	}
	for _, name := range dependencies {
		if value, ok := params[name]; ok {
			params[name] = withNulls(value)
		}
	}
	want := MergeMaps(base, params)
	for _, prepare := range []func([]byte) ([]byte, error){unchangedText, withoutAliases} {
		if prepared, err := prepare(text); err == nil {
			merged, ok := editValues(prepared, base, params)
			if ok && len(merged) > chart.MaxFileBytes || ok && decodesTo(merged, want) {
				return fileSized(merged)
			}
		}
	}
	written, err := sigsyaml.Marshal(want)
	if err != nil {
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidValues, "write values: %w", err)
	}
	return fileSized(written)
}

// writtenNull represents a nil that MergeMaps keeps as a value.
type writtenNull struct{}

func (writtenNull) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// withNulls replaces each nil in a value with writtenNull.
func withNulls(value any) any {
	switch value := value.(type) {
	case nil:
		return writtenNull{}
	case map[string]any:
		for key, item := range value {
			value[key] = withNulls(item)
		}
	}
	return value
}

// plainValues converts params to the types that Decode returns.
func plainValues(params map[string]any) (map[string]any, error) {
	text, err := json.Marshal(params)
	if err != nil {
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidValues, "read parameters: %w", err)
	}
	if len(text) > chart.MaxFileBytes {
		return nil, outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "read parameters: %d bytes, at most %d are allowed", len(text), chart.MaxFileBytes)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidValues, "read parameters: %w", err)
	}
	return out, nil
}

// decodesTo reports whether a text decodes to the given values.
func decodesTo(text []byte, want map[string]any) bool {
	got, err := Decode(text)
	return err == nil && hasSameValues(got, want)
}

func hasSameValues(a, b any) bool {
	left, err := json.Marshal(a)
	if err != nil {
		return false
	}
	right, err := json.Marshal(b)
	return err == nil && bytes.Equal(left, right)
}

func unchangedText(text []byte) ([]byte, error) { return text, nil }

// withoutAliases rewrites a text with every alias expanded.
func withoutAliases(text []byte) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(writtenOut(&root)); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

// writtenOut copies a node and replaces its aliases with copies of their anchors. The size
// of the result is limited because yamlbounds.Check limits the expansion.
func writtenOut(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		copied := writtenOut(node.Alias)
		copied.HeadComment, copied.LineComment, copied.FootComment = node.HeadComment, node.LineComment, node.FootComment
		return copied
	}
	copied := *node
	copied.Anchor, copied.Content = "", nil
	for _, child := range node.Content {
		copied.Content = append(copied.Content, writtenOut(child))
	}
	return &copied
}

func fileSized(text []byte) ([]byte, error) {
	if len(text) > chart.MaxFileBytes {
		return nil, outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "write values: %d bytes, at most %d are allowed", len(text), chart.MaxFileBytes)
	}
	return text, nil
}
