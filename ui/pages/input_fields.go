package pages

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/ui/locale"
)

const (
	// maxRadioOptions is the number of options up to which an input is a group of radio buttons.
	maxRadioOptions = 5
	// maxOpenInputs is the number of optional inputs that are shown at once.
	maxOpenInputs = 8
)

// inputField is an input in a form.
type inputField struct {
	v1alpha1.Input

	ID, Field string
	// Widget is text, password, number, radio, select or bool.
	Widget string
	// Value is the entered text. It is always empty for a confidential input.
	Value string
	// SecretName and SecretKey refer to an existing Secret that contains the value.
	SecretName, SecretKey string
	Label, Hint           string
	// Type of the HTML input.
	HTMLType string
	// Kept says where an instance reads the present value from, if the form changes an instance and the
	// value is not shown.
	Kept string

	// present is the value that the instance has, nil if it has none or it is not shown.
	present *string
}

// inputForm is the part of a form that has the inputs of an app.
type inputForm struct {
	// Fields are the required inputs without a default, and Optional the others.
	Fields, Optional []*inputField
	// Folded reports that the optional inputs are closed at first.
	Folded bool
	// Note says that the form contains the inputs of another version, empty if it does not.
	Note string
	// Errors are the problems, in the order of the fields.
	Errors []fieldError
	// OnlyMissing reports that all errors are about missing values, which the market may supply.
	OnlyMissing bool

	lang *locale.Language
	// given contains the entered values by the names of the inputs.
	given map[string]string
	// keepsMissing reports that a missing value is no problem, because an instance may have it.
	keepsMissing bool
}

// fieldError is the problem with a field of a form.
type fieldError struct{ ID, Label, Text string }

// all returns all fields.
func (f *inputForm) all() []*inputField { return slices.Concat(f.Fields, f.Optional) }

// newInputForm returns the form of inputs with the values that a request contains.
func newInputForm(r *request, list []v1alpha1.Input) *inputForm {
	form := &inputForm{lang: r.lang, given: map[string]string{}}
	for i, input := range list {
		field := newInputField(r.lang, input, i)
		entered := r.PostFormValue(field.Field)
		if field.Type == "bool" || field.Widget == "number" {
			entered = strings.TrimSpace(entered)
		}
		if field.Secret {
			if r.Method == http.MethodGet {
				entered = "" // Only a user enters a confidential value.
			}
			if entered == "" { // An entered value replaces the value in the Secret.
				field.SecretName, field.SecretKey = strings.TrimSpace(r.PostFormValue("secret."+input.Name)), strings.TrimSpace(r.PostFormValue("key."+input.Name))
			}
		} else {
			field.Value = entered
		}
		if entered != "" {
			form.given[input.Name] = entered
		}
		if input.Required && input.Default == "" {
			form.Fields = append(form.Fields, field)
		} else {
			form.Optional = append(form.Optional, field)
		}
	}
	form.Folded = len(form.Optional) > maxOpenInputs
	return form
}

func newInputField(l *locale.Language, input v1alpha1.Input, index int) *inputField {
	field := &inputField{Input: input, ID: "input-" + strconv.Itoa(index), Field: "input." + input.Name, Widget: "text", HTMLType: "text"}
	field.Problem = ""
	field.Label = cmp.Or(input.Title, input.Name)
	switch {
	case input.Secret || input.Type == "password":
		field.Secret, field.Widget = true, "password"
	case len(input.Options) > maxRadioOptions || len(input.Options) > 0 && !input.Required:
		field.Widget = "select"
	case len(input.Options) > 0:
		field.Widget = "radio"
	case input.Type == "bool":
		field.Widget = "bool"
	case input.Type == "int" || input.Minimum != "" || input.Maximum != "":
		field.Widget = "number"
	case input.Type == "url" || input.Type == "email":
		field.HTMLType = input.Type
	}
	if field.Widget == "bool" {
		input.Default = "" // The field shows it as an option.
	}
	field.Hint = hintOf(l, input)
	return field
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

// check adds the problems of the entered values.
func (f *inputForm) check() {
	fields := f.all()
	known := make([]inputs.Input, 0, len(fields))
	for _, field := range fields {
		known = append(known, toInput(field.Input))
	}
	hidden := inputs.HiddenInputs(known, f.given, nil)
	_, problems := inputs.CheckInputs(known, f.given, nil)
	f.OnlyMissing = true
	for _, problem := range problems {
		if hidden[problem.Input.Name] {
			continue
		}
		i := slices.IndexFunc(fields, func(field *inputField) bool { return field.Name == problem.Input.Name })
		if i < 0 || problem.IsMissing() && (f.keepsMissing || fields[i].SecretName != "") {
			continue
		}
		text := translateText(f.lang, problem.Problem)
		if problem.IsMissing() {
			text = f.lang.Text("fieldProblem.required")
		} else {
			f.OnlyMissing = false
		}
		f.addError(fields[i], text)
	}
	for _, field := range fields {
		if (field.SecretName == "") != (field.SecretKey == "") {
			f.OnlyMissing = false
			f.addError(field, f.lang.Text("fieldProblem.secret"))
		}
	}
	f.OnlyMissing = f.OnlyMissing && len(f.Errors) > 0
}

// hidden returns the names of the inputs that other inputs make useless. They are not sent.
func (f *inputForm) hidden() map[string]bool {
	var known []inputs.Input
	for _, field := range f.all() {
		known = append(known, toInput(field.Input))
	}
	return inputs.HiddenInputs(known, f.given, nil)
}

func (f *inputForm) addError(field *inputField, text string) {
	field.Problem = text
	f.Errors = append(f.Errors, fieldError{field.ID, field.Label, text})
}

// toInput returns an input of a status in the form in which values are checked.
func toInput(input v1alpha1.Input) inputs.Input {
	in := inputs.Input{
		Name: input.Name, Type: input.Type, Required: input.Required, Editable: true, Default: input.Default, Pattern: input.Pattern, ShowIf: input.ShowIf,
		Number: input.Type != "int" && (input.Minimum != "" || input.Maximum != ""),
	}
	for _, each := range input.Options {
		in.Options = append(in.Options, inputs.Option{Title: each.Title, Value: each.Value})
	}
	if input.Minimum != "" || input.Maximum != "" {
		in.Range = &inputs.Bounds{Min: numberOf(input.Minimum), Max: numberOf(input.Maximum)}
	}
	if input.MinLength != nil || input.MaxLength != nil {
		in.Length = &inputs.Bounds{Min: floatOf(input.MinLength), Max: floatOf(input.MaxLength)}
	}
	return in
}

func numberOf(text string) *float64 {
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil
	}
	return &number
}

func floatOf(count *int64) *float64 {
	if count == nil {
		return nil
	}
	number := float64(*count)
	return &number
}

// values returns the inputs of a task, and the entered confidential values by the keys of the
// Secret with a name.
func (f *inputForm) values(secret string) (list []v1alpha1.InputValue, confidential map[string]string) {
	confidential = map[string]string{}
	hidden := f.hidden()
	for _, field := range f.all() {
		if hidden[field.Name] {
			continue
		}
		value := v1alpha1.InputValue{Name: field.Name}
		entered, isGiven := f.given[field.Name]
		switch {
		case field.SecretName != "":
			value = taskbuilder.SecretInput(field.Name, field.SecretName, field.SecretKey)
		case !isGiven, field.present != nil && *field.present == entered:
			continue
		case field.Secret:
			key := secretKeyOf(field.Name)
			for _, taken := confidential[key]; taken; _, taken = confidential[key] {
				key += "_"
			}
			value = taskbuilder.SecretInput(field.Name, secret, key)
			confidential[key] = entered
		default:
			value.Value = &entered
		}
		list = append(list, value)
	}
	return list, confidential
}

// secretKeyOf returns the name of an input as a key of a Secret.
func secretKeyOf(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
			return c
		}
		return '_'
	}, name)
}
