package pages

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/locale"
)

// maxRadioOptions and maxSelectOptions are the numbers of options up to which an input is a group of radio buttons,
// and a list. With more options, it is a text with proposals.
const maxRadioOptions, maxSelectOptions = 5, 25

// storageClassName matches the name of an input whose value is the name of a StorageClass.
var storageClassName = regexp.MustCompile(`(?i)storage_?class(_?name)?$`)

func newInputField(l *locale.Language, input formInput, index int) *inputField {
	field := &inputField{formInput: input, ID: "input-" + strconv.Itoa(index), Field: "input." + input.Name, HTMLType: "text"}
	field.Problem = ""
	field.Label = cmp.Or(input.Title, input.Name)
	field.Secret = input.Secret || input.Type == "password"
	field.Widget = widgetOf(input)
	if input.Type == "url" || input.Type == "email" {
		field.HTMLType = input.Type
	}
	if field.Widget == "bool" || field.Widget == "fixed" {
		input.Default = "" // The field shows it.
	}
	field.Hint = hintOf(l, input.Input)
	return field
}

// widgetOf returns the widget of an input.
func widgetOf(input formInput) string {
	switch {
	case input.Fixed:
		return "fixed"
	case input.Secret || input.Type == "password":
		return "password"
	case len(input.Options) > 0:
		return optionsWidget(input)
	case input.Type == "bool":
		return "bool"
	case input.Type == "int" || input.Minimum != "" || input.Maximum != "":
		return "number"
	case input.Multiline:
		return "textarea"
	case input.Type == "string" && storageClassName.MatchString(input.Name):
		return "storageClass"
	}
	return "text"
}

// optionsWidget returns the widget of an input with options.
func optionsWidget(input formInput) string {
	switch {
	case len(input.Options) > maxSelectOptions:
		return "options"
	case len(input.Options) > maxRadioOptions || !input.Required:
		return "select"
	}
	return "radio"
}

// hintOf returns what a value must be like.
func hintOf(l *locale.Language, input v1alpha1.Input) string {
	var hints []string
	switch {
	case input.Minimum != "" && input.Maximum != "":
		hints = append(hints, l.Text("hint.range", "Minimum", input.Minimum, "Maximum", input.Maximum))
	case input.Minimum != "":
		hints = append(hints, l.Text("hint.minimum", "Minimum", input.Minimum))
	case input.Maximum != "":
		hints = append(hints, l.Text("hint.maximum", "Maximum", input.Maximum))
	}
	if input.MinLength != nil && *input.MinLength > 0 {
		hints = append(hints, l.Text("hint.minLength", "Length", *input.MinLength))
	}
	if input.MaxLength != nil && *input.MaxLength < 1000 {
		hints = append(hints, l.Text("hint.maxLength", "Length", *input.MaxLength))
	}
	if input.Default != "" {
		hints = append(hints, l.Text("hint.default", "Value", input.Default))
	}
	if input.ShowIf != "" {
		hints = append(hints, l.Text("hint.showIf", "Condition", input.ShowIf))
	}
	return strings.Join(hints, " ")
}
