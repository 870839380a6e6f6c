package source

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

// What the YAML parser makes of a text costs some two hundred bytes for each
// node, and a node needs at least one of marks. So the marks are counted first.
const (
	maxEntryMarks = 50_000
	maxWholeMarks = 400_000
	// maxMerge is how deep merges of mappings ("<<") may be nested.
	maxMerge = 8
)

var errNotYAML = errors.New("not YAML")

// anchorName is what a parser quotes of a text. The text may be the answer of a server
// that whoever reads the message may not reach.
var anchorName = regexp.MustCompile(`anchor '[^']*'`)

// parseNode parses the first document of a text with at most so many marks. The text
// begins in the given line of what is read.
func parseNode(document []byte, first, marks int) (*yaml.Node, error) {
	found := 0
	for _, mark := range []string{"\n", ":", ",", "[", "{"} {
		found += bytes.Count(document, []byte(mark))
	}
	if found > marks {
		return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, errors.New("too many items to be parsed at once"))
	}
	var node yaml.Node
	if err := yaml.Unmarshal(document, &node); err != nil {
		return nil, fmt.Errorf("%w: %s", errNotYAML, text.Truncate(anchorName.ReplaceAllString(yamlfault.Locate(document, err).Below(first).Error(), "anchor"), 200))
	}
	if len(node.Content) == 0 {
		return nil, fmt.Errorf("%w: there is nothing in it", errNotYAML)
	}
	return node.Content[0], nil
}

// parseEntry reads the lines of one entry, its dash included, which begins in the
// given line.
func parseEntry(chunk []byte, first int) (entry, error) {
	list, err := parseNode(chunk, first, maxEntryMarks)
	if err != nil {
		return entry{}, fmt.Errorf("read entry: %w", err)
	}
	if list.Kind != yaml.SequenceNode || len(list.Content) != 1 {
		return entry{}, fmt.Errorf("read entry: %w: not one item of a list", errNotYAML)
	}
	reader := nodeReader{budget: 2 * maxEntryMarks}
	return reader.entry(list.Content[0])
}

// nodeReader reads entries from parsed YAML. Aliases make a small text say a lot:
// the budget bounds the keys that are looked at.
type nodeReader struct {
	budget int
}

func (r *nodeReader) entry(node *yaml.Node) (entry, error) {
	var e entry
	var seen fields
	if err := r.fill(&e, &seen, node, 0); err != nil {
		return entry{}, fmt.Errorf("read entry: %w", err)
	}
	return e, nil
}

// fill sets the fields that were not seen before from a mapping, and then from
// those that it merges in.
func (r *nodeReader) fill(e *entry, seen *fields, node *yaml.Node, depth int) error {
	node = follow(node)
	if node.Kind != yaml.MappingNode {
		return errors.New("not a mapping of keys to values")
	}
	if err := r.spend(1 + len(node.Content)); err != nil {
		return err
	}
	var here fields
	var merges []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := follow(node.Content[i]), follow(node.Content[i+1])
		if key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		f := fieldOf(key.Value)
		if key.Kind != yaml.ScalarNode || f == noField || seen.has(f) {
			continue
		}
		if here.has(f) {
			return fmt.Errorf("key %q is given twice", key.Value)
		}
		here.add(f)
		if err := e.setNode(f, value); err != nil {
			return fmt.Errorf("key %q: %w", key.Value, err)
		}
	}
	*seen |= here
	return r.merge(e, seen, merges, depth+1)
}

func (r *nodeReader) merge(e *entry, seen *fields, merges []*yaml.Node, depth int) error {
	if len(merges) > 0 && depth > maxMerge {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("mappings are merged more than %d deep", maxMerge))
	}
	for _, merged := range merges {
		parts := []*yaml.Node{merged}
		if merged.Kind == yaml.SequenceNode {
			parts = merged.Content
		}
		for _, part := range parts {
			if err := r.fill(e, seen, part, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *nodeReader) spend(keys int) error {
	if r.budget -= keys; r.budget < 0 {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, errors.New("aliases make it too large"))
	}
	return nil
}

// setNode gives a field its value.
func (e *entry) setNode(f field, value *yaml.Node) error {
	if f == urlsField {
		if value.Kind == yaml.SequenceNode && len(value.Content) == 0 || isNullNode(value) {
			return nil
		}
		if value.Kind != yaml.SequenceNode {
			return errors.New("not a list")
		}
		return e.setURLs(value)
	}
	text, err := textOf(value)
	if err != nil {
		return err
	}
	return e.set(f, text)
}

// setURLs chooses among the URLs of an entry. What is wrong with one that is not
// needed does not matter.
func (e *entry) setURLs(list *yaml.Node) error {
	for _, item := range list.Content {
		if e.hasURL() {
			break
		}
		text, err := textOf(follow(item))
		if err != nil && e.url == "" {
			return err
		}
		e.addURL(text)
	}
	return nil
}

// textOf is the text of a scalar as it is written, numbers too: version 1.10 is
// not 1.1. Null is the empty text.
func textOf(node *yaml.Node) (string, error) {
	if node.Kind != yaml.ScalarNode {
		return "", errors.New("not a text")
	}
	if isNullNode(node) {
		return "", nil
	}
	return node.Value, nil
}

func isNullNode(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}

// follow leads from an alias to what it stands for.
func follow(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}
