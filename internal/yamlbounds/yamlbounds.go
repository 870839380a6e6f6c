package yamlbounds

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// Limits on the content of YAML, in addition to the limit on its length. A parser uses
// about 150 bytes of memory per node, and each node needs at least one of the counted
// marks. An alias counts as the content of its anchor.
const (
	maxYAMLMarks    = 1 << 19
	maxYAMLExpanded = 16 << 20
)

// CheckText returns an error if decoding the text would be too expensive. It does not check
// whether the text is valid YAML. Its errors are Stalled with LimitExceeded.
func CheckText(text []byte, maxBytes int) error {
	if len(text) > maxBytes {
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "YAML document has %d bytes, at most %d are allowed", len(text), maxBytes)
	}
	marks := 0
	for _, mark := range []string{"\n", ":", ",", "[", "{", "-", "?"} {
		marks += bytes.Count(text, []byte(mark))
	}
	if marks > maxYAMLMarks {
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "YAML document has more than %d elements", maxYAMLMarks)
	}
	if !mayExpand(text) {
		return nil
	}
	var root yaml.Node
	if yaml.Unmarshal(text, &root) != nil {
		return nil // The text has no aliases to expand, and the decoder reports the syntax error.
	}
	if _, err := (aliasExpansion{}).expandedSize(&root); err != nil {
		return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "%w", err)
	}
	return nil
}

// mayExpand reports whether an alias in the text may refer to an anchor. Both start with a
// mark that is followed by the same name. Most texts that contain the marks use them for
// other purposes, so this check usually avoids a full parse.
func mayExpand(text []byte) bool {
	aliases := namesAfter(text, '*', nil)
	return len(aliases) > 0 && len(namesAfter(text, '&', aliases)) > 0
}

// namesAfter returns the names that follow a mark. If among is not nil, only names that it
// contains are returned.
func namesAfter(text []byte, mark byte, among map[string]bool) map[string]bool {
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

// isAnchorByte reports whether a byte is valid in the name of an anchor.
func isAnchorByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '_' || b == '-'
}

// aliasExpansion caches the size of nodes after the expansion of all aliases. The size is
// negative while it is being computed.
type aliasExpansion map[*yaml.Node]int

func (e aliasExpansion) expandedSize(node *yaml.Node) (int, error) {
	if node.Kind == yaml.AliasNode {
		return e.expandedSize(node.Alias)
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
		size, err := e.expandedSize(child)
		if err != nil {
			return 0, err
		}
		if total += size; total > maxYAMLExpanded {
			return 0, fmt.Errorf("YAML aliases expand to more than %d bytes", maxYAMLExpanded)
		}
	}
	if node.Anchor != "" {
		e[node] = total
	}
	return total, nil
}
