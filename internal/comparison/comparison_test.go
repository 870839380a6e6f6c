package comparison_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/comparison"
)

func TestValues(t *testing.T) {
	g := NewWithT(t)
	found := comparison.Compare(t.Context(),
		comparison.Reports{Values: []byte("# Replicas\nreplicas: 1\nimage: {tag: \"1.0\", pull: Always}\nargs: [a, b]\nsame: {}\nold: x\nnodes:\n  example.com/a: 1\n")},
		comparison.Reports{Values: []byte("replicas: 2 # of them\nimage: {tag: \"1.1\", pull: Always}\nargs: [a, c]\nsame: {}\nnodes:\n  example.com/a: 2\nnew:\n  deep: true\n")})
	g.Expect(found.Values).To(Equal(comparison.Section[comparison.ValueChange]{Total: 6, Listed: []comparison.ValueChange{
		{Change: comparison.Changed, Path: "args", Before: `["a","b"]`, After: `["a","c"]`},
		{Change: comparison.Changed, Path: "image.tag", Before: `"1.0"`, After: `"1.1"`},
		{Change: comparison.Added, Path: "new.deep", After: "true"},
		{Change: comparison.Changed, Path: `nodes["example.com/a"]`, Before: "1", After: "2"},
		{Change: comparison.Removed, Path: "old", Before: `"x"`},
		{Change: comparison.Changed, Path: "replicas", Before: "1", After: "2"},
	}}))
	g.Expect(found.Objects.Total + found.Images.Total).To(BeZero())
	g.Expect(found.Schema).To(BeZero())
}

func TestSchema(t *testing.T) {
	g := NewWithT(t)
	schema := func(text string) comparison.Reports { return comparison.Reports{Schema: []byte(text)} }
	found := comparison.Compare(t.Context(), schema(`{"properties": {"b": {"type": "string"}, "a": {"minimum": 1}}}`), schema(`{"properties":{"a":{"minimum":2},"b":{"type":"string"}}}`)).Schema
	g.Expect(found.Change).To(Equal(comparison.Changed))
	g.Expect(found.Lines.Lines).To(ContainElements(comparison.Line{Change: comparison.Removed, Text: `      "minimum": 1`}, comparison.Line{Change: comparison.Added, Text: `      "minimum": 2`}))
	g.Expect(found.Lines.Total).To(Equal(8), "the lines around it are shown, and no others")
	g.Expect(comparison.Compare(t.Context(), schema(`{"a": 1, "b": 2}`), schema(`{"b":2,"a":1}`)).Schema).To(BeZero(), "the order of keys does not count")
	g.Expect(comparison.Compare(t.Context(), schema(""), schema(`{}`)).Schema.Change).To(Equal(comparison.Added))
	g.Expect(comparison.Compare(t.Context(), schema("{}"), schema("")).Schema.Change).To(Equal(comparison.Removed))
	g.Expect(comparison.Compare(t.Context(), schema("{}"), schema("{")).Schema.Problem).To(ContainSubstring("values.schema.json"))
	g.Expect(comparison.Compare(t.Context(), schema("{}"), schema(strings.Repeat(`{"a":`, 100)+"1"+strings.Repeat("}", 100))).Schema.Problem).To(ContainSubstring("nested more than 64 deep"))
}

func TestImages(t *testing.T) {
	g := NewWithT(t)
	found := comparison.Compare(t.Context(),
		comparison.Reports{Images: []byte(`[{"name":"docker.io/library/wiki:1.0","detail":{"digest":"sha256:a","platforms":[{"size":10},{"size":30}]}},
			{"name":"example.com:5000/db:15","detail":{"digest":"sha256:b"}},{"name":"docker.io/library/old:1"},{"name":"docker.io/library/same:1","problem":"no answer"},
			{"name":"docker.io/library/moved:1","detail":{"digest":"sha256:c"}}]`)},
		comparison.Reports{Images: []byte(`[{"name":"docker.io/library/wiki:1.1","detail":{"platforms":[{"size":40}]}},{"name":"docker.io/library/same:1","detail":{"digest":"sha256:d"}},
			{"name":"example.com:5000/db:16"},{"name":"example.com:5000/db@sha256:1"},{"name":"docker.io/library/moved:1","detail":{"digest":"sha256:e"}}]`)}).Images
	names := []string{}
	for _, change := range found.Listed {
		line := string(change.Change)
		if change.Before != nil {
			line += fmt.Sprintf(" %s %d", change.Before.Name, change.Before.Bytes)
		}
		if change.After != nil {
			line += fmt.Sprintf(" %s %d", change.After.Name, change.After.Bytes)
		}
		names = append(names, line)
	}
	g.Expect(names).To(Equal([]string{
		"Changed docker.io/library/moved:1 0 docker.io/library/moved:1 0",
		"Removed docker.io/library/old:1 0",
		"Changed docker.io/library/wiki:1.0 30 docker.io/library/wiki:1.1 40",
		"Removed example.com:5000/db:15 0", "Added example.com:5000/db:16 0", "Added example.com:5000/db@sha256:1 0",
	}))
}

func TestObjects(t *testing.T) {
	g := NewWithT(t)
	const before = `---
# Source: wiki/templates/web.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {helm.sh/chart: wiki-1.0.0, app: wiki}}
spec: {replicas: 1, template: {metadata: {labels: {app.kubernetes.io/version: "1.0"}}}}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
data: {token: Q0FOQVJZMQ==}
stringData: {plain: CANARY1}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: same, labels: {helm.sh/chart: wiki-1.0.0}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: old}
`
	const after = `---
apiVersion: v1
kind: ConfigMap
metadata: {name: same, labels: {helm.sh/chart: wiki-1.1.0}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {labels: {app: wiki, helm.sh/chart: wiki-1.1.0}, name: web}
spec: {replicas: 2, template: {metadata: {labels: {app.kubernetes.io/version: "1.1"}}}}
---
apiVersion: v1
kind: SecretList
items:
- metadata: {name: key}
  data: {token: Q0FOQVJZMg==, more: Q0FOQVJZMw==}
  stringData: {plain: CANARY2}
`
	found := comparison.Compare(t.Context(), comparison.Reports{Objects: []byte(before)}, comparison.Reports{Objects: []byte(after)}).Objects
	g.Expect(found.Problem).To(BeEmpty())
	names := []string{}
	for _, each := range found.Listed {
		names = append(names, fmt.Sprint(each.Change, " ", each.Kind, " ", each.Name))
	}
	g.Expect(names).To(Equal([]string{"Changed Deployment web", "Changed Secret key", "Removed ServiceAccount old"}))
	g.Expect(found.Listed[0].Lines.Lines).To(ContainElements(
		comparison.Line{Change: comparison.Removed, Text: "  replicas: 1"}, comparison.Line{Change: comparison.Added, Text: "  replicas: 2"}))
	g.Expect(fmt.Sprint(found)).NotTo(Or(ContainSubstring("CANARY"), ContainSubstring("Q0FOQVJZ"), ContainSubstring("helm.sh/chart")))
	g.Expect(found.Listed[1].Lines.Lines).To(ContainElement(comparison.Line{Change: comparison.Added, Text: "  more: (masked)"}))
}

// TestLimits compares versions with many differences.
func TestLimits(t *testing.T) {
	g := NewWithT(t)
	var values, objects strings.Builder
	for i := range 412 {
		fmt.Fprintf(&values, "k%03d: %s\n", i, strings.Repeat("x", 1000))
		fmt.Fprintf(&objects, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%03d}\ndata: {a: VALUE}\n", i)
	}
	var long strings.Builder
	for i := range 400 {
		fmt.Fprintf(&long, "  k%d: VALUE\n", i)
	}
	all := "---\napiVersion: v1\nkind: A\nmetadata: {name: a}\ndata:\n" + long.String() + objects.String()
	found := comparison.Compare(t.Context(), comparison.Reports{Objects: []byte(strings.ReplaceAll(all, "VALUE", "one"))},
		comparison.Reports{Values: []byte(values.String()), Objects: []byte(strings.ReplaceAll(all, "VALUE", "two"))})
	g.Expect([]int{found.Values.Total, len(found.Values.Listed), found.Objects.Total, len(found.Objects.Listed)}).To(Equal([]int{412, 200, 413, 200}))
	g.Expect(found.Values.IsCut()).To(BeTrue())
	g.Expect(len(found.Values.Listed[0].After)).To(BeNumerically("<=", 400))
	lines := found.Objects.Listed[0].Lines
	g.Expect([]int{len(lines.Lines), lines.Total}).To(Equal([]int{200, 805}))
}

// TestHostileReports compares reports that are written to keep the server busy.
func TestHostileReports(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), c-1)
	}
	object := func(text string) string { return "apiVersion: v1\nkind: X\nmetadata: {name: x}\n" + text }
	deep := "a: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	nested := strings.Repeat("{a: ", 200) + "1" + strings.Repeat("}", 200)
	random := func(seed uint64) string {
		lines := rand.New(rand.NewPCG(seed, 1))
		text := "apiVersion: v1\nkind: X\nmetadata: {name: NAME}\nlist:\n"
		for range 990 {
			text += fmt.Sprintf("- %d\n", lines.IntN(90))
		}
		return text
	}
	many := func(seed uint64) (all string) {
		for i := range 50 {
			all += "---\n" + strings.ReplaceAll(random(seed), "NAME", fmt.Sprint("n", i))
		}
		return all
	}
	for _, c := range []struct {
		why      string
		from, to comparison.Reports
		problems []string
	}{
		{"aliases in values", comparison.Reports{}, comparison.Reports{Values: []byte(bomb)}, []string{"expand to more than"}},
		{"aliases in an object", comparison.Reports{}, comparison.Reports{Objects: []byte(object(bomb))}, []string{"expand to more than"}},
		{"deep values", comparison.Reports{}, comparison.Reports{Values: []byte("v: " + nested)}, []string{"nested more than 64 deep"}},
		{"a deep object", comparison.Reports{}, comparison.Reports{Objects: []byte(object(deep))}, []string{"nested too deep"}},
		{"a long line", comparison.Reports{}, comparison.Reports{Values: []byte("a: " + strings.Repeat("x", 1<<20))}, []string{"at most 524288 are compared"}},
		{"no YAML", comparison.Reports{Values: []byte("a: [")}, comparison.Reports{Objects: []byte("kind: {")}, []string{"invalid YAML", "objects.yaml"}},
		{"no JSON", comparison.Reports{Images: []byte("[")}, comparison.Reports{Schema: []byte("[")}, []string{"images.json", "values.schema.json"}},
		{"many objects", comparison.Reports{}, comparison.Reports{Objects: []byte(strings.Repeat("---\nkind: X\n", 6000))}, []string{"too many entries"}},
		{"lines in random order", comparison.Reports{Objects: []byte(many(1))}, comparison.Reports{Objects: []byte(many(2))}, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			begin := time.Now()
			found := comparison.Compare(t.Context(), c.from, c.to)
			g.Expect(time.Since(begin)).To(BeNumerically("<", 15*time.Second))
			problems := strings.Join([]string{found.Values.Problem, found.Schema.Problem, found.Images.Problem, found.Objects.Problem}, "\n")
			for _, problem := range c.problems {
				g.Expect(problems).To(ContainSubstring(problem))
			}
			if c.problems == nil {
				g.Expect(strings.TrimSpace(problems)).To(BeEmpty())
				g.Expect(found.Objects.Total).To(Equal(50))
			}
		})
	}
	g := NewWithT(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	found := comparison.Compare(ended, comparison.Reports{Schema: []byte(`{"a":1}`)}, comparison.Reports{Schema: []byte(`{"a":2}`), Objects: []byte(object(""))})
	g.Expect(found.Schema.Lines.Problem).To(ContainSubstring("takes too long"))
	g.Expect(found.Objects.Problem).To(ContainSubstring("takes too long"))
}

func TestNotes(t *testing.T) {
	g := NewWithT(t)
	notes := comparison.ParseNotes([]byte(`{"UpgradeDescription": " Faster.\nSafer. "}`), chartWithChanges(t, "- kind: fixed\n  description: A fault\n- Plain text\n- {}\n- 4\n"))
	g.Expect(notes).To(Equal(comparison.Notes{Description: "Faster.\nSafer.", Total: 2, Changes: []comparison.Note{{Kind: "fixed", Text: "A fault"}, {Text: "Plain text"}}}))
	g.Expect(comparison.ParseNotes(nil, nil)).To(BeZero())
	g.Expect(comparison.ParseNotes([]byte("{"), chartWithChanges(t, "a: b"))).To(BeZero())
	g.Expect(comparison.ParseNotes([]byte("{"), []byte("{"))).To(BeZero())
	g.Expect(comparison.ParseNotes(nil, chartWithChanges(t, strings.Repeat("- x\n", 60))).Changes).To(HaveLen(50))
}

// chartWithChanges returns the report chart.json of a chart with an annotation about its changes.
func chartWithChanges(t *testing.T, changes string) []byte {
	t.Helper()
	content, err := json.Marshal(map[string]any{"name": "web", "annotations": map[string]string{"artifacthub.io/changes": changes}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return content
}
