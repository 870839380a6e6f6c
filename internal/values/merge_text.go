package values

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

// editValues merges params into a text with the values base by editing the text. It
// supports the usual layouts of YAML and returns false for all others. The end of a value
// is found by a heuristic, so the caller must verify the result.
func editValues(text []byte, base, params map[string]any) ([]byte, bool) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, false
	}
	e := newEditor(text)
	switch {
	case len(root.Content) == 0 || root.Content[0].Tag == "!!null":
		if !e.addPairs(len(e.lines), 0, MergeMaps(nil, params)) {
			return nil, false
		}
	case root.Content[0].Kind != yaml.MappingNode || root.Content[0].Style&yaml.FlowStyle != 0:
		return nil, false
	case !e.mergeMapping(root.Content[0], len(e.lines), base, params):
		return nil, false
	}
	return e.applyEdits(), true
}

// mergeMapping edits a mapping in block style. end is the line after the mapping.
func (e *editor) mergeMapping(mapping *yaml.Node, end int, base, params map[string]any) bool {
	pairs := pairsOf(mapping, end)
	added := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(params)) {
		pair, exists := pairs[key]
		_, inherited := base[key]
		switch want := mergedValue(base[key], params[key]); {
		case want == nil && !exists && inherited:
			return false // The key comes from a merge key, so there is no pair to remove.
		case want == nil && !exists:
		case exists:
			if !e.changePair(pair, base[key], params[key], want) {
				return false
			}
		default:
			added[key] = want
		}
	}
	indent := mapping.Content[0].Column - 1
	return e.addPairs(e.afterComments(e.lastLine(mapping, end)+1, end, indent), indent, added)
}

// mergedValue returns the result of merging a parameter into a value.
func mergedValue(old, param any) any {
	if below, isMap := param.(map[string]any); isMap {
		values, _ := old.(map[string]any)
		return MergeMaps(values, below)
	}
	return param
}

// changePair sets the value of a pair to want. It edits inside the value where possible.
func (e *editor) changePair(p pair, old, param, want any) bool {
	below, isMap := param.(map[string]any)
	values, wasMap := old.(map[string]any)
	switch {
	case want == nil:
		e.removePair(p)
		return true
	case hasSameValues(want, old):
		return true
	case isMap && wasMap && isEditable(p.value, want):
		return e.mergeMapping(p.value, p.end, values, below)
	}
	return e.replaceValue(p, want)
}

// isEditable reports whether a value can be edited in place: it is in block style, and at
// least one of its keys remains.
func isEditable(value *yaml.Node, want any) bool {
	left, _ := want.(map[string]any)
	return value.Kind == yaml.MappingNode && value.Style&yaml.FlowStyle == 0 && len(left) > 0
}

// pair is a key with its value. end is the line after the value.
type pair struct {
	key, value *yaml.Node
	end        int
}

// pairsOf returns the pairs of a mapping. end is the line after the mapping. The last of
// equal keys counts, as in Helm.
func pairsOf(mapping *yaml.Node, end int) map[string]pair {
	pairs := make(map[string]pair, len(mapping.Content)/2)
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		next := end
		if i+2 < len(mapping.Content) {
			next = mapping.Content[i+2].Line
		}
		key := mapping.Content[i]
		pairs[keyText(key)] = pair{key: key, value: mapping.Content[i+1], end: next}
	}
	return pairs
}

// keyText returns the text of a key in decoded values: a key such as 010 or yes is not a string in YAML.
func keyText(key *yaml.Node) string {
	if key.Kind != yaml.ScalarNode || key.Style != 0 || isWord(key.Value) {
		return key.Value
	}
	decoded := map[string]any{}
	if sigsyaml.Unmarshal([]byte(key.Value+": 0"), &decoded) == nil {
		for text := range decoded {
			return text
		}
	}
	return key.Value
}

// isWord reports whether a plain scalar is certainly a string: it begins with a letter, and is longer than false, the
// longest of the words with another type.
func isWord(text string) bool {
	return len(text) > len("false") && (text[0]|0x20 >= 'a' && text[0]|0x20 <= 'z')
}

// removePair removes a pair with the comments inside it. The comments above it are kept.
func (e *editor) removePair(p pair) {
	after := e.afterComments(e.lastLine(p.value, p.end)+1, p.end, p.key.Column)
	e.addEdit(e.lineOffset(p.key.Line), e.lineOffset(after), "")
}

// replaceValue sets the value of a pair and keeps the trailing comment.
func (e *editor) replaceValue(p pair, want any) bool {
	head, block, ok := e.toYAML(want, p.key.Column-1)
	if !ok {
		return false
	}
	colon := e.skipToken(e.nodeOffset(p.key))
	for colon < len(e.text) && e.text[colon] == ' ' {
		colon++
	}
	if colon == len(e.text) || e.text[colon] != ':' {
		return false
	}
	start, last := colon+1, e.lastLine(p.value, p.end)
	switch value := p.value; {
	case value.Kind == yaml.ScalarNode && value.Value == "" && value.Style == 0 && value.Anchor == "":
		e.addEdit(start, start, head)
		last = p.key.Line
	case isMultiline(value, last):
		e.addEdit(start, e.lineOffset(last+1), head+e.newline)
	case value.Line > p.key.Line:
		e.addEdit(start, start, head)
		e.addEdit(e.lineOffset(p.key.Line+1), e.lineOffset(last+1), "")
	default:
		stop := e.skipToken(e.nodeOffset(value))
		e.addEdit(start, stop, head)
		last, _ = slices.BinarySearch(e.lines, stop)
	}
	e.insertLines(last+1, block)
	return true
}

// isMultiline reports whether a value is a block scalar or a plain scalar of several lines. The
// end of such a value can only be found by its last line.
func isMultiline(value *yaml.Node, last int) bool {
	return value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 ||
		value.Kind == yaml.ScalarNode && value.Style == 0 && last > value.Line
}

// addPairs inserts pairs before a line.
func (e *editor) addPairs(line, indent int, added map[string]any) bool {
	for _, key := range slices.Sorted(maps.Keys(added)) {
		text, err := sigsyaml.Marshal(map[string]any{key: added[key]})
		if err != nil {
			return false
		}
		e.insertLines(line, e.indentText(string(text), indent))
	}
	return true
}

// toYAML returns a value as YAML: the text after the colon of its key, and the lines below.
func (e *editor) toYAML(value any, indent int) (head, block string, ok bool) {
	text, err := sigsyaml.Marshal(map[string]any{"k": value})
	if err != nil {
		return "", "", false
	}
	head, block, _ = strings.Cut(strings.TrimPrefix(string(text), "k:"), "\n")
	return head, e.indentText(block, indent), true
}
