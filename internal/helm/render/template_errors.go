package render

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	// frame matches one level of the error chain of text/template, up to the action that failed.
	// The outermost level comes first.
	frame = regexp.MustCompile(`template: ([^\n]+?):(\d+)(?::\d+)?: executing "(?:[^"\\]|\\.)*" at <`)
	// positionPattern matches the form in which Helm reports a parse error and an error of required or fail.
	positionPattern = regexp.MustCompile(`(?s)^(parse|execution) error (?:at|in) \(([^\n]+?)(?::(\d+))?(?::\d+)?\): (.*)$`)
	// notYAML matches the error of Helm for a rendered document that cannot be decoded.
	notYAML = regexp.MustCompile(`(?s)^YAML parse error on ([^\n]+?): (?:error converting YAML to JSON: )?(?:yaml: )?(?:line (\d+): )?(.*)$`)
	// wrongType matches the error of Helm's decoder for a field in the metadata of an object.
	wrongType = regexp.MustCompile(`cannot unmarshal (\w+) into Go struct field \S*?(metadata\.\w+) of type string`)
	// missing matches the error of text/template for a field of a nil value.
	missing = regexp.MustCompile(`nil pointer evaluating \S.*\.(\w+)$`)
	// absent matches the error of text/template for a nil argument of a function.
	absent = regexp.MustCompile(`^(?:wrong type for|invalid) value; expected \w+(?:; got interface {})?$`)
	// value matches the path of a value inside an action.
	value = regexp.MustCompile(`\.Values(?:\.\w+)+`)
)

// explainTemplateError converts an error of Helm into one sentence that starts with the file and the line in the
// chart, such as "templates/web.yaml:12: …", and names the value to set if one is missing. A text
// of an unknown form is kept, on one line.
func explainTemplateError(chartName string, err error) error {
	text := err.Error()
	inChart := func(file string) string { return strings.TrimPrefix(file, chartName+"/") }
	if m := positionPattern.FindStringSubmatch(text); m != nil {
		return sentenceError(positionText(inChart(m[2]), m[3]) + ": " + m[4])
	}
	if m := notYAML.FindStringSubmatch(text); m != nil {
		if field := wrongType.FindStringSubmatch(m[3]); field != nil {
			return sentenceError(fmt.Sprintf("%s: %s of an object has a value that is not a string (%s); quote it", inChart(m[1]), field[2], field[1]))
		}
		where := inChart(m[1]) + ": rendered text is not YAML"
		if m[2] != "" {
			where += " at line " + m[2] + " of the document"
		}
		return sentenceError(where + ": " + m[3])
	}
	frames := frame.FindAllStringSubmatchIndex(text, -1)
	if len(frames) == 0 {
		return sentenceError(text)
	}
	return sentenceError(explainErrorChain(text, frames, inChart))
}

// explainErrorChain returns the innermost position of the chain that is in a file. It adds the outermost
// position if that is in another place, because the cause is rarely in a helper template.
func explainErrorChain(text string, frames [][]int, inChart func(string) string) string {
	at := func(frame []int) string {
		return positionText(inChart(text[frame[2]:frame[3]]), text[frame[4]:frame[5]])
	}
	last := frames[len(frames)-1]
	action, message, found := strings.Cut(text[last[1]:], ">: ")
	if !found {
		action, message = "", text[last[1]:]
	}
	inner, outer := last, frames[0]
	for i := len(frames) - 1; i >= 0; i-- {
		// Text that tpl renders has no file, only the name of the engine of Helm.
		if inner = frames[i]; strings.Contains(text[inner[2]:inner[3]], "/") {
			break
		}
	}
	said := at(inner) + ": " + message
	if inner[2] != last[2] {
		said += ", in text given to tpl"
	}
	if at(outer) != at(inner) {
		said += ", included from " + at(outer)
	}
	if path := missingValuePath(action, message); path != "" {
		said += "; give " + path
	}
	return said
}

// missingValuePath returns the path of the missing value that the action uses, or "" if it is unknown.
func missingValuePath(action, message string) string {
	paths := value.FindAllString(action, -1)
	if absent.MatchString(message) && len(paths) == 1 && strings.TrimPrefix(action, "$") == paths[0] {
		return paths[0]
	}
	m := missing.FindStringSubmatch(message)
	if m == nil {
		return ""
	}
	for _, path := range paths {
		if strings.Contains(path+".", "."+m[1]+".") {
			return path
		}
	}
	return ""
}

func positionText(file, line string) string {
	if line == "" {
		return file
	}
	return file + ":" + line
}
