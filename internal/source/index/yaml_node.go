package index

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/yamlfault"
)

// The YAML parser allocates about 200 bytes for each node, and each node needs at
// least one marker in the text. The markers are therefore counted before parsing.
const (
	maxEntryMarkers    = 50_000
	maxDocumentMarkers = 400_000
	// maxMergeDepth is the maximum nesting of merged mappings ("<<").
	maxMergeDepth = 8
)

var errNotYAML = errors.New("invalid YAML")

// anchorName matches the part of a parser error that quotes the text. The text may
// be the response of a server that the reader of the message cannot reach.
var anchorName = regexp.MustCompile(`anchor '[^']*'`)

// parseNode parses the first document of a text that has at most maxMarkers
// markers. The text begins at the line firstLine of what is read.
func parseNode(document []byte, firstLine, maxMarkers int) (*yaml.Node, error) {
	markers := 0
	for _, marker := range []string{"\n", ":", ",", "[", "{"} {
		markers += bytes.Count(document, []byte(marker))
	}
	if markers > maxMarkers {
		return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("more than %d YAML values", maxMarkers))
	}
	var node yaml.Node
	if err := yaml.Unmarshal(document, &node); err != nil {
		return nil, fmt.Errorf("%w: %s", errNotYAML, text.Truncate(anchorName.ReplaceAllString(yamlfault.Locate(document, err).Offset(firstLine).Error(), "anchor"), 200))
	}
	if len(node.Content) == 0 {
		return nil, fmt.Errorf("%w: the document is empty", errNotYAML)
	}
	return node.Content[0], nil
}

// ParseChart parses the fields of an Entry from a Chart.yaml, which has the same
// keys. Errors may be stalled with LimitExceeded.
func ParseChart(content []byte) (Entry, error) {
	node, err := parseNode(content, 1, maxEntryMarkers)
	if err != nil {
		return Entry{}, err
	}
	reader := nodeReader{remainingKeys: 2 * maxEntryMarkers}
	return reader.readEntry(node)
}

// parseEntry parses the lines of one entry, including its dash. The entry begins at
// the line firstLine of the index.
func parseEntry(chunk []byte, firstLine int) (Entry, error) {
	list, err := parseNode(chunk, firstLine, maxEntryMarkers)
	if err != nil {
		return Entry{}, fmt.Errorf("read entry: %w", err)
	}
	if list.Kind != yaml.SequenceNode || len(list.Content) != 1 {
		return Entry{}, fmt.Errorf("read entry: %w: must be one item of a list", errNotYAML)
	}
	reader := nodeReader{remainingKeys: 2 * maxEntryMarkers}
	return reader.readEntry(list.Content[0])
}

// nodeReader reads entries from parsed YAML. Aliases can make a small text
// represent a large document, so the number of keys that are read is limited.
type nodeReader struct {
	remainingKeys int
}

func (r *nodeReader) readEntry(node *yaml.Node) (Entry, error) {
	var e Entry
	var seen fieldSet
	if err := r.readMapping(&e, &seen, node, 0); err != nil {
		return Entry{}, fmt.Errorf("read entry: %w", err)
	}
	return e, nil
}

// readMapping sets the fields that are not in seen from a mapping, and then from
// the mappings that are merged into it.
func (r *nodeReader) readMapping(e *Entry, seen *fieldSet, node *yaml.Node, depth int) error {
	node = resolveAlias(node)
	if node.Kind != yaml.MappingNode {
		return errors.New("not a mapping of keys to values")
	}
	if err := r.countKeys(1 + len(node.Content)); err != nil {
		return err
	}
	var own fieldSet
	var merges []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := resolveAlias(node.Content[i]), resolveAlias(node.Content[i+1])
		if key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		f := fieldForKey(key.Value)
		if key.Kind != yaml.ScalarNode || f == noField || seen.hasField(f) {
			continue
		}
		if own.hasField(f) {
			return fmt.Errorf("key %q is given twice", key.Value)
		}
		own.addField(f)
		if err := e.setNode(f, value); err != nil {
			return fmt.Errorf("key %q: %w", key.Value, err)
		}
	}
	*seen |= own
	return r.readMerges(e, seen, merges, depth+1)
}

func (r *nodeReader) readMerges(e *Entry, seen *fieldSet, merges []*yaml.Node, depth int) error {
	if len(merges) > 0 && depth > maxMergeDepth {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("merged mappings are nested more than %d levels deep", maxMergeDepth))
	}
	for _, merged := range merges {
		mappings := []*yaml.Node{merged}
		if merged.Kind == yaml.SequenceNode {
			mappings = merged.Content
		}
		for _, mapping := range mappings {
			if err := r.readMapping(e, seen, mapping, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// countKeys returns an error if more keys were read than the limit.
func (r *nodeReader) countKeys(keys int) error {
	if r.remainingKeys -= keys; r.remainingKeys < 0 {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, errors.New("too many keys with aliases expanded"))
	}
	return nil
}

// setNode sets a field to the value of a node.
func (e *Entry) setNode(f entryField, value *yaml.Node) error {
	if f == urlsField {
		if value.Kind == yaml.SequenceNode && len(value.Content) == 0 || isNullNode(value) {
			return nil
		}
		if value.Kind != yaml.SequenceNode {
			return errors.New("must be a list")
		}
		return e.setURLs(value)
	}
	text, err := scalarText(value)
	if err != nil {
		return err
	}
	return e.setField(f, text)
}

// setURLs sets the URL from a list. An invalid URL after the one that is used is
// ignored.
func (e *Entry) setURLs(list *yaml.Node) error {
	for _, item := range list.Content {
		if e.hasURL() {
			break
		}
		text, err := scalarText(resolveAlias(item))
		if err != nil && e.URL == "" {
			return err
		}
		e.addURL(text)
	}
	return nil
}

// scalarText returns the text of a scalar as it is written, also of a number, since
// version 1.10 is not 1.1. Null is the empty string.
func scalarText(node *yaml.Node) (string, error) {
	if node.Kind != yaml.ScalarNode {
		return "", errors.New("must be a string")
	}
	if isNullNode(node) {
		return "", nil
	}
	return node.Value, nil
}

func isNullNode(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}

// resolveAlias returns the node that an alias refers to, or the node itself.
func resolveAlias(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}
