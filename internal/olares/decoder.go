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

// weight says what follows when a value has the wrong type.
type severity bool

const (
	// optional values are left out with a warning.
	optional severity = false
	// essential values fail the manifest: without them the app would be handled
	// as another than it is.
	essential severity = true
)

// fields are the entries of one mapping. Taking an entry makes it known; what
// nobody took is a warning in the end.
type decoder struct {
	warnings *warnings
	path     string
	keys     []string
	nodes    map[string]*yaml.Node
	known    map[string]bool
}

// item is one entry of a list, or one value of a mapping.
type pathNode struct {
	path string
	node *yaml.Node
}

// open reads a mapping. The result is nil if the node is something else.
func (n *warnings) openMapping(at pathNode, w severity) *decoder {
	f := &decoder{warnings: n, path: at.path, nodes: map[string]*yaml.Node{}, known: map[string]bool{}}
	if kindOf(at.node) != kindMap {
		n.addTypeProblem(at, "a map", w)
		return nil
	}
	f.addEntries(resolveAlias(at.node), false)
	return f
}

// add takes in the entries of a mapping. Entries that come by a merge key do not
// replace those that are there.
func (f *decoder) addEntries(mapping *yaml.Node, merged bool) {
	var merges []*yaml.Node
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := resolveAlias(mapping.Content[i]), resolveAlias(mapping.Content[i+1])
		if key.Kind != yaml.ScalarNode {
			f.warnings.addWarning("%s has a key that is not text", f.displayName())
			continue
		}
		if key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		_, twice := f.nodes[key.Value]
		switch {
		case twice && merged:
			continue
		case twice:
			f.warnings.addWarning("%s is given twice and the last one counts", f.fieldPath(key.Value))
		default:
			f.keys = append(f.keys, key.Value)
		}
		f.nodes[key.Value] = value
	}
	for _, value := range merges {
		f.addMerged(value)
	}
}

func (f *decoder) addMerged(value *yaml.Node) {
	switch value.Kind {
	case yaml.MappingNode:
		f.addEntries(value, true)
	case yaml.SequenceNode:
		for _, each := range value.Content {
			if each = resolveAlias(each); each.Kind == yaml.MappingNode {
				f.addEntries(each, true)
			}
		}
	}
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_./-]{1,64}$`)

// at is the path of an entry, bounded and with unusual keys quoted.
func (f *decoder) fieldPath(key string) string {
	if !plainKey.MatchString(key) {
		key = strconv.QuoteToASCII(text.Truncate(key, 64))
	}
	if f.path == "" {
		return key
	}
	return f.path + "." + key
}

func (f *decoder) displayName() string {
	if f.path == "" {
		return "the manifest"
	}
	return f.path
}

// take returns an entry; its node is nil if the entry is absent or null.
func (f *decoder) takeField(key string) pathNode {
	f.known[key] = true
	node := f.nodes[key]
	if node != nil && kindOf(node) == kindNull {
		node = nil
	}
	return pathNode{path: f.fieldPath(key), node: node}
}

// skip makes entries known that AppMarket has no use for.
func (f *decoder) ignoreKeys(keys ...string) {
	for _, key := range keys {
		f.known[key] = true
	}
}

// done lists the entries that nobody took.
func (f *decoder) warnUnknownKeys() {
	for _, key := range f.keys {
		if !f.known[key] {
			f.warnings.addWarning("%s is not a known field", f.fieldPath(key))
		}
	}
}

// prose is a text that is cut at limit bytes.
func (f *decoder) truncatedText(key string, limit int) string {
	return f.warnings.readTruncated(f.takeField(key), limit)
}

// exact is a text that would mean something else if it were cut: it is left out
// if it is longer than limit bytes.
func (f *decoder) boundedText(key string, limit int) string {
	return f.warnings.readBounded(f.takeField(key), limit)
}

// choice is one of a few words; another word is left out.
func (f *decoder) choiceField(key string, words ...string) string {
	at := f.takeField(key)
	text := strings.ToLower(f.warnings.readBounded(at, maxLine))
	for _, word := range words {
		if text == word {
			return word
		}
	}
	if text != "" {
		f.warnings.addWarning("%s is none of %s and was left out", at.path, strings.Join(words, ", "))
	}
	return ""
}

// flag is a boolean; also as text, as some write it.
func (f *decoder) boolField(key string) bool {
	at := f.takeField(key)
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
	f.warnings.addTypeProblem(at, "true or false", optional)
	return false
}

// number is a whole number from zero to limit; also as text.
func (f *decoder) integerField(key string, limit int32) int32 {
	value, _ := f.warnings.readInteger(f.takeField(key), limit)
	return value
}

// mapping opens an entry. It is empty if the entry is absent or something else.
func (f *decoder) mappingField(key string, w severity) *decoder {
	at := f.takeField(key)
	if at.node != nil {
		if opened := f.warnings.openMapping(at, w); opened != nil {
			return opened
		}
	}
	return &decoder{warnings: f.warnings, path: at.path, known: map[string]bool{}}
}

// list returns at most limit items of an entry. More than that in an essential
// list fail the manifest.
func (f *decoder) listItems(key string, limit int, w severity) []pathNode {
	at := f.takeField(key)
	if at.node == nil {
		return nil
	}
	if at.node.Kind != yaml.SequenceNode {
		f.warnings.addTypeProblem(at, "a list", w)
		return nil
	}
	nodes := at.node.Content
	if len(nodes) > limit {
		f.warnings.failOrWarn(w, "%s has more than %d entries", at.path, limit)
		nodes = nodes[:limit]
	}
	items := make([]pathNode, len(nodes))
	for i, node := range nodes {
		items[i] = pathNode{path: fmt.Sprintf("%s[%d]", at.path, i), node: resolveAlias(node)}
	}
	return items
}

// texts is a list of texts of at most length bytes each, without empty ones.
func (f *decoder) textList(key string, limit, length int) []string {
	var texts []string
	for _, each := range f.listItems(key, limit, optional) {
		if text := f.warnings.readBounded(each, length); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

func (n *warnings) readInteger(at pathNode, limit int32) (int32, bool) {
	if at.node == nil {
		return 0, false
	}
	if at.node.Kind != yaml.ScalarNode {
		n.addTypeProblem(at, "a whole number", optional)
		return 0, false
	}
	value, err := strconv.ParseFloat(strings.TrimSpace(at.node.Value), 64)
	if err != nil || value != math.Trunc(value) {
		n.addTypeProblem(at, "a whole number", optional)
		return 0, false
	}
	if value < 0 || value > float64(limit) {
		n.addWarning("%s is not between 0 and %d and was left out", at.path, limit)
		return 0, false
	}
	return int32(value), true
}
