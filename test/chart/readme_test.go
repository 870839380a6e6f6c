package chart_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"go.yaml.in/yaml/v3"
)

// Markers around the table of values.
const (
	tableBegin = "<!-- begin values -->\n"
	tableEnd   = "<!-- end values -->\n"
)

// TestEveryValueIsDocumented compares the tables in the chart's README.md and in
// docs/configuration.md with values.yaml. With -update it writes the tables.
func TestEveryValueIsDocumented(t *testing.T) {
	g := NewWithT(t)
	text, err := os.ReadFile(modulePath(t, "charts", "appmarket", "values.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	var document yaml.Node
	g.Expect(yaml.Unmarshal(text, &document)).To(Succeed())
	var table strings.Builder
	table.WriteString("| value | is | default |\n|---|---|---|\n")
	writeRows(t, &table, document.Content[0], "")

	for _, file := range []string{modulePath(t, "charts", "appmarket", "README.md"), modulePath(t, "docs", "configuration.md")} {
		compareTable(t, file, table.String())
	}
}

// compareTable compares the table between the markers of a file. With -update it writes the table.
func compareTable(t *testing.T, file, table string) {
	t.Helper()
	g := NewWithT(t)
	text, err := os.ReadFile(file)
	g.Expect(err).NotTo(HaveOccurred())
	before, rest, found := strings.Cut(string(text), tableBegin)
	g.Expect(found).To(BeTrue(), tableBegin)
	written, after, found := strings.Cut(rest, tableEnd)
	g.Expect(found).To(BeTrue(), tableEnd)
	if *update {
		g.Expect(os.WriteFile(file, []byte(before+tableBegin+table+tableEnd+after), 0o644)).To(Succeed())
		return
	}
	g.Expect(written).To(Equal(table), "run go test ./test/chart -update")
}

// writeRows writes a row for each value of a mapping. Each value must have a comment.
func writeRows(t *testing.T, table *strings.Builder, mapping *yaml.Node, prefix string) {
	t.Helper()
	for i := 0; i < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		name := prefix + key.Value
		if value.Kind == yaml.MappingNode && len(value.Content) > 0 {
			writeRows(t, table, value, name+".")
			continue
		}
		// A comment about the file or a section is separated by an empty line.
		paragraphs := strings.Split(strings.TrimSpace(key.HeadComment), "\n\n")
		comment := paragraphs[len(paragraphs)-1]
		NewWithT(t).Expect(comment).NotTo(BeEmpty(), "values.yaml has no comment for %s", name)
		comment = strings.ReplaceAll(strings.TrimPrefix(comment, "# "), "\n# ", " ")
		var content any
		NewWithT(t).Expect(value.Decode(&content)).To(Succeed())
		shown, err := json.Marshal(content)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		fmt.Fprintf(table, "| `%s` | %s | `%s` |\n", name, strings.ReplaceAll(comment, "|", `\|`), shown)
	}
}

// TestSchemaHasEveryValue checks that the schema and values.yaml have the same top-level names, so
// that a misspelled name is rejected and a new one is not.
func TestSchemaHasEveryValue(t *testing.T) {
	g := NewWithT(t)
	text, err := os.ReadFile(modulePath(t, "charts", "appmarket", "values.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	var values map[string]any
	g.Expect(yaml.Unmarshal(text, &values)).To(Succeed())
	text, err = os.ReadFile(modulePath(t, "charts", "appmarket", "values.schema.json"))
	g.Expect(err).NotTo(HaveOccurred())
	var schema struct {
		Properties map[string]any
	}
	g.Expect(json.Unmarshal(text, &schema)).To(Succeed())
	for name := range schema.Properties {
		if name != "global" {
			g.Expect(values).To(HaveKey(name))
		}
	}
	for name := range values {
		g.Expect(schema.Properties).To(HaveKey(name))
	}
}
