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

// Bounds on the text of a manifest. The largest of 347 real ones has 24 kB, some
// 500 values, seven levels and no alias.
const (
	// MaxBytes bounds the text.
	MaxBytes = 1 << 20
	// maxMarks bounds the characters that begin a value in YAML. Each value takes
	// a few hundred bytes of memory, so that the size alone is no bound.
	maxValueMarkers = 100_000
	// maxValues and maxAliases bound the document with its aliases written out.
	maxValues  = 100_000
	maxAliases = 1_000
	maxDepth   = 64
	// maxProblem bounds what the parser says, as it may quote the text.
	maxErrorBytes = 300
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// parse reads the first document of the text, and says whether there are more.
// The tree may still hold aliases; written out, it is within the bounds.
func parseDocument(content []byte) (root *yaml.Node, more bool, err error) {
	if len(content) > MaxBytes {
		return nil, false, fmt.Errorf("larger than %d bytes", MaxBytes)
	}
	if countValueMarkers(content) > maxValueMarkers {
		return nil, false, fmt.Errorf("more than %d values", maxValues)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(content, byteOrderMark)))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, false, errors.New("empty")
		}
		return nil, false, errors.New(text.Truncate("not YAML: "+yamlfault.Locate(content, err).Error(), maxErrorBytes))
	}
	// A document of comments only has no content.
	if len(document.Content) == 0 {
		return nil, false, errors.New("empty")
	}
	root = document.Content[0]
	if err := (&sizeCounter{}).countNode(root, 0); err != nil {
		return nil, false, err
	}
	more = !errors.Is(decoder.Decode(&yaml.Node{}), io.EOF)
	return root, more, nil
}

// marks counts the characters of text that can begin a value, a few too many:
// most of them are part of a longer text.
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

// bounds counts the values of a tree with its aliases written out. An alias that
// contains itself ends at the bound on depth.
type sizeCounter struct {
	values, aliases int
}

func (b *sizeCounter) countNode(node *yaml.Node, depth int) error {
	b.values++
	switch {
	case depth > maxDepth:
		return fmt.Errorf("nested more than %d levels deep", maxDepth)
	case b.values > maxValues:
		return fmt.Errorf("more than %d values with aliases written out", maxValues)
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

// follow returns what an alias stands for, and any other node as it is.
func resolveAlias(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}
