package objects

import "strings"

// SplitDocuments splits a YAML text into documents. It is equivalent to SplitManifests of Helm, whose
// regular expression takes most of the time of rendering a chart. Like Helm, it does not recognize
// block scalars that contain a separator.
func SplitDocuments(text string) []string {
	const separator, space = "---", " \t\n\f\r"
	text = strings.TrimSpace(text)
	if rest, ok := strings.CutPrefix(text, separator); ok {
		text = strings.TrimLeft(rest, space)
	}
	var documents []string
	for more := true; more; {
		var document string
		document, text, more = strings.Cut(text, "\n"+separator)
		text = strings.TrimLeft(text, space)
		if document = strings.TrimSpace(document); document != "" {
			documents = append(documents, document)
		}
	}
	return documents
}

// IsEmptyDocument reports whether a document is empty or contains only comments, for example because
// the condition of a template is false.
func IsEmptyDocument(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}
