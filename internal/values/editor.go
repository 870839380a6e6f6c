package values

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// edit replaces the bytes in the range [from, to) with text.
type edit struct {
	from, to int
	text     string
}

// editor collects edits of a text. Line numbers start at 1, as in yaml.Node.
type editor struct {
	text    []byte
	lines   []int // offset of each line, followed by the length of the text
	newline string
	edits   []edit
}

func newEditor(text []byte) *editor {
	e := &editor{text: text, lines: []int{0}, newline: "\n"}
	for i, c := range text {
		if c == '\n' {
			e.lines = append(e.lines, i+1)
		}
	}
	if last := len(text); e.lines[len(e.lines)-1] != last {
		e.lines = append(e.lines, last)
	}
	if bytes.Contains(text, []byte("\r\n")) {
		e.newline = "\r\n"
	}
	return e
}

func (e *editor) indentText(text string, indent int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" {
			out.WriteString(strings.Repeat(" ", indent))
		}
		out.WriteString(strings.TrimSuffix(line, "\n") + e.newline)
	}
	return out.String()
}

// lastLine returns the last line of a node. end is the line after the node and the blank
// lines and comments that follow it, which belong to the next node.
func (e *editor) lastLine(node *yaml.Node, end int) int {
	leaf := node
	for len(leaf.Content) > 0 {
		leaf = leaf.Content[len(leaf.Content)-1]
	}
	inText := len(e.text)
	if leaf.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		for line := leaf.Line + 1; line < end; line++ {
			if text := e.lineText(line); strings.TrimSpace(text) != "" {
				inText = indentOf(text)
				break
			}
		}
	}
	last := min(end, len(e.lines)) - 1
	for ; last > leaf.Line; last-- {
		text := e.lineText(last)
		bare := strings.TrimSpace(text)
		if bare != "" && (bare[0] != '#' || indentOf(text) >= inText) {
			break
		}
	}
	return last
}

// afterComments returns the line after the last comment in [from, end) that is indented by
// at least indent. Such comments belong to the node above them.
func (e *editor) afterComments(from, end, indent int) int {
	for line := from; line < min(end, len(e.lines)); line++ {
		text := e.lineText(line)
		if indentOf(text) >= indent && strings.HasPrefix(strings.TrimSpace(text), "#") {
			from = line + 1
		}
	}
	return from
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// lineText returns a line including its line break.
func (e *editor) lineText(n int) string { return string(e.text[e.lineOffset(n):e.lineOffset(n+1)]) }

// lineOffset returns the offset of a line, or the length of the text for a line past the end.
func (e *editor) lineOffset(line int) int { return e.lines[min(line, len(e.lines))-1] }

// nodeOffset returns the offset of a node. Columns count characters, not bytes.
func (e *editor) nodeOffset(node *yaml.Node) int {
	column := 1
	for i := range e.lineText(node.Line) {
		if column == node.Column {
			return e.lineOffset(node.Line) + i
		}
		column++
	}
	return e.lineOffset(node.Line + 1)
}

// skipToken returns the offset after the scalar, alias or flow collection at from.
func (e *editor) skipToken(from int) int {
	depth := 0
	for i := from; i < len(e.text); i++ {
		switch c := e.text[i]; {
		case c == '"' || c == '\'':
			i = e.skipQuoted(i) - 1
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case depth == 0:
			return e.skipPlain(i)
		}
		if depth <= 0 {
			return min(i+1, len(e.text))
		}
	}
	return len(e.text)
}

// skipPlain returns the offset after a plain scalar or an alias on one line.
func (e *editor) skipPlain(from int) int {
	i := from
	for ; i < len(e.text) && e.text[i] != '\n' && e.text[i] != '\r'; i++ {
		if e.text[i] == ':' && (i+1 == len(e.text) || e.text[i+1] <= ' ') {
			break
		}
		if e.text[i] == '#' && i > from && e.text[i-1] <= ' ' {
			break
		}
	}
	return from + len(bytes.TrimRight(e.text[from:i], " \t"))
}

func (e *editor) skipQuoted(from int) int {
	quote := e.text[from]
	for i := from + 1; i < len(e.text); i++ {
		switch {
		case e.text[i] == '\\' && quote == '"':
			i++
		case e.text[i] != quote:
		case quote == '\'' && i+1 < len(e.text) && e.text[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return len(e.text)
}

func (e *editor) addEdit(from, to int, text string) {
	e.edits = append(e.edits, edit{from: from, to: to, text: text})
}

// insertLines inserts text, which consists of whole lines, before a line.
func (e *editor) insertLines(line int, text string) {
	if text != "" {
		at := e.lineOffset(line)
		e.addEdit(at, at, text)
	}
}

// applyEdits returns the text with all edits applied. Edits at the same offset keep their order
// because the edits of an inner mapping are recorded first.
func (e *editor) applyEdits() []byte {
	slices.SortStableFunc(e.edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	var out bytes.Buffer
	at := 0
	for _, change := range e.edits {
		out.Write(e.text[at:max(at, change.from)])
		if wholeLines := strings.HasSuffix(change.text, e.newline); wholeLines && change.from == len(e.text) && !endsWithNewline(out.Bytes()) {
			out.WriteString(e.newline)
		}
		out.WriteString(change.text)
		at = max(at, change.to)
	}
	out.Write(e.text[at:])
	return out.Bytes()
}

func endsWithNewline(text []byte) bool { return len(text) == 0 || text[len(text)-1] == '\n' }
