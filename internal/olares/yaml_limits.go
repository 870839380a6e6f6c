package olares

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/yamlfault"
)

// Limits of a manifest. The largest of 347 real manifests has 24 kB, about 500 values, seven
// levels and no aliases.
const (
	// MaxBytes is the maximum size of a file.
	MaxBytes = 1 << 20
	// maxValueMarkers is the maximum number of characters that begin a value in YAML. The
	// parser allocates a few hundred bytes for each value, so the size of the file alone
	// does not limit the memory that is used.
	maxValueMarkers = 100_000
	// maxValues, maxAliases and maxDepth are limits of the document with aliases expanded.
	maxValues  = 100_000
	maxAliases = 1_000
	maxDepth   = 64
	// maxErrorBytes is the maximum length of an error, because an error of the parser may
	// quote the file.
	maxErrorBytes = 300
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// parseDocument parses the first document of a file, and reports whether there are more. The
// tree may contain aliases. With its aliases expanded it is within the limits.
func parseDocument(content []byte) (root *yaml.Node, more bool, err error) {
	if len(content) > MaxBytes {
		return nil, false, fmt.Errorf("the file is larger than %d bytes", MaxBytes)
	}
	if countValueMarkers(content) > maxValueMarkers {
		return nil, false, fmt.Errorf("the file has more than %d values", maxValues)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(content, byteOrderMark)))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, false, errors.New("the file is empty")
		}
		return nil, false, errors.New(text.Truncate("invalid YAML: "+yamlfault.Locate(content, err).Error(), maxErrorBytes))
	}
	// A document that consists of comments has no content.
	if len(document.Content) == 0 {
		return nil, false, errors.New("the file is empty")
	}
	root = document.Content[0]
	if err := (&sizeCounter{}).countNode(root, 0); err != nil {
		return nil, false, err
	}
	more = !errors.Is(decoder.Decode(&yaml.Node{}), io.EOF)
	return root, more, nil
}

// countValueMarkers counts the characters that can begin a value. The result is higher than
// the number of values, because most of these characters are part of a text.
func countValueMarkers(text []byte) int {
	n := 0
	for i, c := range text {
		switch c {
		case ',', '[', '{', ':', '\n':
			n++
		case '-', '?':
			if i+1 < len(text) && (text[i+1] == ' ' || text[i+1] == '\t') {
				n++
			}
		}
	}
	return n
}

// sizeCounter counts the values of a tree with aliases expanded. An alias that contains itself
// exceeds the maximum depth.
type sizeCounter struct {
	values, aliases int
}

func (b *sizeCounter) countNode(node *yaml.Node, depth int) error {
	b.values++
	switch {
	case depth > maxDepth:
		return fmt.Errorf("nested more than %d levels deep", maxDepth)
	case b.values > maxValues:
		return fmt.Errorf("more than %d values with aliases expanded", maxValues)
	case node.Kind == yaml.AliasNode:
		if b.aliases++; b.aliases > maxAliases {
			return fmt.Errorf("more than %d aliases", maxAliases)
		}
		return b.countNode(node.Alias, depth+1)
	}
	for _, child := range node.Content {
		if err := b.countNode(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// resolveAlias returns the node that an alias refers to, or the node itself.
func resolveAlias(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}
