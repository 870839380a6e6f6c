package inputs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/inputs"

	. "github.com/onsi/gomega"
)

// nestedValues returns bounds. A negative value means no limit.
func nestedValues(least, greatest float64) *inputs.Bounds {
	b := &inputs.Bounds{Min: &least, Max: &greatest}
	if least < 0 {
		b.Min = nil
	}
	if greatest < 0 {
		b.Max = nil
	}
	return b
}

func TestCheckInputsOfAChart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why   string
		in    inputs.Input
		given string
		want  string
	}{
		{why: "a number", in: inputs.Input{Number: true}, given: "-1.5e3"},
		{why: "no number", in: inputs.Input{Number: true}, given: "1,5", want: "must be a number"},
		{why: "nothing that a text cannot hold", in: inputs.Input{Number: true}, given: "Inf", want: "must be a number"},
		{why: "not a number", in: inputs.Input{Number: true}, given: "NaN", want: "must be a number"},
		{why: "the least", in: inputs.Input{Type: "int", Range: nestedValues(1, 9)}, given: "1"},
		{why: "less", in: inputs.Input{Type: "int", Range: nestedValues(1, 9)}, given: "0", want: "must be at least 1"},
		{why: "the greatest", in: inputs.Input{Type: "int", Range: nestedValues(1, 30000000)}, given: "30000000"},
		{why: "more", in: inputs.Input{Type: "int", Range: nestedValues(1, 30000000)}, given: "30000001", want: "must be at most 30000000"},
		{why: "no upper bound", in: inputs.Input{Number: true, Range: nestedValues(0.5, -1)}, given: "1e300"},
		{why: "less than half", in: inputs.Input{Number: true, Range: nestedValues(0.5, -1)}, given: "0.25", want: "must be at least 0.5"},
		{why: "characters, not bytes", in: inputs.Input{Length: nestedValues(2, 3)}, given: "üüü"},
		{why: "too short", in: inputs.Input{Length: nestedValues(2, 3)}, given: "ü", want: "must have at least 2 characters"},
		{why: "too long", in: inputs.Input{Length: nestedValues(2, 3)}, given: "abcd", want: "must have at most 3 characters"},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			c.in.Name = "a"
			_, wrong := inputs.CheckInputs([]inputs.Input{c.in}, map[string]string{"a": c.given}, nil)
			if c.want == "" {
				g.Expect(wrong).To(BeEmpty())
				return
			}
			g.Expect(wrong).To(HaveExactElements(HaveField("Problem", c.want)))
		})
	}
}

func TestCheckInputsShowIf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why      string
		showIf   string
		given    map[string]string
		supplied map[string]string
		required bool
	}{
		{why: "no condition", required: true},
		{why: "the default holds", showIf: "type=NodePort", required: true},
		{why: "the default does not", showIf: "type=ClusterIP"},
		{why: "what is given counts", showIf: "type=ClusterIP", given: map[string]string{"type": "ClusterIP"}, required: true},
		{why: "what the platform supplies counts", showIf: "type=ClusterIP", supplied: map[string]string{"type": "ClusterIP"}, required: true},
		{why: "what is fixed counts", showIf: "fixed=f", supplied: map[string]string{"fixed": "g"}, required: true},
		{why: "what is given and wrong counts as it is", showIf: "tls=maybe", given: map[string]string{"tls": "maybe"}, required: true},
		{why: "a boolean in any spelling", showIf: "tls=true", given: map[string]string{"tls": "True"}, required: true},
		{why: "all must hold", showIf: "type=NodePort&&tls=true"},
		{why: "and do", showIf: "type=NodePort && tls='false'", required: true},
		{why: "one of two is enough", showIf: "type=ClusterIP||tls=false", required: true},
		{why: "none of two", showIf: "type=ClusterIP||tls=true"},
		{why: "not so", showIf: "type!=ClusterIP", required: true},
		{why: "not not so", showIf: "type!=NodePort"},
		{why: "an empty value", showIf: "other=", required: true},
		{why: "something that is no input, but known", showIf: "zone=north", supplied: map[string]string{"zone": "north"}, required: true},
		{why: "a word that is no condition", showIf: "type"},
		{why: "a condition without a name", showIf: "="},
		{why: "a condition on itself", showIf: "name=x"},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			declared := []inputs.Input{
				{Name: "name", Required: true, ShowIf: c.showIf},
				{Name: "type", Default: "NodePort"}, {Name: "tls", Type: "bool", Default: "false"}, {Name: "fixed", Value: "f"},
			}
			_, wrong := inputs.CheckInputs(declared, c.given, c.supplied)
			var problem string
			for _, w := range wrong {
				if w.Input.Name == "name" {
					problem = w.Problem
				}
			}
			g.Expect(problem).To(Equal(map[bool]string{true: "required"}[c.required]))
		})
	}
}

func TestCheckInputsPlainPassword(t *testing.T) {
	t.Parallel()
	const refused = "must be set with valueFrom.secretKeyRef, because an object must not store a password"
	declared := []inputs.Input{{Name: "PASSWORD", Type: "password", Required: true, Pattern: "^x"}, {Name: "NAME"}}
	for _, c := range []struct {
		why             string
		given, supplied map[string]string
		plain           []string
		want            []string
	}{
		{"from a Secret", map[string]string{"PASSWORD": "xyz", "NAME": "a"}, nil, []string{"NAME"}, nil},
		{"from a Secret, and wrong", map[string]string{"PASSWORD": "abc"}, nil, nil, []string{"must match pattern ^x"}},
		{"written down", map[string]string{"PASSWORD": "xyz"}, nil, []string{"PASSWORD"}, []string{refused}},
		{"written down, which matters more than that it is wrong", map[string]string{"PASSWORD": "abc"}, nil, []string{"PASSWORD"}, []string{refused}},
		{"written down among the values", nil, map[string]string{"PASSWORD": "xyz"}, []string{"PASSWORD"}, []string{refused}},
		{"supplied by the platform", nil, map[string]string{"PASSWORD": "xyz"}, nil, nil},
		{"nothing is written down", map[string]string{"PASSWORD": ""}, nil, []string{"PASSWORD"}, []string{"required"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			_, wrong := inputs.CheckInputs(declared, c.given, c.supplied, c.plain...)
			var problems []string
			for _, w := range wrong {
				problems = append(problems, w.Problem)
			}
			g.Expect(problems).To(Equal(c.want))
		})
	}
}

func TestInputValues(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	at := func(in inputs.Input) inputs.Input {
		in.Name, in.Path = "a.b", "a.b"
		return in
	}
	for _, c := range []struct {
		why   string
		in    inputs.Input
		given map[string]string
		known object
		want  object
	}{
		{"an env is a text, whatever its type", inputs.Input{Name: "A", Type: "bool"}, map[string]string{"A": "1"}, nil, object{"olaresEnv": object{"A": "true"}}},
		{"an env without a value is there", inputs.Input{Name: "A"}, nil, nil, object{"olaresEnv": object{"A": ""}}},
		{"a text", at(inputs.Input{}), map[string]string{"a.b": "true"}, nil, object{"a": object{"b": "true"}}},
		{"a bool", at(inputs.Input{Type: "bool"}), map[string]string{"a.b": "1"}, nil, object{"a": object{"b": true}}},
		{"an int", at(inputs.Input{Type: "int"}), map[string]string{"a.b": "012"}, nil, object{"a": object{"b": int64(12)}}},
		{"a number", at(inputs.Input{Type: "string", Number: true}), map[string]string{"a.b": "1.5"}, nil, object{"a": object{"b": 1.5}}},
		{"nothing is known", at(inputs.Input{}), nil, nil, object{}},
		{"nothing instead of an int", at(inputs.Input{Type: "int", Default: "3", Preset: true}), map[string]string{"a.b": ""}, nil, object{}},
		{"nothing instead of a text", at(inputs.Input{Default: "x", Preset: true}), map[string]string{"a.b": ""}, nil, object{"a": object{"b": ""}}},
		{"what values.yaml says is not said again", at(inputs.Input{Default: "1.10", Preset: true}), nil, nil, object{}},
		{"nor if it is given", at(inputs.Input{Default: "1.10", Preset: true}), map[string]string{"a.b": "1.10"}, nil, object{}},
		{"a default of the question's own", at(inputs.Input{Default: "x"}), nil, nil, object{"a": object{"b": "x"}}},
		{"what the tenant's values say keeps its type", at(inputs.Input{Default: "x"}), nil, object{"a": object{"b": 1.5}}, object{}},
		{"an input wins over the tenant's values", at(inputs.Input{}), map[string]string{"a.b": "y"}, object{"a": object{"b": "x", "c": 1}}, object{"a": object{"b": "y"}}},
		{"a default that is not shown", at(inputs.Input{Default: "x", ShowIf: "c=d"}), nil, nil, object{}},
		{"a default that is shown", at(inputs.Input{Default: "x", ShowIf: "c=d"}), nil, object{"olaresEnv": object{"c": "d"}}, object{"a": object{"b": "x"}}},
		{"what is not shown, but given", at(inputs.Input{Default: "x", ShowIf: "c=d"}), map[string]string{"a.b": "y"}, nil, object{"a": object{"b": "y"}}},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			declared := []inputs.Input{c.in}
			checked, wrong := inputs.CheckInputs(declared, c.given, inputs.SuppliedTexts(declared, c.known))
			g.Expect(wrong).To(BeEmpty())
			g.Expect(inputs.ChartValues(declared, checked, c.known)).To(Equal(c.want))
		})
	}
}

func TestInputValuesInOneAnother(t *testing.T) {
	g := NewWithT(t)
	declared := []inputs.Input{{Name: "a", Path: "a"}, {Name: "a.b", Path: "a.b"}, {Name: "a.c", Path: "a.c"}, {Name: "d", Path: "d"}}
	g.Expect(inputs.ChartValues(declared, map[string]any{"a": "x", "a.b": "y", "a.c": "z", "d": "w"}, nil)).
		To(Equal(map[string]any{"a": map[string]any{"b": "y", "c": "z"}, "d": "w"}))
}

func TestSuppliedInputs(t *testing.T) {
	g := NewWithT(t)
	declared := []inputs.Input{{Name: "A"}, {Name: "n", Path: "n"}, {Name: "b", Path: "x.b"}, {Name: "l", Path: "x.l"}, {Name: "e", Path: "x.e"}, {Name: "none", Path: "x.none.y"}, {Name: "nil", Path: "nil"}}
	g.Expect(inputs.SuppliedTexts(declared, map[string]any{
		"n": 30000000.0, "nil": nil,
		"x":         map[string]any{"b": false, "l": []any{"p", 1.0}, "e": "", "none": "text"},
		"olaresEnv": map[string]any{"A": "a", "SYSTEM": 3, "NIL": nil},
	})).To(Equal(map[string]string{"A": "a", "SYSTEM": "3", "n": "30000000", "b": "false", "l": `["p",1]`}))
	g.Expect(inputs.SuppliedTexts(declared, nil)).To(BeEmpty())
}

// TestCheckInputsEndlessConditions covers conditions of the maximum length.
func TestCheckInputsEndlessConditions(t *testing.T) {
	g := NewWithT(t)
	var declared []inputs.Input
	for i := range 100 {
		name := strings.Repeat("n", i+1)
		declared = append(declared, inputs.Input{Name: name, Path: name, Required: true, ShowIf: strings.Repeat("x=y||", 200) + "n="})
	}
	began := time.Now()
	_, wrong := inputs.CheckInputs(declared, nil, nil)
	g.Expect(wrong).To(HaveLen(100))
	g.Expect(time.Since(began)).To(BeNumerically("<", 5*time.Second))
}
