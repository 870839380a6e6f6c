package olares

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/appmarket/operator/internal/text"
)

// severity determines the consequence of a value with a wrong type.
type severity bool

const (
	// optional values are ignored with a warning.
	optional severity = false
	// essential values make the whole manifest invalid, because without them the app
	// would be handled incorrectly.
	essential severity = true
)

// decoder reads the fields of one mapping. It records which fields were read, and adds a
// warning for every other field at the end.
type decoder struct {
	warnings *warnings
	path     string
	keys     []string
	nodes    map[string]*yaml.Node
	known    map[string]bool
}

// pathNode is an item of a list or a value of a mapping, with its path in the document.
type pathNode struct {
	path string
	node *yaml.Node
}

// openMapping returns a decoder for a mapping, or nil if the node is not a mapping.
func (w *warnings) openMapping(at pathNode, s severity) *decoder {
	d := &decoder{warnings: w, path: at.path, nodes: map[string]*yaml.Node{}, known: map[string]bool{}}
	if kindOf(at.node) != kindMap {
		w.addTypeProblem(at, "a map", s)
		return nil
	}
	d.addEntries(resolveAlias(at.node), false)
	return d
}

// addEntries adds the entries of a mapping. Entries of a merge key do not replace existing
// entries.
func (d *decoder) addEntries(mapping *yaml.Node, merged bool) {
	var merges []*yaml.Node
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := resolveAlias(mapping.Content[i]), resolveAlias(mapping.Content[i+1])
		if key.Kind != yaml.ScalarNode {
			d.warnings.addWarning("%s has a key that is not a string and is ignored", d.displayName())
			continue
		}
		if key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		_, twice := d.nodes[key.Value]
		switch {
		case twice && merged:
			continue
		case twice:
			d.warnings.addWarning("%s is given twice: the last value is used", d.fieldPath(key.Value))
		default:
			d.keys = append(d.keys, key.Value)
		}
		d.nodes[key.Value] = value
	}
	for _, value := range merges {
		d.addMerged(value)
	}
}

// addMerged adds the entries of the value of a merge key.
func (d *decoder) addMerged(value *yaml.Node) {
	switch value.Kind {
	case yaml.MappingNode:
		d.addEntries(value, true)
	case yaml.SequenceNode:
		for _, each := range value.Content {
			if each = resolveAlias(each); each.Kind == yaml.MappingNode {
				d.addEntries(each, true)
			}
		}
	}
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_./-]{1,64}$`)

// fieldPath returns the path of a field. Unusual keys are truncated and quoted.
func (d *decoder) fieldPath(key string) string {
	if !plainKey.MatchString(key) {
		key = strconv.QuoteToASCII(text.Truncate(key, 64))
	}
	if d.path == "" {
		return key
	}
	return d.path + "." + key
}

// displayName returns the path for messages.
func (d *decoder) displayName() string {
	if d.path == "" {
		return "the manifest"
	}
	return d.path
}

// takeField returns a field. Its node is nil if the field is absent or null.
func (d *decoder) takeField(key string) pathNode {
	d.known[key] = true
	node := d.nodes[key]
	if node != nil && kindOf(node) == kindNull {
		node = nil
	}
	return pathNode{path: d.fieldPath(key), node: node}
}

// ignoreKeys prevents the warnings about fields that AppMarket does not use.
func (d *decoder) ignoreKeys(keys ...string) {
	for _, key := range keys {
		d.known[key] = true
	}
}

// warnUnknownKeys adds a warning for each field that was not read.
func (d *decoder) warnUnknownKeys() {
	for _, key := range d.keys {
		if !d.known[key] {
			d.warnings.addWarning("%s is not a known field", d.fieldPath(key))
		}
	}
}

// truncatedText returns a string, truncated to limit bytes.
func (d *decoder) truncatedText(key string, limit int) string {
	return d.warnings.readTruncated(d.takeField(key), limit)
}

// boundedText returns a string whose meaning would change if it was truncated. The string
// is ignored if it is longer than limit bytes.
func (d *decoder) boundedText(key string, limit int) string {
	return d.warnings.readBounded(d.takeField(key), limit)
}

// choiceField returns one of several words. Any other word is ignored.
func (d *decoder) choiceField(key string, words ...string) string {
	at := d.takeField(key)
	text := strings.ToLower(d.warnings.readBounded(at, maxLine))
	for _, word := range words {
		if text == word {
			return word
		}
	}
	if text != "" {
		d.warnings.addWarning("%s is ignored: must be one of %s", at.path, strings.Join(words, ", "))
	}
	return ""
}

// boolField returns a boolean, which may also be written as a string.
func (d *decoder) boolField(key string) bool {
	at := d.takeField(key)
	if at.node == nil {
		return false
	}
	if at.node.Kind == yaml.ScalarNode {
		switch strings.ToLower(at.node.Value) {
		case "true", "yes", "on":
			return true
		case "false", "no", "off", "":
			return false
		}
	}
	d.warnings.addTypeProblem(at, "a boolean", optional)
	return false
}

// integerField returns an integer from zero to limit, which may also be written as a string.
func (d *decoder) integerField(key string, limit int32) int32 {
	value, _ := d.warnings.readInteger(d.takeField(key), limit)
	return value
}

// mappingField returns a decoder for a field. The decoder has no entries if the field is
// absent or not a mapping.
func (d *decoder) mappingField(key string, s severity) *decoder {
	at := d.takeField(key)
	if at.node != nil {
		if opened := d.warnings.openMapping(at, s); opened != nil {
			return opened
		}
	}
	return &decoder{warnings: d.warnings, path: at.path, known: map[string]bool{}}
}

// listItems returns the items of a list. The manifest is invalid if an essential list has
// more than limit items; further items of an optional list are ignored.
func (d *decoder) listItems(key string, limit int, s severity) []pathNode {
	at := d.takeField(key)
	if at.node == nil {
		return nil
	}
	if at.node.Kind != yaml.SequenceNode {
		d.warnings.addTypeProblem(at, "a list", s)
		return nil
	}
	nodes := at.node.Content
	if len(nodes) > limit {
		d.warnings.failOrWarn(s, "%s has more than %d entries", at.path, limit)
		nodes = nodes[:limit]
	}
	items := make([]pathNode, len(nodes))
	for i, node := range nodes {
		items[i] = pathNode{path: fmt.Sprintf("%s[%d]", at.path, i), node: resolveAlias(node)}
	}
	return items
}

// textList returns the strings of a list that are not empty and not longer than length bytes.
func (d *decoder) textList(key string, limit, length int) []string {
	var texts []string
	for _, each := range d.listItems(key, limit, optional) {
		if text := d.warnings.readBounded(each, length); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// readInteger returns an integer from zero to limit, and reports whether there is one.
func (w *warnings) readInteger(at pathNode, limit int32) (int32, bool) {
	if at.node == nil {
		return 0, false
	}
	if at.node.Kind != yaml.ScalarNode {
		w.addTypeProblem(at, "an integer", optional)
		return 0, false
	}
	value, err := strconv.ParseFloat(strings.TrimSpace(at.node.Value), 64)
	if err != nil || value != math.Trunc(value) {
		w.addTypeProblem(at, "an integer", optional)
		return 0, false
	}
	if value < 0 || value > float64(limit) {
		w.addWarning("%s is ignored: must be between 0 and %d", at.path, limit)
		return 0, false
	}
	return int32(value), true
}
