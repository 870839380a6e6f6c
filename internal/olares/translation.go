package olares

import (
	"bytes"
	"fmt"

	"github.com/appmarket/operator/hydrate"
)

// ReadTranslation decodes the title and the description in the file of a language. All other fields are
// ignored. Only the block with the key metadata is parsed if the file has one, because the long texts after
// it are many times larger.
func (Reader) ReadTranslation(text []byte) (hydrate.Translation, error) {
	root, _, err := parseDocument(metadataBlock(text))
	if err != nil {
		return hydrate.Translation{}, fmt.Errorf("read translation: %w", err)
	}
	w := &warnings{}
	top := w.openMapping(pathNode{path: "the file", node: root}, essential)
	if top == nil {
		return hydrate.Translation{}, fmt.Errorf("read translation: %w", w.err)
	}
	metadata := top.mappingField("metadata", optional)
	if metadata == nil {
		return hydrate.Translation{}, nil
	}
	return hydrate.Translation{
		Title: metadata.truncatedText("title", maxLine), Description: metadata.truncatedText("description", maxSummary),
	}, nil
}

// metadataBlock returns the lines from "metadata:" to the next line that is not indented, or the whole text
// if it has no such line.
func metadataBlock(text []byte) []byte {
	var block []byte
	for line := range bytes.Lines(text) {
		trimmed := bytes.TrimRight(line, " \r\n")
		switch {
		case block == nil && bytes.Equal(trimmed, []byte("metadata:")):
			block = append(block, line...)
		case block == nil || len(trimmed) == 0:
		case line[0] != ' ' && line[0] != '#':
			return block
		default:
			block = append(block, line...)
		}
	}
	if block == nil {
		return text
	}
	return block
}
