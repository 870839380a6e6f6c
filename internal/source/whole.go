package source

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// maxWholeKeys bounds the keys that are looked at in an index that is parsed at
// once, those that aliases repeat included.
const maxWholeKeys = 4_000_000

// readWhole reads an index that is small enough to be parsed at once, in whatever
// style it is written.
func readWhole(text []byte, shelf *shelf) error {
	root, err := parseNode(text, 1, maxWholeMarks)
	if err != nil {
		return invalidIndex(err)
	}
	if root.Kind != yaml.MappingNode {
		return invalidIndex(errors.New("not a mapping"))
	}
	version, entries := lookUp(root, "apiVersion"), lookUp(root, "entries")
	if version == nil || entries == nil {
		return invalidIndex(errNotIndex)
	}
	if text, err := textOf(version); err != nil || text == "" {
		return invalidIndex(errNotIndex)
	}
	if entries.Kind != yaml.MappingNode && !isNullNode(entries) {
		return invalidIndex(errors.New("entries is not a mapping of names to versions"))
	}
	reader := nodeReader{budget: maxWholeKeys}
	for i := 0; i+1 < len(entries.Content); i += 2 {
		if err := reader.app(shelf, follow(entries.Content[i]).Value, follow(entries.Content[i+1])); err != nil {
			return invalidIndex(err)
		}
	}
	return nil
}

// app takes in the versions of one app.
func (r *nodeReader) app(shelf *shelf, name string, versions *yaml.Node) error {
	if err := r.spend(1); err != nil {
		return err
	}
	if !shelf.wants(name) || isNullNode(versions) {
		return nil
	}
	if versions.Kind != yaml.SequenceNode {
		shelf.skip(name, shelf.reason, errors.New("its versions are not a list"))
		return nil
	}
	for _, version := range versions.Content {
		if err := r.spend(1); err != nil {
			return err
		}
		e, err := r.entry(version)
		if err != nil {
			shelf.skip(name, outcome.Reason(err, shelf.reason), err)
			continue
		}
		if err := shelf.add(name, e); err != nil {
			return err
		}
	}
	return nil
}

// lookUp is the value of a key of a mapping, nil if it has none.
func lookUp(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return follow(mapping.Content[i+1])
		}
	}
	return nil
}

// invalidIndex marks an error as one that only the source can mend, unless it was
// marked before.
func invalidIndex(err error) error {
	return outcome.Stalled(outcome.Reason(err, v1alpha1.ReasonInvalidIndex), fmt.Errorf("read index: %w", err))
}
