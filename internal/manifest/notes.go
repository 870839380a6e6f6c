package manifest

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
	maxNoted = 1_000
)

// notes collects what is wrong with a manifest while it is read: the warnings,
// and the first error of something essential.
type notes struct {
	warnings []string
	beyond   int
	err      error
}

func (n *notes) warn(format string, args ...any) {
	if len(n.warnings) == maxNoted {
		n.beyond++
		return
	}
	n.warnings = append(n.warnings, text.Truncate(fmt.Sprintf(format, args...), maxWarningBytes-1)+".")
}

func (n *notes) fail(format string, args ...any) {
	if n.err == nil {
		n.err = errors.New(text.Truncate(fmt.Sprintf(format, args...), maxProblem))
	}
}

// note fails for what is essential and otherwise warns.
func (n *notes) note(w weight, format string, args ...any) {
	if w == essential {
		n.fail(format, args...)
		return
	}
	n.warn(format+"; the rest was left out", args...)
}

func (n *notes) mistyped(at item, want string, w weight) {
	if w == essential {
		n.fail("%s must be %s and is %s", at.path, want, kindOf(at.node))
		return
	}
	n.warn("%s must be %s, is %s and was left out", at.path, want, kindOf(at.node))
}

// sorted are the warnings, each once, at most maxWarnings of them; the last one
// then says how many were left out.
func (n *notes) sorted() []string {
	slices.Sort(n.warnings)
	warnings := slices.Compact(n.warnings)
	if len(warnings)+n.beyond <= maxWarnings {
		return warnings
	}
	more := len(warnings) + n.beyond - (maxWarnings - 1)
	return append(warnings[:maxWarnings-1:maxWarnings-1], fmt.Sprintf("%d more warnings were left out.", more))
}

// scalar is the text of a scalar as it is written, so that 1.0 stays "1.0".
func (n *notes) scalar(at item) string {
	if at.node == nil || kindOf(at.node) == kindNull {
		return ""
	}
	if at.node.Kind != yaml.ScalarNode {
		n.mistyped(at, "text", optional)
		return ""
	}
	return strings.TrimSpace(strings.Map(printable, at.node.Value))
}

func (n *notes) prose(at item, limit int) string {
	said := n.scalar(at)
	if len(said) > limit {
		n.warn("%s is longer than %d bytes and was cut", at.path, limit)
	}
	return text.Truncate(said, limit)
}

func (n *notes) exact(at item, limit int) string {
	text := n.scalar(at)
	if len(text) > limit {
		n.warn("%s is longer than %d bytes and was left out", at.path, limit)
		return ""
	}
	return text
}

// printable drops control characters, which a terminal would obey.
func printable(r rune) rune {
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
	node = follow(node)
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
