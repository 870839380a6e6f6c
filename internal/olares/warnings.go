package olares

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/appmarket/operator/internal/text"
)

// Limits of the warnings of a manifest.
const (
	maxWarnings     = 50
	maxWarningBytes = 256
	// maxCollected is the maximum number of warnings that are sorted.
	maxCollected = 1_000
)

// warnings collects the problems of a manifest while it is read: the warnings, and the first
// error of an essential value.
type warnings struct {
	list    []string
	omitted int
	err     error
}

// addWarning adds a warning, truncated and with a period at the end.
func (w *warnings) addWarning(format string, args ...any) {
	if len(w.list) == maxCollected {
		w.omitted++
		return
	}
	w.list = append(w.list, text.Truncate(fmt.Sprintf(format, args...), maxWarningBytes-1)+".")
}

// setError sets the error of the manifest, unless there is one.
func (w *warnings) setError(format string, args ...any) {
	if w.err == nil {
		w.err = errors.New(text.Truncate(fmt.Sprintf(format, args...), maxErrorBytes))
	}
}

// failOrWarn sets the error for an essential value, and adds a warning for an optional one.
func (w *warnings) failOrWarn(s severity, format string, args ...any) {
	if s == essential {
		w.setError(format, args...)
		return
	}
	w.addWarning(format+": the rest is ignored", args...)
}

// addTypeProblem adds the problem that a value has a wrong type.
func (w *warnings) addTypeProblem(at pathNode, want string, s severity) {
	if s == essential {
		w.setError("%s must be %s, but is %s", at.path, want, kindOf(at.node))
		return
	}
	w.addWarning("%s is ignored: must be %s, but is %s", at.path, want, kindOf(at.node))
}

// sortedWarnings returns the sorted warnings without duplicates. If there are more than
// maxWarnings, the last one is the number of the warnings that are omitted.
func (w *warnings) sortedWarnings() []string {
	slices.Sort(w.list)
	warnings := slices.Compact(w.list)
	if len(warnings)+w.omitted <= maxWarnings {
		return warnings
	}
	more := len(warnings) + w.omitted - (maxWarnings - 1)
	return append(warnings[:maxWarnings-1:maxWarnings-1], fmt.Sprintf("%d more warnings.", more))
}

// readScalar returns the text of a scalar as it is written, so that 1.0 is "1.0".
func (w *warnings) readScalar(at pathNode) string {
	if at.node == nil || kindOf(at.node) == kindNull {
		return ""
	}
	if at.node.Kind != yaml.ScalarNode {
		w.addTypeProblem(at, "a string", optional)
		return ""
	}
	return strings.TrimSpace(strings.Map(dropControl, at.node.Value))
}

// readTruncated returns the text of a scalar, truncated to limit bytes.
func (w *warnings) readTruncated(at pathNode, limit int) string {
	content := w.readScalar(at)
	if len(content) > limit {
		w.addWarning("%s is longer than %d bytes and is truncated", at.path, limit)
	}
	return text.Truncate(content, limit)
}

// readBounded returns the text of a scalar, or no text if it is longer than limit bytes.
func (w *warnings) readBounded(at pathNode, limit int) string {
	text := w.readScalar(at)
	if len(text) > limit {
		w.addWarning("%s is ignored: longer than %d bytes", at.path, limit)
		return ""
	}
	return text
}

// dropControl removes control characters, which a terminal would interpret.
func dropControl(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\t' {
		return -1
	}
	return r
}

// Types of values in messages.
const (
	kindMap    = "a map"
	kindList   = "a list"
	kindNumber = "a number"
	kindBool   = "a boolean"
	kindNull   = "empty"
	kindText   = "a string"
)

// kindOf returns the type of a value for messages.
func kindOf(node *yaml.Node) string {
	if node == nil {
		return kindNull
	}
	node = resolveAlias(node)
	switch node.Kind {
	case yaml.MappingNode:
		return kindMap
	case yaml.SequenceNode:
		return kindList
	}
	switch node.ShortTag() {
	case "!!int", "!!float":
		return kindNumber
	case "!!bool":
		return kindBool
	case "!!null":
		return kindNull
	}
	return kindText
}
