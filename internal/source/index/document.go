package index

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// maxDocumentKeys is the maximum number of keys that are read in an index that is
// parsed as a whole, including the keys that aliases repeat.
const maxDocumentKeys = 4_000_000

// readDocument parses an index as a whole, in any layout.
func readDocument(content []byte, collector Collector) error {
	root, err := parseNode(content, 1, maxDocumentMarkers)
	if err != nil {
		return invalidIndexError(err)
	}
	if root.Kind != yaml.MappingNode {
		return invalidIndexError(errors.New("not a mapping of keys to values"))
	}
	version, entries := valueOfKey(root, "apiVersion"), valueOfKey(root, "entries")
	if version == nil || entries == nil {
		return invalidIndexError(errNotIndex)
	}
	if text, err := scalarText(version); err != nil || text == "" {
		return invalidIndexError(errNotIndex)
	}
	if entries.Kind != yaml.MappingNode && !isNullNode(entries) {
		return invalidIndexError(errors.New("entries must be a mapping of app names to lists"))
	}
	reader := nodeReader{remainingKeys: maxDocumentKeys}
	for i := 0; i+1 < len(entries.Content); i += 2 {
		if err := reader.readApp(collector, resolveAlias(entries.Content[i]).Value, resolveAlias(entries.Content[i+1])); err != nil {
			return invalidIndexError(err)
		}
	}
	return nil
}

// readApp reads the entries of one app.
func (r *nodeReader) readApp(collector Collector, name string, entries *yaml.Node) error {
	if err := r.countKeys(1); err != nil {
		return err
	}
	if !collector.Wants(name) || isNullNode(entries) {
		return nil
	}
	if entries.Kind != yaml.SequenceNode {
		collector.Skip(name, errors.New("the entries of the app must be a list"))
		return nil
	}
	for _, node := range entries.Content {
		if err := r.countKeys(1); err != nil {
			return err
		}
		entry, err := r.readEntry(node)
		if err != nil {
			collector.Skip(name, err)
			continue
		}
		if err := collector.Add(name, entry); err != nil {
			return err
		}
	}
	return nil
}

// valueOfKey returns the value of a key of a mapping, or nil if there is none.
func valueOfKey(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return resolveAlias(mapping.Content[i+1])
		}
	}
	return nil
}

// invalidIndexError returns a stalled error, with InvalidIndex if err has no reason.
func invalidIndexError(err error) error {
	return outcome.Stalled(outcome.Reason(err, v1alpha1.ReasonInvalidIndex), fmt.Errorf("read index: %w", err))
}
