package yamlbounds

import (
	"bytes"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// Bounds on YAML, beside that on its length. A parser spends some 150 bytes of
// memory on a node, and a node needs at least one of the marks that are counted;
// an alias stands for what it repeats.
const (
	maxYAMLMarks    = 1 << 19
	maxYAMLExpanded = 16 << 20
)

// checkYAML says whether a text is cheap enough to be decoded. It does not say
// whether the text is right. Its errors are stalled with LimitExceeded.
func Check(text []byte, maxBytes int) error {
	if len(text) > maxBytes {
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "%d bytes of YAML, at most %d are allowed", len(text), maxBytes)
	}
	marks := 0
	for _, mark := range []string{"\n", ":", ",", "[", "{", "-", "?"} {
		marks += bytes.Count(text, []byte(mark))
	}
	if marks > maxYAMLMarks {
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "YAML of more than %d elements", maxYAMLMarks)
	}
	if !mayExpand(text) {
		return nil
	}
	var root yaml.Node
	if yaml.Unmarshal(text, &root) != nil {
		return nil // it expands to nothing, and the decoder says what is wrong
	}
	if _, err := (expansion{}).size(&root); err != nil {
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "%w", err)
	}
	return nil
}

// mayExpand reports whether an alias in the text may stand for an anchor. Both begin
// with a mark of their own and go on with the same name; most texts that have the marks
// use them for something else.
func mayExpand(text []byte) bool {
	aliases := marked(text, '*', nil)
	return len(aliases) > 0 && len(marked(text, '&', aliases)) > 0
}

// marked gives the names that follow a mark; of them only those that are also in among,
// unless that is nil.
func marked(text []byte, mark byte, among map[string]bool) map[string]bool {
	found := map[string]bool{}
	for {
		at := bytes.IndexByte(text, mark)
		if at < 0 {
			return found
		}
		text = text[at+1:]
		length := 0
		for length < len(text) && isAnchorByte(text[length]) {
			length++
		}
		if name := string(text[:length]); length > 0 && (among == nil || among[name]) {
			found[name] = true
		}
	}
}

// isAnchorByte reports whether a byte may be in the name of an anchor.
func isAnchorByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '_' || b == '-'
}

// expansion remembers the size of nodes with all their aliases written out; that
// of a node whose size is not yet known is negative.
type expansion map[*yaml.Node]int

func (e expansion) size(node *yaml.Node) (int, error) {
	if node.Kind == yaml.AliasNode {
		return e.size(node.Alias)
	}
	if size, ok := e[node]; ok {
		if size < 0 {
			return 0, fmt.Errorf("YAML anchor %q contains itself", node.Anchor)
		}
		return size, nil
	}
	if node.Anchor != "" {
		e[node] = -1
	}
	total := len(node.Value) + 1
	for _, child := range node.Content {
		size, err := e.size(child)
		if err != nil {
			return 0, err
		}
		if total += size; total > maxYAMLExpanded {
			return 0, errors.New("YAML aliases expand to too much")
		}
	}
	if node.Anchor != "" {
		e[node] = total
	}
	return total, nil
}
