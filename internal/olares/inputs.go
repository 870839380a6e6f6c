package olares

import (
	"regexp"
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/text"
)

// inputTypes contains the types that inputs.CheckInputs distinguishes.
var inputTypes = []string{"string", "bool", "password", "url", "email", "int", "domain"}

func readInputs(top *decoder) []inputs.Input {
	var declared []inputs.Input
	for _, each := range top.listItems("envs", maxInputs, essential) {
		d := top.warnings.openMapping(each, essential)
		if d == nil {
			continue
		}
		in := readInput(d)
		d.warnUnknownKeys()
		named := func(other inputs.Input) bool { return other.Name == in.Name }
		switch {
		case in.Name == "":
			top.warnings.addWarning("%s is ignored: envName is missing", each.path)
		case slices.ContainsFunc(declared, named):
			top.warnings.addWarning("%s is ignored: another input has the same envName", each.path)
		default:
			declared = append(declared, in)
		}
	}
	return declared
}

func readInput(d *decoder) inputs.Input {
	in := inputs.Input{
		Name:        d.boundedText("envName", maxName),
		Title:       d.truncatedText("title", maxLine),
		Description: d.truncatedText("description", maxSummary),
		Type:        firstNonEmpty(d.choiceField("type", inputTypes...), "string"),
		Required:    d.boolField("required"),
		Editable:    d.boolField("editable"),
		Default:     d.boundedText("default", inputs.MaxInputBytes),
		Value:       d.boundedText("value", inputs.MaxInputBytes),
		Pattern:     d.boundedText("regex", inputs.MaxPatternBytes),
		Options:     readInputOptions(d),
	}
	from := d.mappingField("valueFrom", optional)
	in.From = from.boundedText("envName", maxName)
	from.warnUnknownKeys()
	splitter := firstNonEmpty(d.boundedText("splitter", maxLine), ",")
	if d.boolField("multiSelect") && len(in.Options) > 0 {
		in.Pattern = firstNonEmpty(in.Pattern, multiSelectPattern(in.Options, splitter))
		in.Options = nil
	}
	d.ignoreKeys("remoteOptions", "applyOnChange")
	return in
}

func readInputOptions(d *decoder) []inputs.Option {
	var options []inputs.Option
	for _, each := range d.listItems("options", maxOptions, optional) {
		if kind := kindOf(each.node); kind != kindMap && kind != kindList {
			value := d.warnings.readBounded(each, maxSummary)
			options = append(options, inputs.Option{Title: text.Truncate(value, maxLine), Value: value})
			continue
		}
		o := d.warnings.openMapping(each, optional)
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

// multiSelectPattern returns a pattern for one or more of the options, joined by the
// splitter. It replaces the options of an input with several values, because the value of an
// input with options must be equal to one of them.
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
