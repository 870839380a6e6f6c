package olares

import (
	"regexp"
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/text"
)

// inputTypes are the types that hydrate.CheckInputs tells apart.
var inputTypes = []string{"string", "bool", "password", "url", "email", "int", "domain"}

func readInputs(top *decoder) []inputs.Input {
	var declared []inputs.Input
	for _, each := range top.listItems("envs", maxInputs, essential) {
		f := top.warnings.openMapping(each, essential)
		if f == nil {
			continue
		}
		in := readInput(f)
		f.warnUnknownKeys()
		named := func(other inputs.Input) bool { return other.Name == in.Name }
		switch {
		case in.Name == "":
			top.warnings.addWarning("%s has no envName and was left out", each.path)
		case slices.ContainsFunc(declared, named):
			top.warnings.addWarning("%s has the envName of another and was left out", each.path)
		default:
			declared = append(declared, in)
		}
	}
	return declared
}

func readInput(f *decoder) inputs.Input {
	in := inputs.Input{
		Name:        f.boundedText("envName", maxName),
		Title:       f.truncatedText("title", maxLine),
		Description: f.truncatedText("description", maxSummary),
		Type:        firstNonEmpty(f.choiceField("type", inputTypes...), "string"),
		Required:    f.boolField("required"),
		Editable:    f.boolField("editable"),
		Default:     f.boundedText("default", inputs.MaxInputBytes),
		Value:       f.boundedText("value", inputs.MaxInputBytes),
		Pattern:     f.boundedText("regex", inputs.MaxPatternBytes),
		Options:     readInputOptions(f),
	}
	from := f.mappingField("valueFrom", optional)
	in.From = from.boundedText("envName", maxName)
	from.warnUnknownKeys()
	splitter := firstNonEmpty(f.boundedText("splitter", maxLine), ",")
	if f.boolField("multiSelect") && len(in.Options) > 0 {
		in.Pattern = firstNonEmpty(in.Pattern, multiSelectPattern(in.Options, splitter))
		in.Options = nil
	}
	f.ignoreKeys("remoteOptions", "applyOnChange")
	return in
}

func readInputOptions(f *decoder) []inputs.Option {
	var options []inputs.Option
	for _, each := range f.listItems("options", maxOptions, optional) {
		if kind := kindOf(each.node); kind != kindMap && kind != kindList {
			value := f.warnings.readBounded(each, maxSummary)
			options = append(options, inputs.Option{Title: text.Truncate(value, maxLine), Value: value})
			continue
		}
		o := f.warnings.openMapping(each, optional)
		if o == nil {
			continue
		}
		option := inputs.Option{Title: o.truncatedText("title", maxLine), Value: o.boundedText("value", maxSummary)}
		o.warnUnknownKeys()
		option.Title = firstNonEmpty(option.Title, text.Truncate(option.Value, maxLine))
		options = append(options, option)
	}
	return options
}

// severalOf is a pattern for one or more of the options, joined by the splitter.
// It stands in for the options where several may be chosen, because these are
// checked as "one of".
func multiSelectPattern(options []inputs.Option, splitter string) string {
	words := make([]string, len(options))
	for i, option := range options {
		words[i] = regexp.QuoteMeta(option.Value)
	}
	one := "(?:" + strings.Join(words, "|") + ")"
	pattern := "^" + one + "(?:" + regexp.QuoteMeta(splitter) + one + ")*$"
	if len(pattern) > inputs.MaxPatternBytes {
		return ""
	}
	return pattern
}
