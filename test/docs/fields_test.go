package docs_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// typesPage defines the types that several fields have.
const typesPage = "docs/spec/types.md"

var (
	typeLink = regexp.MustCompile(`\(types\.md#([a-z]+)\)`)
	codeSpan = regexp.MustCompile("`([^`]+)`")
)

// fieldChecker compares the fields of a kind with the sections of its page.
type fieldChecker struct {
	t        *testing.T
	page     string
	sections map[string][]string
	types    map[string][]string
	reasons  map[string]bool
}

// TestEveryFieldIsDocumented checks that the page of each kind has a heading for each field of spec
// and status, and a row in its section for each field below it. The section of a field
// begins with a table of its type, default, example and reasons.
func TestEveryFieldIsDocumented(t *testing.T) {
	types := map[string][]string{}
	for name, lines := range readPage(t, typesPage).splitSections() {
		types[strings.ToLower(name)] = lines
	}
	for _, d := range readDefinitions(t) {
		path := "docs/spec/" + d.plural + ".md"
		c := fieldChecker{t, path, readPage(t, path).splitSections(), types, declaredReasons(t)}
		known := map[string]bool{}
		for _, part := range []string{"spec", "status"} {
			of := d.schema.Properties[part]
			for _, name := range slices.Sorted(maps.Keys(of.Properties)) {
				heading := part + "." + name
				known[heading] = true
				c.checkField(heading, of.Properties[name], slices.Contains(of.Required, name))
			}
		}
		for heading := range c.sections {
			if (strings.HasPrefix(heading, "spec.") || strings.HasPrefix(heading, "status.")) && !known[heading] {
				t.Errorf("%s: the heading %q is not a field of %s", path, heading, d.kind)
			}
		}
	}
}

// checkField checks the section of a field of spec or status.
func (c *fieldChecker) checkField(heading string, field *schema, required bool) {
	section, found := c.sections[heading]
	if !found {
		c.t.Errorf("%s: add the heading \"### %s\"", c.page, heading)
		return
	}
	header, row := firstTable(section)
	want := []string{"type", "example"}
	if strings.HasPrefix(heading, "spec.") {
		want = []string{"type", "default", "example", "reasons"}
	}
	if !slices.Equal(header, want) || len(row) != len(want) {
		c.t.Errorf("%s: %s: begin the section with a table of the columns %s", c.page, heading, strings.Join(want, ", "))
		return
	}
	if len(want) == 4 {
		c.checkDefault(heading, field, required, row[1])
		for _, reason := range codeSpan.FindAllStringSubmatch(row[3], -1) {
			if !c.reasons[reason[1]] {
				c.t.Errorf("%s: %s: there is no reason %s", c.page, heading, reason[1])
			}
		}
	}
	c.checkRows(heading, section, row[0], field)
}

// checkDefault checks the default in the table of a field.
func (c *fieldChecker) checkDefault(heading string, field *schema, required bool, cell string) {
	want := cell
	if required {
		want = "required"
	} else if field.Default != nil {
		want = fmt.Sprintf("`%v`", field.Default)
	} else if cell == "required" {
		want = "not required"
	}
	if cell != want {
		c.t.Errorf("%s: %s: the default is %q, want %q", c.page, heading, cell, want)
	}
}

// checkRows checks that there is a row for each field below a field, either in its section or,
// if its type is described in typesPage, there. A field that consists of such a type and of
// further fields has rows in both places.
func (c *fieldChecker) checkRows(where string, section []string, typeCell string, field *schema) {
	prefix := ""
	if link := typeLink.FindStringSubmatch(typeCell); link != nil {
		linked, found := c.types[link[1]]
		if !found {
			return // TestLinks reports it.
		}
		where, section = where+" and "+typesPage+"#"+link[1], slices.Concat(section, linked)
	}
	c.checkProperties(where, section, prefix, field.childFields())
}

func (c *fieldChecker) checkProperties(where string, section []string, prefix string, fields map[string]*schema) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		row := findRow(section, prefix+name)
		if row == nil {
			c.t.Errorf("%s: %s: add a row for the field `%s`", c.page, where, prefix+name)
			continue
		}
		if below := fields[name]; len(below.childFields()) > 0 {
			if link := typeLink.FindStringSubmatch(strings.Join(row, " ")); link != nil {
				c.checkProperties(typesPage+"#"+link[1], c.types[link[1]], "", below.childFields())
				continue
			}
			c.checkProperties(where, section, prefix+name+".", below.childFields())
		}
	}
}

// firstTable returns the header and the first row of the first table in a section, which may only
// be preceded by empty lines.
func firstTable(section []string) (header, row []string) {
	for i, line := range section {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if i+2 < len(section) {
			header, row = splitCells(line), splitCells(section[i+2])
		}
		return header, row
	}
	return nil, nil
}

// findRow returns the cells of the row whose first cell is a field.
func findRow(section []string, field string) []string {
	for _, line := range section {
		if row := splitCells(line); len(row) > 1 && row[0] == "`"+field+"`" {
			return row
		}
	}
	return nil
}
