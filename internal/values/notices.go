package values

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	"go.yaml.in/yaml/v3"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/yamlfault"
)

// NoticeKind is the kind of a notice.
type NoticeKind string

// The kinds of notices.
const (
	// NoticeSyntax is an error in the YAML.
	NoticeSyntax NoticeKind = "Syntax"
	// NoticeSchema is a violation of the schema, and NoticeUnchecked means that the schema was not applied.
	NoticeSchema    NoticeKind = "Schema"
	NoticeUnchecked NoticeKind = "Unchecked"
	// NoticeUnknownKey is a key at the top that the default values do not have.
	NoticeUnknownKey NoticeKind = "UnknownKey"
	// NoticeInput is a value that an input sets as well.
	NoticeInput NoticeKind = "Input"
)

const (
	// maxNoticeSchemaBytes is the size of the largest schema that is applied while a user types.
	maxNoticeSchemaBytes = 256 << 10
	// maxUnknownKeys is the maximum number of notices about unknown keys, and of those about inputs.
	maxUnknownKeys = 20
	// maxProposals is the maximum number of keys for which another key is proposed, maxComparedKeys the number
	// of keys with which each is compared, and maxKeyBytes their length.
	maxProposals, maxComparedKeys, maxKeyBytes = 5, 500, 40
	// minRatio is the similarity from which on a key is proposed instead of an unknown one.
	minRatio = 0.6
	// globalKey is the key of the values that a chart shares with its dependencies.
	globalKey = "global"
)

// Notice is about the values that a user enters.
type Notice struct {
	Kind NoticeKind
	// Line and Column count from 1. They are 0 if they are unknown.
	Line, Column int
	// Path is the path of the value, and Proposal the key that was probably meant.
	Path, Proposal string
	// Text describes an error.
	Text string
}

// Chart is what a chart says about its values.
type Chart struct {
	Defaults, Schema []byte
	// Inputs are the paths of the values that inputs set.
	Inputs []string
}

// Check returns notices about the values that a user enters for a chart. The schema is applied to the
// default values with the entered values merged into them, as Helm does.
func (c Chart) Check(text []byte) []Notice {
	entered, err := Decode(text)
	if err != nil {
		return []Notice{newSyntaxNotice(text, err)}
	}
	defaults, err := DecodeFirst(c.Defaults)
	if err != nil {
		defaults = nil // The chart is wrong, and not what the user enters.
	}
	notices := c.checkSchema(MergeMaps(defaults, entered))
	lines, unknown := topLines(text), 0
	for _, key := range slices.Sorted(maps.Keys(entered)) {
		_, known := defaults[key]
		if known || len(defaults) == 0 || key == globalKey || unknown == maxUnknownKeys {
			continue
		}
		notice := Notice{Kind: NoticeUnknownKey, Line: lines[key], Column: min(lines[key], 1), Path: key}
		if unknown++; unknown <= maxProposals {
			notice.Proposal = similarKey(key, defaults)
		}
		notices = append(notices, notice)
	}
	return append(notices, c.checkInputs(entered)...)
}

// newSyntaxNotice returns the notice about a text that is not a YAML map.
func newSyntaxNotice(text []byte, err error) Notice {
	notice := Notice{Kind: NoticeSyntax, Text: strings.TrimPrefix(err.Error(), "read values: ")}
	parseErr := yaml.Unmarshal(text, &map[string]any{})
	if outcome.Reason(err, "") == v1alpha1.ReasonLimitExceeded || parseErr == nil {
		return notice
	}
	if fault := yamlfault.Locate(text, parseErr); fault.Line > 0 {
		lines := strings.Split(string(text), "\n")
		notice.Line, notice.Text = min(fault.Line, len(lines)), fault.Problem
		line := lines[notice.Line-1]
		notice.Column = len(line) - len(strings.TrimLeft(line, " ")) + 1
	}
	return notice
}

// checkSchema returns the violations of the schema.
func (c Chart) checkSchema(merged map[string]any) (notices []Notice) {
	if len(c.Schema) == 0 {
		return nil
	}
	if len(c.Schema) > maxNoticeSchemaBytes {
		return []Notice{{Kind: NoticeUnchecked, Text: fmt.Sprintf("values.schema.json has %d bytes", len(c.Schema))}}
	}
	err := CheckSchema(c.Schema, merged)
	violations := new(SchemaError)
	switch {
	case err == nil:
	case errors.As(err, &violations):
		for _, violation := range violations.Violations {
			notices = append(notices, Notice{Kind: NoticeSchema, Text: violation})
		}
	default:
		notices = append(notices, Notice{Kind: NoticeUnchecked, Text: err.Error()})
	}
	return notices
}

// checkInputs returns a notice for each value that an input sets as well.
func (c Chart) checkInputs(entered map[string]any) (notices []Notice) {
	for _, path := range c.Inputs {
		if len(notices) < maxUnknownKeys && hasPath(entered, strings.Split(path, ".")) {
			notices = append(notices, Notice{Kind: NoticeInput, Path: path})
		}
	}
	return notices
}

func hasPath(values map[string]any, keys []string) bool {
	value, ok := values[keys[0]]
	if !ok || len(keys) == 1 {
		return ok
	}
	below, isMap := value.(map[string]any)
	return isMap && hasPath(below, keys[1:])
}

// topLines returns the lines of the keys at the top of a YAML text.
func topLines(text []byte) map[string]int {
	lines := map[string]int{}
	var root yaml.Node
	if yaml.Unmarshal(text, &root) != nil || len(root.Content) == 0 {
		return lines
	}
	for i := 0; i+1 < len(root.Content[0].Content); i += 2 {
		key := root.Content[0].Content[i]
		lines[key.Value] = key.Line
	}
	return lines
}

// similarKey returns the known key that is most similar to a key, empty if none is similar.
func similarKey(key string, known map[string]any) string {
	best, ratio := "", minRatio
	if len(key) > maxKeyBytes {
		return best
	}
	letters, keys := strings.Split(strings.ToLower(key), ""), slices.Sorted(maps.Keys(known))
	for _, other := range keys[:min(len(keys), maxComparedKeys)] {
		if len(other) > maxKeyBytes {
			continue
		}
		if r := difflib.NewMatcher(letters, strings.Split(strings.ToLower(other), "")).Ratio(); cmp.Compare(r, ratio) > 0 {
			best, ratio = other, r
		}
	}
	return best
}
