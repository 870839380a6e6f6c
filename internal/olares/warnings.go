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

// Bounds on what is said about a manifest.
const (
	maxWarnings     = 50
	maxWarningBytes = 256
	// maxNoted bounds what is collected before the sorted list is cut.
	maxCollected = 1_000
)

// notes collects what is wrong with a manifest while it is read: the warnings,
// and the first error of something essential.
type warnings struct {
	list    []string
	omitted int
	err     error
}

func (n *warnings) addWarning(format string, args ...any) {
	if len(n.list) == maxCollected {
		n.omitted++
		return
	}
	n.list = append(n.list, text.Truncate(fmt.Sprintf(format, args...), maxWarningBytes-1)+".")
}

func (n *warnings) setError(format string, args ...any) {
	if n.err == nil {
		n.err = errors.New(text.Truncate(fmt.Sprintf(format, args...), maxErrorBytes))
	}
}

// note fails for what is essential and otherwise warns.
func (n *warnings) failOrWarn(w severity, format string, args ...any) {
	if w == essential {
		n.setError(format, args...)
		return
	}
	n.addWarning(format+"; the rest was left out", args...)
}

func (n *warnings) addTypeProblem(at pathNode, want string, w severity) {
	if w == essential {
		n.setError("%s must be %s and is %s", at.path, want, kindOf(at.node))
		return
	}
	n.addWarning("%s must be %s, is %s and was left out", at.path, want, kindOf(at.node))
}

// sorted are the warnings, each once, at most maxWarnings of them; the last one
// then says how many were left out.
func (n *warnings) sortedWarnings() []string {
	slices.Sort(n.list)
	warnings := slices.Compact(n.list)
	if len(warnings)+n.omitted <= maxWarnings {
		return warnings
	}
	more := len(warnings) + n.omitted - (maxWarnings - 1)
	return append(warnings[:maxWarnings-1:maxWarnings-1], fmt.Sprintf("%d more warnings were left out.", more))
}

// scalar is the text of a scalar as it is written, so that 1.0 stays "1.0".
func (n *warnings) readScalar(at pathNode) string {
	if at.node == nil || kindOf(at.node) == kindNull {
		return ""
	}
	if at.node.Kind != yaml.ScalarNode {
		n.addTypeProblem(at, "text", optional)
		return ""
	}
	return strings.TrimSpace(strings.Map(dropControl, at.node.Value))
}

func (n *warnings) readTruncated(at pathNode, limit int) string {
	said := n.readScalar(at)
	if len(said) > limit {
		n.addWarning("%s is longer than %d bytes and was cut", at.path, limit)
	}
	return text.Truncate(said, limit)
}

func (n *warnings) readBounded(at pathNode, limit int) string {
	text := n.readScalar(at)
	if len(text) > limit {
		n.addWarning("%s is longer than %d bytes and was left out", at.path, limit)
		return ""
	}
	return text
}

// printable drops control characters, which a terminal would obey.
func dropControl(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\t' {
		return -1
	}
	return r
}

// Kinds of values, in the words of a message.
const (
	kindMap    = "a map"
	kindList   = "a list"
	kindNumber = "a number"
	kindBool   = "true or false"
	kindNull   = "empty"
	kindText   = "text"
)

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
