// Package yamlfault locates errors in YAML texts and describes them.
//
// The errors of go.yaml.in/yaml contain the line of the surrounding block, count lines from
// zero or from one, and describe the state of the parser. For an error in the third entry of a
// list, v3 reports the line of the list. Locate returns the line to change, counted from one,
// and a description.
package yamlfault

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	yamlv2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"
)

// Fault is an error in one line of a text.
type Fault struct {
	// Line counts from 1. It is 0 if the line is unknown.
	Line    int
	Problem string
}

// Error returns the line, if it is known, and the problem.
func (f *Fault) Error() string {
	if f.Line == 0 {
		return f.Problem
	}
	return fmt.Sprintf("line %d: %s", f.Line, f.Problem)
}

// Offset returns the fault for a longer text in which the text of the fault begins at the given
// line.
func (f *Fault) Offset(first int) *Fault {
	if f.Line == 0 {
		return &Fault{Line: first, Problem: f.Problem}
	}
	return &Fault{Line: first + f.Line - 1, Problem: f.Problem}
}

// Locate returns the fault of a text for which go.yaml.in/yaml, or a library based on it,
// returned err.
func Locate(text []byte, err error) *Fault {
	line, problem := parseMessage(err)
	switch {
	case grammarProblems[problem] != "":
		// For grammar errors, v2 reports the line of the fault, counted from zero.
		if zeroBased, same := parseMessage(yamlv2.Unmarshal(text, &struct{}{})); same == problem {
			line = zeroBased + 1
		}
		return &Fault{Line: line, Problem: grammarProblems[problem]}
	case tokenProblems[problem] != "":
		return &Fault{Line: tokenLine(text, problem), Problem: tokenProblems[problem]}
	case strings.Contains(problem, "UTF-8") || strings.Contains(problem, "control characters"):
		line = firstUnreadableLine(text)
	}
	return &Fault{Line: line, Problem: problem}
}

// tokenLine returns the line of a token that v3 cannot read. v3 reports no line for the first
// line, and the end of the text for a quote that is opened in the first line.
func tokenLine(text []byte, problem string) int {
	line, _ := parseMessage(yaml.Unmarshal(text, &yaml.Node{}))
	if problem == unclosedQuote && line > 1+bytes.Count(bytes.TrimRight(text, "\n"), []byte("\n")) {
		return 1
	}
	return max(line, 1)
}

const unclosedQuote = "found unexpected end of stream"

// grammarProblems are the errors of the parser, whose line is not the line of the fault.
var grammarProblems = map[string]string{
	"did not find expected key":              `a key is expected here; check the indentation and the quotes`,
	"did not find expected '-' indicator":    `a list item ("- ") is expected here; check the indentation`,
	"did not find expected ',' or ']'":       `"," or "]" is expected before this line; close the list in brackets`,
	"did not find expected ',' or '}'":       `"," or "}" is expected before this line; close the mapping in braces`,
	"did not find expected node content":     `a value is expected here; add one or remove the line`,
	"did not find expected <document start>": `a second document begins here without "---"`,
	"found undefined tag handle":             `the tag in this line is unknown; put a value that begins with "!" in quotes`,
	"found incompatible YAML document":       `only YAML 1.1 and 1.2 are supported`,
	"found duplicate %YAML directive":        `the directive %YAML occurs twice; remove one`,
	"found duplicate %TAG directive":         `the directive %TAG occurs twice; remove one`,
}

// tokenProblems are the errors of the scanner, whose line in v3 is the line of the fault.
var tokenProblems = map[string]string{
	"mapping values are not allowed in this context":               `the line has a second ": ", or its indentation is wrong; put a value that contains ": " in quotes`,
	"found character that cannot start any token":                  `a key or value cannot begin with this character; use spaces instead of tabs, and put a value that begins with @, % or a backquote in quotes`,
	"found a tab character that violates indentation":              `the indentation contains a tab; use spaces`,
	"found a tab character where an indentation space is expected": `the indentation contains a tab; use spaces`,
	"could not find expected ':'":                                  `a ":" is missing after this key`,
	"found unknown escape character":                               `the text in double quotes contains an unknown escape sequence; double the backslash, or use single quotes`,
	unclosedQuote:                                                  `the quoted text that begins here is not closed; add the closing quote`,
	"block sequence entries are not allowed in this context":       `a list item ("- ") is not allowed here; begin the list on a separate line`,
	"found unexpected document indicator":                          `a quoted text is not closed before the end of the document; add the closing quote`,
	"did not find expected alphabetic or numeric character":        `an anchor or alias has no name; put a value that begins with * or & in quotes`,
}

// parseMessage returns the line number in an error message of the library, 0 if there is none,
// and the rest of the message.
func parseMessage(err error) (line int, problem string) {
	if err == nil {
		return 0, ""
	}
	_, problem, found := strings.Cut(err.Error(), "yaml: ")
	if !found {
		problem = err.Error()
	}
	rest, numbered := strings.CutPrefix(problem, "line ")
	if !numbered {
		return 0, problem
	}
	number, message, found := strings.Cut(rest, ": ")
	line, err = strconv.Atoi(number)
	if !found || err != nil {
		return 0, problem
	}
	return line, message
}

// firstUnreadableLine returns the line of the first byte that is not valid text.
func firstUnreadableLine(text []byte) int {
	line := 1
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == '\n':
			line++
		case r == utf8.RuneError && size == 1, r < ' ' && r != '\t' && r != '\r', r == 0x7f, r > 0x7f && r < 0xa0 && r != 0x85:
			return line
		}
		text = text[size:]
	}
	return 0
}
