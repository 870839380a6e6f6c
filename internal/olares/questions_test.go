package olares_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/inputs"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
)

func TestQuestion(t *testing.T) {
	t.Parallel()
	within := func(least, greatest float64) *inputs.Bounds { return &inputs.Bounds{Min: &least, Max: &greatest} }
	options := func(values ...string) []inputs.Option {
		var all []inputs.Option
		for _, v := range values {
			all = append(all, inputs.Option{Title: v, Value: v})
		}
		return all
	}
	for _, c := range []struct {
		why      string
		question string
		want     inputs.Input
	}{
		{"only a variable", "", inputs.Input{Type: "string"}},
		{"a label and a description", "label: The A, description: What it is., group: Some, required: true, default: x",
			inputs.Input{Type: "string", Title: "The A", Description: "What it is.", Group: "Some", Required: true, Default: "x"}},
		{"a multiline string", "type: multiline", inputs.Input{Type: "string", Multiline: true}},
		{"a boolean", "type: boolean, default: true", inputs.Input{Type: "bool", Default: "true"}},
		{"an integer", "type: int, min: 1, max: '9', default: 080", inputs.Input{Type: "int", Range: within(1, 9), Default: "080"}},
		{"a number", "type: float, default: 1.10", inputs.Input{Type: "string", Number: true, Default: "1.10"}},
		{"a password", "type: password, min_length: 8, max_length: 20", inputs.Input{Type: "password", Length: within(8, 20)}},
		{"a host", "type: hostname", inputs.Input{Type: "domain"}},
		{"a secret is the name of a Secret", "type: secret", inputs.Input{Type: "string"}},
		{"a pvc is the name of a claim", "type: pvc", inputs.Input{Type: "string"}},
		{"a storageclass is the name of a class", "type: StorageClass", inputs.Input{Type: "string"}},
		{"an enum", "type: enum, options: [x, y]", inputs.Input{Type: "string", Options: options("x", "y")}},
		{"an enum with labels", "type: enum, options: [{label: The X, value: x}, {value: y}]",
			inputs.Input{Type: "string", Options: []inputs.Option{{Title: "The X", Value: "x"}, {Title: "y", Value: "y"}}}},
		{"an enum of integers", "type: enum, options: [1, 3], default: 1", inputs.Input{Type: "int", Options: options("1", "3"), Default: "1"}},
		{"an enum of strings that contain digits", "type: enum, options: ['1', '3']", inputs.Input{Type: "string", Options: options("1", "3")}},
		{"no type, and a boolean as default", "default: false", inputs.Input{Type: "bool", Default: "false"}},
		{"no type, and an integer as default", "default: 3", inputs.Input{Type: "int", Default: "3"}},
		{"no type, and a number as default", "default: 1.5", inputs.Input{Type: "string", Number: true, Default: "1.5"}},
		{"valid characters", "valid_chars: a-z0-9", inputs.Input{Type: "string", Pattern: "^[a-z0-9]*$"}},
		{"valid characters as a regular expression", "valid_chars: '^[a-z]+$'", inputs.Input{Type: "string", Pattern: "^[a-z]+$"}},
		{"invalid characters", "invalid_chars: '!?'", inputs.Input{Type: "string", Pattern: "^[^!?]*$"}},
		{"a condition", "show_if: b=c&&d=e", inputs.Input{Type: "string", ShowIf: "b=c&&d=e"}},
		{"fields of wrong types", "label: [x], required: perhaps, min_length: long, options: x, description: {a: b}", inputs.Input{Type: "string"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			c.want.Name, c.want.Path, c.want.Editable = "a.b", "a.b", true
			got, _, err := olares.Reader{}.Questions([]byte("questions:\n- {variable: a.b, " + c.question + "}\n"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(Equal([]inputs.Input{c.want}))
		})
	}
}

func TestQuestions(t *testing.T) {
	t.Parallel()
	type names = []string
	for _, c := range []struct {
		why   string
		text  string
		want  names // with the condition after a question mark
		warns names
	}{
		{"no questions", "categories: [Blog]\n", nil, nil},
		{"the order of the file", "questions: [{variable: b}, {variable: a}]", names{"b", "a"}, nil},
		{"subquestions", `
questions:
- variable: service.type
  show_subquestion_if: NodePort
  subquestions: [{variable: service.nodePort, type: int}]
- variable: last
`, names{"service.type", "service.nodePort?service.type=NodePort", "last"}, nil},
		{"nested conditions", `
questions:
- {variable: tls, type: boolean, show_if: host!=, show_subquestion_if: true, subquestions: [{variable: issuer, show_if: kind=own||kind=other}]}
`, names{"tls?host!=", "issuer?host!=&&tls=true&&kind=own||host!=&&tls=true&&kind=other"}, nil},
		{"subquestions without a condition", "questions: [{variable: a, show_if: x=y, subquestions: [{variable: b}]}]", names{"a?x=y", "b?x=y"}, nil},
		{"subquestions of an ignored question", "questions: [{variable: a, type: map, show_subquestion_if: x, subquestions: [{variable: b}]}]",
			names{"b?a=x"}, names{`questions[0] is ignored: values of type "map" are not supported.`}},
		{"a value that contains a condition", "questions: [{variable: a, show_subquestion_if: x||b=, subquestions: [{variable: b}]}]", names{"a", "b?="}, nil},
		{"duplicate variables", "questions: [{variable: a}, {variable: a, type: int}]", names{"a"}, names{"questions[1] is ignored: another question has the same variable."}},
		{"no variable", "questions: [{label: A}, x]", nil, names{
			"questions[0] is ignored: variable is missing.", "questions[1] is ignored: must be a map, but is a string."}},
		{"variables that are not paths", `questions: [{variable: "a[0].b"}, {variable: a..b}, {variable: 'a\.b'}, {variable: a=b}]`, nil, names{
			`questions[0] is ignored: variable "a[0].b" must be a path of keys separated by dots.`, `questions[1] is ignored: variable "a..b" must be a path of keys separated by dots.`,
			`questions[2] is ignored: variable "a\\.b" must be a path of keys separated by dots.`, `questions[3] is ignored: variable "a=b" must be a path of keys separated by dots.`}},
		{"values that are not strings", "questions: [{variable: a, type: listofstrings}, {variable: b, default: [x]}]", nil, names{
			`questions[0] is ignored: values of type "listofstrings" are not supported.`, `questions[1] is ignored: values of type "map" are not supported.`,
			"questions[1].default is ignored: must be a string, but is a list."}},
		{"not a list", "questions: {variable: a}", nil, names{"questions is ignored: must be a list, but is a map."}},
		{"anchors", "x: &x {variable: a, label: A}\nquestions: [*x, {<<: *x, variable: b}]", names{"a", "b"}, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			inputs, warnings, err := olares.Reader{}.Questions([]byte(c.text))
			g.Expect(err).NotTo(HaveOccurred())
			var got names
			for _, in := range inputs {
				name := in.Name
				if in.ShowIf != "" {
					name += "?" + in.ShowIf
				}
				got = append(got, name)
			}
			g.Expect(got).To(Equal(c.want))
			g.Expect(warnings).To(HaveExactElements(c.warns))
		})
	}
}

func TestQuestionsHostile(t *testing.T) {
	t.Parallel()
	nested := func(depth int, more string) string {
		return strings.Repeat("{variable: a, "+more+", subquestions: [", depth) + "{variable: b}" + strings.Repeat("]}", depth)
	}
	var many strings.Builder
	for i := range 5_000 {
		fmt.Fprintf(&many, "- {variable: a%d}\n", i)
	}
	long := strings.TrimSuffix(strings.Repeat("a=b||", 190), "||")
	for _, c := range []struct {
		why    string
		text   string
		failed bool
		inputs int
	}{
		{"an empty file", "", true, 0},
		{"invalid YAML", "questions: [", true, 0},
		{"not a map", "[a]", true, 0},
		{"too large", "a: " + strings.Repeat("x", olares.MaxBytes), true, 0},
		{"aliases of aliases", aliasBomb(), true, 0},
		{"too deep", "questions: [" + nested(60, "x: y") + "]", true, 0},
		{"deep", "questions: [" + nested(15, "show_if: a=b, show_subquestion_if: c") + "]", false, 2},
		{"thousands of questions", "questions:\n" + many.String(), false, inputs.MaxChartInputs},
		{"conditions that grow when they are joined", "questions: [" + strings.Repeat(nested(8, "show_if: '"+long+"'")+",", 90) + "]", false, 2},
		{"too many options", "questions: [{variable: a, options: [" + strings.Repeat("x,", 40_000) + "]}]", false, 1},
		{"a pattern that backtracks", "questions: [{variable: a, valid_chars: '^(a+)+$', default: " + strings.Repeat("a", 60_000) + "b}]", false, 1},
		{"infinite and invalid numbers", "questions: [{variable: a, type: int, min: .inf, max: NaN, default: 1e999}]", false, 1},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			began := time.Now()
			declared, warnings, err := olares.Reader{}.Questions([]byte(c.text))
			g.Expect(time.Since(began)).To(BeNumerically("<", 10*time.Second))
			g.Expect(err != nil).To(Equal(c.failed), "%v", err)
			if c.failed {
				g.Expect(outcome.IsStalled(err)).To(BeTrue())
				g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidManifest))
				g.Expect(len(err.Error())).To(BeNumerically("<", 400))
			}
			g.Expect(declared).To(HaveLen(c.inputs))
			g.Expect(len(warnings)).To(BeNumerically("<=", 50))
			given := map[string]string{}
			for _, in := range declared {
				given[in.Name] = in.Default
				g.Expect(len(in.ShowIf)).To(BeNumerically("<=", inputs.MaxPatternBytes))
				g.Expect(len(in.Pattern)).To(BeNumerically("<=", inputs.MaxPatternBytes))
			}
			inputs.CheckInputs(declared, given, nil)
			g.Expect(time.Since(began)).To(BeNumerically("<", 20*time.Second))
		})
	}
}

func FuzzQuestions(f *testing.F) {
	f.Add([]byte("questions:\n- {variable: a.b, type: enum, options: [1, 2], show_if: c=d, subquestions: [{variable: e}]}\n"))
	f.Add([]byte("x: &x {variable: a, default: [*y]}\nquestions: [*x, {<<: *x}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		declared, warnings, err := olares.Reader{}.Questions(text)
		if err != nil && (!outcome.IsStalled(err) || declared != nil) {
			t.Fatalf("got %v with error %v", declared, err)
		}
		if len(declared) > inputs.MaxChartInputs || len(warnings) > 50 {
			t.Fatalf("got %d inputs and %d warnings", len(declared), len(warnings))
		}
		checked, _ := inputs.CheckInputs(declared, nil, nil)
		inputs.ChartValues(declared, checked, nil)
		for _, in := range declared {
			if in.Name == "" || in.Path != in.Name || in.Type == "" {
				t.Fatalf("got input %+v", in)
			}
		}
	})
}
