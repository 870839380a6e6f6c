package manifest

import (
	"regexp"
	"slices"
	"strings"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/text"
)

// inputTypes are the types that hydrate.CheckInputs tells apart.
var inputTypes = []string{"string", "bool", "password", "url", "email", "int", "domain"}

func readInputs(top *fields) []hydrate.Input {
	var inputs []hydrate.Input
	for _, each := range top.list("envs", maxInputs, essential) {
		f := top.notes.open(each, essential)
		if f == nil {
			continue
		}
		in := readInput(f)
		f.done()
		named := func(other hydrate.Input) bool { return other.Name == in.Name }
		switch {
		case in.Name == "":
			top.notes.warn("%s has no envName and was left out", each.path)
		case slices.ContainsFunc(inputs, named):
			top.notes.warn("%s has the envName of another and was left out", each.path)
		default:
			inputs = append(inputs, in)
		}
	}
	return inputs
}

func readInput(f *fields) hydrate.Input {
	in := hydrate.Input{
		Name:        f.exact("envName", maxName),
		Title:       f.prose("title", maxLine),
		Description: f.prose("description", maxSummary),
		Type:        orElse(f.choice("type", inputTypes...), "string"),
		Required:    f.flag("required"),
		Editable:    f.flag("editable"),
		Default:     f.exact("default", hydrate.MaxInputBytes),
		Value:       f.exact("value", hydrate.MaxInputBytes),
		Pattern:     f.exact("regex", hydrate.MaxPatternBytes),
		Options:     readInputOptions(f),
	}
	from := f.mapping("valueFrom", optional)
	in.From = from.exact("envName", maxName)
	from.done()
	splitter := orElse(f.exact("splitter", maxLine), ",")
	if f.flag("multiSelect") && len(in.Options) > 0 {
		in.Pattern = orElse(in.Pattern, severalOf(in.Options, splitter))
		in.Options = nil
	}
	f.skip("remoteOptions", "applyOnChange")
	return in
}

func readInputOptions(f *fields) []hydrate.InputOption {
	var options []hydrate.InputOption
	for _, each := range f.list("options", maxOptions, optional) {
		if kind := kindOf(each.node); kind != kindMap && kind != kindList {
			value := f.notes.exact(each, maxSummary)
			options = append(options, hydrate.InputOption{Title: text.Truncate(value, maxLine), Value: value})
			continue
		}
		o := f.notes.open(each, optional)
		if o == nil {
			continue
		}
		option := hydrate.InputOption{Title: o.prose("title", maxLine), Value: o.exact("value", maxSummary)}
		o.done()
		option.Title = orElse(option.Title, text.Truncate(option.Value, maxLine))
		options = append(options, option)
	}
	return options
}

// severalOf is a pattern for one or more of the options, joined by the splitter.
// It stands in for the options where several may be chosen, because these are
// checked as "one of".
func severalOf(options []hydrate.InputOption, splitter string) string {
	words := make([]string, len(options))
	for i, option := range options {
		words[i] = regexp.QuoteMeta(option.Value)
	}
	one := "(?:" + strings.Join(words, "|") + ")"
	pattern := "^" + one + "(?:" + regexp.QuoteMeta(splitter) + one + ")*$"
	if len(pattern) > hydrate.MaxPatternBytes {
		return ""
	}
	return pattern
}
