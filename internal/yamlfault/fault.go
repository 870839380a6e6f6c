// Package yamlfault says in which line a YAML text is wrong, and what is wrong.
//
// The errors of go.yaml.in/yaml name the line in which the surrounding block
// begins, count from zero or from one, and use the words of a parser. For a fault in
// the third entry of a list, v3 names the line of the list. Locate returns the line
// that has to be changed, counted from one, and a sentence about it.
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

// Fault is an error about one line of a text.
type Fault struct {
	// Line counts from 1. It is 0 where the line is not known.
	Line    int
	Problem string
}

// Error returns the line, where it is known, and the problem.
func (f *Fault) Error() string {
	if f.Line == 0 {
		return f.Problem
	}
	return fmt.Sprintf("line %d: %s", f.Line, f.Problem)
}

// Below returns the fault as one of a longer text, in which the text of the fault
// begins in the given line.
func (f *Fault) Offset(first int) *Fault {
	if f.Line == 0 {
		return &Fault{Line: first, Problem: f.Problem}
	}
	return &Fault{Line: first + f.Line - 1, Problem: f.Problem}
}

// Locate returns the fault of a text that go.yaml.in/yaml, or a library on top of it,
// failed to parse with err.
func Locate(text []byte, err error) *Fault {
	line, problem := parseMessage(err)
	switch {
	case grammarProblems[problem] != "":
		// v2 names the line of the fault for an error of the grammar, counted from zero.
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

// tokenLine returns the line in which a token begins that v3 cannot read. v3 names no
// line for the first one, and the end of the text for a quote that is opened there.
func tokenLine(text []byte, problem string) int {
	line, _ := parseMessage(yaml.Unmarshal(text, &yaml.Node{}))
	if problem == unclosedQuote && line > 1+bytes.Count(bytes.TrimRight(text, "\n"), []byte("\n")) {
		return 1
	}
	return max(line, 1)
}

const unclosedQuote = "found unexpected end of stream"

// grammar are the errors of the parser, for which its line is not that of the fault.
var grammarProblems = map[string]string{
	"did not find expected key":              `a key is expected here; check the indentation and the quotes`,
	"did not find expected '-' indicator":    `a list item ("- ") is expected here; check the indentation`,
	"did not find expected ',' or ']'":       `"," or "]" is expected before this line; close the list in brackets`,
	"did not find expected ',' or '}'":       `"," or "}" is expected before this line; close the mapping in braces`,
	"did not find expected node content":     `a value is expected here`,
	"did not find expected <document start>": `a second document begins here without "---"`,
	"found undefined tag handle":             `the tag in this line is not known; put a value that begins with "!" in quotes`,
	"found incompatible YAML document":       `only YAML 1.1 and 1.2 are supported`,
	"found duplicate %YAML directive":        `the directive %YAML is given twice`,
	"found duplicate %TAG directive":         `the directive %TAG is given twice`,
}

// tokens are the errors of the scanner, for which v3 names the right line.
var tokenProblems = map[string]string{
	"mapping values are not allowed in this context":               `a second ": " in one line, or a wrong indentation; put a value that contains ": " in quotes`,
	"found character that cannot start any token":                  `a key or value cannot begin with this character; use spaces and no tab, and put a value that begins with @, % or a backquote in quotes`,
	"found a tab character that violates indentation":              `the indentation has a tab; use spaces`,
	"found a tab character where an indentation space is expected": `the indentation has a tab; use spaces`,
	"could not find expected ':'":                                  `a ":" is missing after this key`,
	"found unknown escape character":                               `the text in double quotes has a backslash with no meaning; double it, or use single quotes`,
	unclosedQuote:                                                  `the quoted text that begins here is not closed`,
	"block sequence entries are not allowed in this context":       `a list item ("- ") is not allowed here; begin the list in a line of its own`,
	"found unexpected document indicator":                          `a quoted text is not closed before the document ends here`,
	"did not find expected alphabetic or numeric character":        `an anchor or alias has no name; put a value that begins with * or & in quotes`,
}

// parseMessage returns the line that a message of the library names, 0 if it names
// none, and what it says besides.
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
	number, said, found := strings.Cut(rest, ": ")
	line, err = strconv.Atoi(number)
	if !found || err != nil {
		return 0, problem
	}
	return line, said
}

// firstUnreadableLine returns the line of the first byte that is no text.
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
