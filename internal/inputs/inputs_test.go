package inputs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/appmarket/operator/internal/inputs"

	. "github.com/onsi/gomega"
)

func TestCheckInputsValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why      string
		in       inputs.Input
		given    map[string]string
		supplied map[string]string
		want     string
	}{
		{why: "nothing is known", in: inputs.Input{}, want: ""},
		{why: "a default is used", in: inputs.Input{Default: "d"}, want: "d"},
		{why: "the platform wins over the default", in: inputs.Input{Default: "d"},
			supplied: map[string]string{"A": "s"}, want: "s"},
		{why: "the platform's own name of it comes first", in: inputs.Input{From: "P"},
			supplied: map[string]string{"A": "s", "P": "p"}, want: "p"},
		{why: "an empty supplied value is none", in: inputs.Input{From: "P", Default: "d"},
			supplied: map[string]string{"P": ""}, want: "d"},
		{why: "an input without From is not supplied by the empty name", in: inputs.Input{Default: "d"},
			supplied: map[string]string{"": "s"}, want: "d"},
		{why: "the app's own value wins over the platform", in: inputs.Input{Value: "v", Default: "d"},
			supplied: map[string]string{"A": "s"}, want: "v"},
		{why: "what is given wins", in: inputs.Input{Value: "v", Default: "d", Editable: true},
			given: map[string]string{"A": "g"}, supplied: map[string]string{"A": "s"}, want: "g"},
		{why: "one may ask for nothing instead of the default", in: inputs.Input{Default: "d"},
			given: map[string]string{"A": ""}, want: ""},
		{why: "a boolean has one spelling", in: inputs.Input{Type: "bool", Default: "False"},
			given: map[string]string{"A": "1"}, want: "true"},
		{why: "an app's own spelling is normalised too", in: inputs.Input{Type: "bool", Default: "False"}, want: "false"},
		{why: "an app's own wrong default does not block", in: inputs.Input{Type: "bool", Default: "perhaps"}, want: "perhaps"},
		{why: "a number keeps its zeros", in: inputs.Input{Type: "int"}, given: map[string]string{"A": "0644"}, want: "0644"},
		{why: "a default need not match the app's own pattern", in: inputs.Input{Default: "d", Pattern: "^x$"}, want: "d"},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			c.in.Name = "A"
			values, wrong := inputs.CheckInputs([]inputs.Input{c.in}, c.given, c.supplied)
			g.Expect(wrong).To(BeEmpty())
			g.Expect(values).To(Equal(map[string]any{"A": c.want}))
		})
	}
}

func TestCheckInputsProblem(t *testing.T) {
	t.Parallel()
	option := func(values ...string) []inputs.Option {
		var options []inputs.Option
		for _, v := range values {
			options = append(options, inputs.Option{Title: v, Value: v})
		}
		return options
	}
	const strong = `^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[\w\-!@#]{8,}$`
	for _, c := range []struct {
		why   string
		in    inputs.Input
		given string
		want  string
	}{
		{why: "required and empty", in: inputs.Input{Required: true, Default: "d"}, given: "", want: "required"},
		{why: "optional and empty needs no pattern", in: inputs.Input{Pattern: "^x$", Type: "int"}, given: ""},
		{why: "fixed by the app", in: inputs.Input{Value: "v"}, given: "g", want: "must not be set because the app does not allow changes"},
		{why: "fixed, and given as it is", in: inputs.Input{Value: "v"}, given: "v"},
		{why: "not editable means after the install", in: inputs.Input{Default: "d"}, given: "g"},

		{why: "a bool", in: inputs.Input{Type: "bool"}, given: "TRUE"},
		{why: "no bool", in: inputs.Input{Type: "bool"}, given: "yes", want: "must be true or false"},
		{why: "an int", in: inputs.Input{Type: "int"}, given: "-12"},
		{why: "no int", in: inputs.Input{Type: "int"}, given: "1.5", want: "must be an integer"},
		{why: "an int beyond 64 bits", in: inputs.Input{Type: "int"}, given: "99999999999999999999", want: "must be an integer"},
		{why: "a URL", in: inputs.Input{Type: "url"}, given: "https://a.example/x?y"},
		{why: "a path is no URL", in: inputs.Input{Type: "url"}, given: "/x", want: "must be a URL"},
		{why: "a host is no URL", in: inputs.Input{Type: "url"}, given: "a.example", want: "must be a URL"},
		{why: "an address", in: inputs.Input{Type: "email"}, given: "a@b.example"},
		{why: "an address with a name", in: inputs.Input{Type: "email"}, given: "A <a@b.example>", want: "must be an email address"},
		{why: "a domain", in: inputs.Input{Type: "domain"}, given: "Mail-1.b.example"},
		{why: "a domain with an empty label", in: inputs.Input{Type: "domain"}, given: "a..example", want: "must be a domain name"},
		{why: "a domain with a port", in: inputs.Input{Type: "domain"}, given: "a.example:80", want: "must be a domain name"},
		{why: "a label that ends in a hyphen", in: inputs.Input{Type: "domain"}, given: "a-.example", want: "must be a domain name"},

		{why: "an option", in: inputs.Input{Options: option("a", "b")}, given: "b"},
		{why: "no option", in: inputs.Input{Options: option("a", "b")}, given: "c", want: "must be one of: a, b"},
		{why: "many options are not all listed", in: inputs.Input{Options: option(strings.Split("abcdefghijkl", "")...)},
			given: "z", want: "must be one of: a, b, c, d, e, f, g, h, i, j, and 2 more"},

		{why: "look-ahead", in: inputs.Input{Pattern: strong}, given: "abcdEF12"},
		{why: "look-ahead that fails", in: inputs.Input{Pattern: strong}, given: "abcdef12",
			want: "must match pattern " + strong},
		{why: "a pattern without anchors is looked for", in: inputs.Input{Pattern: "^hf://"}, given: "hf://a/b"},
		{why: "the end is the end", in: inputs.Input{Pattern: "^a$"}, given: "a\n", want: "must match pattern ^a$"},
		{why: "word characters are ASCII", in: inputs.Input{Pattern: `^\w+$`}, given: "é",
			want: `must match pattern ^\w+$`},
		{why: "a pattern that JavaScript does not know", in: inputs.Input{Pattern: `(?s)^a.b$`}, given: "a\nb"},
		{why: "a pattern that cannot be read is none", in: inputs.Input{Pattern: "(["}, given: "a"},
		{why: "a pattern that is too long is none", in: inputs.Input{Pattern: strings.Repeat("x", 1_001)}, given: "a"},
		{why: "a value that is too long", in: inputs.Input{}, given: strings.Repeat("x", 64<<10+1), want: "must have at most 65536 bytes"},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			c.in.Name = "A"
			_, wrong := inputs.CheckInputs([]inputs.Input{c.in}, map[string]string{"A": c.given}, nil)
			if c.want == "" {
				g.Expect(wrong).To(BeEmpty())
				return
			}
			g.Expect(wrong).To(Equal([]inputs.Problem{{Input: c.in, Problem: c.want}}))
		})
	}
}

func TestCheckInputsAtOnce(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	const secret = "hunter2-hunter2"
	declared := []inputs.Input{
		{Name: "NAME", Required: true},
		{Name: "PASSWORD", Type: "password", Required: true, Pattern: "^x{9}$"},
		{Name: "TOKEN", Type: "password", From: "SYSTEM_TOKEN", Required: true},
		{Name: "KEY", Required: true, From: "SYSTEM_KEY", Pattern: "^k"},
		{Name: "FINE", Required: true, Default: "d"},
	}
	given := map[string]string{"PASSWORD": secret, "ZEBRA": secret, "OTHER": ""}
	values, wrong := inputs.CheckInputs(declared, given, map[string]string{"SYSTEM_KEY": "z"})

	var problems []string
	for _, p := range wrong {
		problems = append(problems, p.Input.Name+": "+p.Problem)
		g.Expect(p.Problem).NotTo(ContainSubstring(secret))
	}
	g.Expect(problems).To(Equal([]string{
		"NAME: required",
		"PASSWORD: must match pattern ^x{9}$",
		"TOKEN: required",
		"KEY: must match pattern ^k",
		"OTHER: unknown input",
		"ZEBRA: unknown input",
	}))
	g.Expect(values).To(Equal(map[string]any{"NAME": "", "PASSWORD": "", "TOKEN": "", "KEY": "", "FINE": "d"}))
	g.Expect(given).To(HaveLen(3), "what is given is not changed")
}

func TestCheckInputsEndlessPattern(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var declared []inputs.Input
	given := map[string]string{}
	for _, name := range strings.Split(strings.Repeat("x", 200), "") {
		name += string(rune('0' + len(declared)))
		declared = append(declared, inputs.Input{Name: name, Pattern: `^(a+)+$`})
		given[name] = strings.Repeat("a", 60_000) + "b"
	}
	began := time.Now()
	_, wrong := inputs.CheckInputs(declared, given, nil)
	g.Expect(wrong).To(HaveLen(len(declared)))
	g.Expect(wrong[0].Problem).To(Equal("cannot be matched against the pattern in time"))
	g.Expect(time.Since(began)).To(BeNumerically("<", 20*time.Second), "all patterns together have one bound")
}

func FuzzCheckInputs(f *testing.F) {
	f.Add("string", `^(?=.*\d).{8,}$`, "secret12", true)
	f.Add("url", "", "https://a.example", false)
	f.Add("bool", "(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true)
	f.Fuzz(func(t *testing.T, kind, pattern, value string, required bool) {
		in := inputs.Input{Name: "A", Type: kind, Pattern: pattern, Required: required}
		values, wrong := inputs.CheckInputs([]inputs.Input{in}, map[string]string{"A": value}, nil)
		if len(values) != 1 || len(wrong) > 1 {
			t.Fatalf("got %d values and %d problems", len(values), len(wrong))
		}
	})
}
