package hydrate_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
)

func TestCheckInputsValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why      string
		in       hydrate.Input
		given    map[string]string
		supplied map[string]string
		want     string
	}{
		{why: "nothing is known", in: hydrate.Input{}, want: ""},
		{why: "a default is used", in: hydrate.Input{Default: "d"}, want: "d"},
		{why: "the platform wins over the default", in: hydrate.Input{Default: "d"},
			supplied: map[string]string{"A": "s"}, want: "s"},
		{why: "the platform's own name of it comes first", in: hydrate.Input{From: "P"},
			supplied: map[string]string{"A": "s", "P": "p"}, want: "p"},
		{why: "an empty supplied value is none", in: hydrate.Input{From: "P", Default: "d"},
			supplied: map[string]string{"P": ""}, want: "d"},
		{why: "an input without From is not supplied by the empty name", in: hydrate.Input{Default: "d"},
			supplied: map[string]string{"": "s"}, want: "d"},
		{why: "the app's own value wins over the platform", in: hydrate.Input{Value: "v", Default: "d"},
			supplied: map[string]string{"A": "s"}, want: "v"},
		{why: "what is given wins", in: hydrate.Input{Value: "v", Default: "d", Editable: true},
			given: map[string]string{"A": "g"}, supplied: map[string]string{"A": "s"}, want: "g"},
		{why: "one may ask for nothing instead of the default", in: hydrate.Input{Default: "d"},
			given: map[string]string{"A": ""}, want: ""},
		{why: "a boolean has one spelling", in: hydrate.Input{Type: "bool", Default: "False"},
			given: map[string]string{"A": "1"}, want: "true"},
		{why: "an app's own spelling is normalised too", in: hydrate.Input{Type: "bool", Default: "False"}, want: "false"},
		{why: "an app's own wrong default does not block", in: hydrate.Input{Type: "bool", Default: "perhaps"}, want: "perhaps"},
		{why: "a number keeps its zeros", in: hydrate.Input{Type: "int"}, given: map[string]string{"A": "0644"}, want: "0644"},
		{why: "a default need not match the app's own pattern", in: hydrate.Input{Default: "d", Pattern: "^x$"}, want: "d"},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			c.in.Name = "A"
			values, wrong := hydrate.CheckInputs([]hydrate.Input{c.in}, c.given, c.supplied)
			g.Expect(wrong).To(BeEmpty())
			g.Expect(values).To(Equal(map[string]any{"A": c.want}))
		})
	}
}

func TestCheckInputsProblem(t *testing.T) {
	t.Parallel()
	option := func(values ...string) []hydrate.InputOption {
		var options []hydrate.InputOption
		for _, v := range values {
			options = append(options, hydrate.InputOption{Title: v, Value: v})
		}
		return options
	}
	const strong = `^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[\w\-!@#]{8,}$`
	for _, c := range []struct {
		why   string
		in    hydrate.Input
		given string
		want  string
	}{
		{why: "required and empty", in: hydrate.Input{Required: true, Default: "d"}, given: "", want: "required"},
		{why: "optional and empty needs no pattern", in: hydrate.Input{Pattern: "^x$", Type: "int"}, given: ""},
		{why: "fixed by the app", in: hydrate.Input{Value: "v"}, given: "g", want: "cannot be edited"},
		{why: "fixed, and given as it is", in: hydrate.Input{Value: "v"}, given: "v"},
		{why: "not editable means after the install", in: hydrate.Input{Default: "d"}, given: "g"},

		{why: "a bool", in: hydrate.Input{Type: "bool"}, given: "TRUE"},
		{why: "no bool", in: hydrate.Input{Type: "bool"}, given: "yes", want: "not true or false"},
		{why: "an int", in: hydrate.Input{Type: "int"}, given: "-12"},
		{why: "no int", in: hydrate.Input{Type: "int"}, given: "1.5", want: "not a whole number"},
		{why: "an int beyond 64 bits", in: hydrate.Input{Type: "int"}, given: "99999999999999999999", want: "not a whole number"},
		{why: "a URL", in: hydrate.Input{Type: "url"}, given: "https://a.example/x?y"},
		{why: "a path is no URL", in: hydrate.Input{Type: "url"}, given: "/x", want: "not a URL"},
		{why: "a host is no URL", in: hydrate.Input{Type: "url"}, given: "a.example", want: "not a URL"},
		{why: "an address", in: hydrate.Input{Type: "email"}, given: "a@b.example"},
		{why: "an address with a name", in: hydrate.Input{Type: "email"}, given: "A <a@b.example>", want: "not an e-mail address"},
		{why: "a domain", in: hydrate.Input{Type: "domain"}, given: "Mail-1.b.example"},
		{why: "a domain with an empty label", in: hydrate.Input{Type: "domain"}, given: "a..example", want: "not a domain name"},
		{why: "a domain with a port", in: hydrate.Input{Type: "domain"}, given: "a.example:80", want: "not a domain name"},
		{why: "a label that ends in a hyphen", in: hydrate.Input{Type: "domain"}, given: "a-.example", want: "not a domain name"},

		{why: "an option", in: hydrate.Input{Options: option("a", "b")}, given: "b"},
		{why: "no option", in: hydrate.Input{Options: option("a", "b")}, given: "c", want: "not one of: a, b"},
		{why: "many options are not all listed", in: hydrate.Input{Options: option(strings.Split("abcdefghijkl", "")...)},
			given: "z", want: "not one of: a, b, c, d, e, f, g, h, i, j, and 2 more"},

		{why: "look-ahead", in: hydrate.Input{Pattern: strong}, given: "abcdEF12"},
		{why: "look-ahead that fails", in: hydrate.Input{Pattern: strong}, given: "abcdef12",
			want: "does not match pattern " + strong},
		{why: "a pattern without anchors is looked for", in: hydrate.Input{Pattern: "^hf://"}, given: "hf://a/b"},
		{why: "the end is the end", in: hydrate.Input{Pattern: "^a$"}, given: "a\n", want: "does not match pattern ^a$"},
		{why: "word characters are those of ASCII", in: hydrate.Input{Pattern: `^\w+$`}, given: "é",
			want: `does not match pattern ^\w+$`},
		{why: "a pattern that JavaScript does not know", in: hydrate.Input{Pattern: `(?s)^a.b$`}, given: "a\nb"},
		{why: "a pattern that cannot be read is none", in: hydrate.Input{Pattern: "(["}, given: "a"},
		{why: "a pattern that is too long is none", in: hydrate.Input{Pattern: strings.Repeat("x", 1_001)}, given: "a"},
		{why: "a value that is too long", in: hydrate.Input{}, given: strings.Repeat("x", 64<<10+1), want: "longer than 65536 bytes"},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			c.in.Name = "A"
			_, wrong := hydrate.CheckInputs([]hydrate.Input{c.in}, map[string]string{"A": c.given}, nil)
			if c.want == "" {
				g.Expect(wrong).To(BeEmpty())
				return
			}
			g.Expect(wrong).To(Equal([]hydrate.InputProblem{{Input: c.in, Problem: c.want}}))
		})
	}
}

func TestCheckInputsAtOnce(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	const secret = "hunter2-hunter2"
	inputs := []hydrate.Input{
		{Name: "NAME", Required: true},
		{Name: "PASSWORD", Type: "password", Required: true, Pattern: "^x{9}$"},
		{Name: "TOKEN", Type: "password", From: "SYSTEM_TOKEN", Required: true},
		{Name: "KEY", Required: true, From: "SYSTEM_KEY", Pattern: "^k"},
		{Name: "FINE", Required: true, Default: "d"},
	}
	given := map[string]string{"PASSWORD": secret, "ZEBRA": secret, "OTHER": ""}
	values, wrong := hydrate.CheckInputs(inputs, given, map[string]string{"SYSTEM_KEY": "z"})

	var problems []string
	for _, p := range wrong {
		problems = append(problems, p.Input.Name+": "+p.Problem)
		g.Expect(p.Problem).NotTo(ContainSubstring(secret))
	}
	g.Expect(problems).To(Equal([]string{
		"NAME: required",
		"PASSWORD: does not match pattern ^x{9}$",
		"TOKEN: required",
		"KEY: does not match pattern ^k",
		"OTHER: unknown input",
		"ZEBRA: unknown input",
	}))
	g.Expect(values).To(Equal(map[string]any{"NAME": "", "PASSWORD": "", "TOKEN": "", "KEY": "", "FINE": "d"}))
	g.Expect(given).To(HaveLen(3), "what is given is not changed")
}

func TestCheckInputsEndlessPattern(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var inputs []hydrate.Input
	given := map[string]string{}
	for _, name := range strings.Split(strings.Repeat("x", 200), "") {
		name += string(rune('0' + len(inputs)))
		inputs = append(inputs, hydrate.Input{Name: name, Pattern: `^(a+)+$`})
		given[name] = strings.Repeat("a", 60_000) + "b"
	}
	began := time.Now()
	_, wrong := hydrate.CheckInputs(inputs, given, nil)
	g.Expect(wrong).To(HaveLen(len(inputs)))
	g.Expect(wrong[0].Problem).To(Equal("cannot be checked against its pattern in time"))
	g.Expect(time.Since(began)).To(BeNumerically("<", 20*time.Second), "all patterns together have one bound")
}

func FuzzCheckInputs(f *testing.F) {
	f.Add("string", `^(?=.*\d).{8,}$`, "secret12", true)
	f.Add("url", "", "https://a.example", false)
	f.Add("bool", "(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true)
	f.Fuzz(func(t *testing.T, kind, pattern, value string, required bool) {
		in := hydrate.Input{Name: "A", Type: kind, Pattern: pattern, Required: required}
		values, wrong := hydrate.CheckInputs([]hydrate.Input{in}, map[string]string{"A": value}, nil)
		if len(values) != 1 || len(wrong) > 1 {
			t.Fatalf("got %d values and %d problems", len(values), len(wrong))
		}
	})
}
