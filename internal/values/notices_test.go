package values_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/values"
)

func TestNotices(t *testing.T) {
	chart := values.Chart{
		Defaults: []byte("replicas: 1\nimage: {tag: \"1\"}\nservice: {port: 80}\n"), Inputs: []string{"service.port", "olaresEnv.A"},
		Schema: []byte(`{"properties": {"replicas": {"type": "integer", "maximum": 3}, "image": {"required": ["tag"]}}}`),
	}
	for _, c := range []struct {
		why, text string
		want      []values.Notice
	}{
		{"nothing", "", nil},
		{"values that fit", "# mine\nreplicas: 2\nglobal: {a: 1}\n", nil},
		{"the schema is applied with the default values", "image: {pull: Always}\n", nil},
		{"a syntax error", "replicas: 1\nimage:\n  tag: \"1\n", []values.Notice{{Kind: values.NoticeSyntax, Line: 3, Column: 3, Text: "the quoted text that begins here is not closed; add the closing quote"}}},
		{"a list", "- a\n", []values.Notice{{Kind: values.NoticeSyntax, Text: "values must be a map, but are a list"}}},
		{"a violation and an unknown key", "\nreplica: 2\nreplicas: 9\nother: 1\n", []values.Notice{
			{Kind: values.NoticeSchema, Text: "replicas: Invalid value: 9: must be at most 3"},
			{Kind: values.NoticeUnknownKey, Line: 4, Column: 1, Path: "other"},
			{Kind: values.NoticeUnknownKey, Line: 2, Column: 1, Path: "replica", Proposal: "replicas"},
		}},
		{"an input sets it", "service: {port: 1}\n", []values.Notice{{Kind: values.NoticeInput, Path: "service.port"}}},
		{"an environment value", "olaresEnv: {A: 1}\n", []values.Notice{
			{Kind: values.NoticeUnknownKey, Line: 1, Column: 1, Path: "olaresEnv"}, {Kind: values.NoticeInput, Path: "olaresEnv.A"},
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(chart.Check([]byte(c.text))).To(Equal(c.want))
		})
	}
	g := NewWithT(t)
	g.Expect(values.Chart{}.Check([]byte("a: 1\n"))).To(BeEmpty(), "nothing is known about the chart")
	g.Expect(values.Chart{Schema: []byte("{")}.Check([]byte("a: 1\n"))).To(ConsistOf(HaveField("Kind", values.NoticeUnchecked)))
	g.Expect(values.Chart{Schema: []byte(strings.Repeat(" ", 300<<10))}.Check([]byte("a: 1\n"))).To(ConsistOf(HaveField("Text", "values.schema.json has 307200 bytes")))
}

// TestNoticesAreBounded checks values that are written to keep the server busy.
func TestNoticesAreBounded(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'j'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 8) + "*" + string(c-1) + "]\n"
	}
	keys := ""
	for i := range 5000 {
		keys += "key" + strings.Repeat("x", i%90) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)) + ": 1\n"
	}
	for why, text := range map[string]string{"aliases": bomb, "nesting": strings.Repeat("[", 60<<10), "deep maps": "a: " + strings.Repeat("{a: ", 15000), "many keys": keys} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			begin := time.Now()
			found := values.Chart{Defaults: []byte(strings.ReplaceAll(keys, "key", "kay")), Schema: []byte(`{"additionalProperties": {"type": "string"}}`)}.Check([]byte(text))
			g.Expect(found).NotTo(BeEmpty())
			g.Expect(len(found)).To(BeNumerically("<=", 61))
			g.Expect(time.Since(begin)).To(BeNumerically("<", 10*time.Second))
		})
	}
}
