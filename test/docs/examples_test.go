package docs_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestExamplesHaveKnownFields checks that the examples of objects contain only fields of the API.
// kubectl rejects other fields.
func TestExamplesHaveKnownFields(t *testing.T) {
	kinds := map[string]*schema{}
	for _, d := range readDefinitions(t) {
		kinds[d.kind] = d.schema
	}
	found := 0
	for _, p := range listPages(t) {
		for _, b := range p.codeBlocks() {
			if b.language != "yaml" || !strings.Contains(b.text, "apiVersion: appmarket.io/") {
				continue
			}
			decoder := yaml.NewDecoder(strings.NewReader(b.text))
			for {
				var object map[string]any
				err := decoder.Decode(&object)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Errorf("%s:%d: %v", p.path, b.line, err)
					break
				}
				kind, _ := object["kind"].(string)
				if of := kinds[kind]; of != nil {
					found++
					checkKnownFields(t, p.path, kind, object, of)
				}
			}
		}
	}
	if found < 4 {
		t.Errorf("found %d examples, want at least one for each kind", found)
	}
}

// checkKnownFields reports the fields of a value that its schema does not have.
func checkKnownFields(t *testing.T, path, where string, value any, of *schema) {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		if of.Open || of.Values != nil || of.Properties == nil {
			return
		}
		for name, below := range value {
			field := of.Properties[name]
			if field == nil {
				t.Errorf("%s: %s has no field %q", path, where, name)
				continue
			}
			checkKnownFields(t, path, where+"."+name, below, field)
		}
	case []any:
		for _, item := range value {
			if of.Items != nil {
				checkKnownFields(t, path, where+"[]", item, of.Items)
			}
		}
	}
}
