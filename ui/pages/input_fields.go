package pages

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/ui/locale"
)

// maxOpenInputs is the number of optional inputs that are shown at once.
const maxOpenInputs = 8

// inputField is an input in a form.
type inputField struct {
	formInput

	ID, Field string
	// Widget is text, textarea, password, number, radio, select, options, storageClass, bool or fixed.
	Widget string
	// Value is the entered text. It is always empty for a confidential input.
	Value string
	// Reference is where the value is read from instead, empty if it is entered.
	Reference inputReference
	// Kinds are the kinds of the objects from which the value can be read.
	Kinds       []option
	Label, Hint string
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
	// request and namespace are used for the proposals, which are read only if the form shows them.
	request   *request
	namespace string
	// given contains the entered values by the names of the inputs.
	given map[string]string
	// keepsMissing reports that a missing value is no problem, because an instance may have it.
	keepsMissing bool
}

// fieldError is the problem with a field of a form.
type fieldError struct{ ID, Label, Text string }

// all returns all fields.
func (f *inputForm) all() []*inputField { return slices.Concat(f.Fields, f.Optional) }

// newInputForm returns the form of inputs of an instance in a namespace with the values that a request contains.
func newInputForm(r *request, namespace string, list []formInput) *inputForm {
	form := &inputForm{lang: r.lang, request: r, namespace: namespace, given: map[string]string{}}
	for i, input := range list {
		field := newInputField(r.lang, input, i)
		if entered := field.addEntries(r); entered != "" {
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

// addEntries adds the entries of a request to the field, and returns the value that is entered: a value or a
// reference. An entered confidential value replaces the reference to a Secret, and any other reference replaces the
// value, which can be the present one of an instance.
func (f *inputField) addEntries(r *request) (entered string) {
	if f.Fixed {
		return ""
	}
	entered = strings.ReplaceAll(r.PostFormValue(f.Field), "\r\n", "\n")
	if f.Type == "bool" || f.Widget == "number" {
		entered = strings.TrimSpace(entered)
	}
	reference := enteredReference(r, f.Name)
	f.Kinds = referenceKinds(r.lang, reference.Kind)
	if f.Secret {
		if r.Method == http.MethodGet {
			entered = "" // Only a user enters a confidential value.
		}
		if entered == "" {
			f.Reference = reference
			f.Reference.Kind = referenceToSecret
		}
		return entered
	}
	f.Value, f.Reference = entered, reference
	if reference.IsEntered() {
		return ""
	}
	return entered
}

// inputGroup are the optional inputs below a heading.
type inputGroup struct {
	Title  string
	Fields []*inputField
}

// Groups returns the optional inputs by their headings: those without one first, and the others in the order of the
// app.
func (f *inputForm) Groups() []inputGroup {
	groups := []inputGroup{{Title: f.lang.Text("form.optionalInputs")}}
	for _, field := range f.Optional {
		i := 0
		if field.Group != "" {
			i = slices.IndexFunc(groups[1:], func(group inputGroup) bool { return group.Title == field.Group }) + 1
		}
		if i == 0 && field.Group != "" {
			groups = append(groups, inputGroup{Title: field.Group})
			i = len(groups) - 1
		}
		groups[i].Fields = append(groups[i].Fields, field)
	}
	if len(groups[0].Fields) == 0 {
		return groups[1:]
	}
	return groups
}

// check adds the problems of the entered values.
func (f *inputForm) check() {
	fields := f.all()
	known := make([]inputs.Input, 0, len(fields))
	for _, field := range fields {
		known = append(known, toInput(field.formInput))
	}
	hidden := inputs.HiddenInputs(known, f.given, nil)
	_, problems := inputs.CheckInputs(known, f.given, nil)
	f.OnlyMissing = true
	for _, problem := range problems {
		if hidden[problem.Input.Name] {
			continue
		}
		i := slices.IndexFunc(fields, func(field *inputField) bool { return field.Name == problem.Input.Name })
		if i < 0 || problem.IsMissing() && (f.keepsMissing || fields[i].Reference.IsEntered()) {
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
		if problem := field.Reference.problem(f.lang); problem != "" {
			f.OnlyMissing = false
			f.addError(field, problem)
		}
	}
	f.OnlyMissing = f.OnlyMissing && len(f.Errors) > 0
}

// hidden returns the names of the inputs that other inputs make useless. They are not sent.
func (f *inputForm) hidden() map[string]bool {
	var known []inputs.Input
	for _, field := range f.all() {
		known = append(known, toInput(field.formInput))
	}
	return inputs.HiddenInputs(known, f.given, nil)
}

func (f *inputForm) addError(field *inputField, text string) {
	field.Problem = text
	f.Errors = append(f.Errors, fieldError{field.ID, field.Label, text})
}

// toInput returns an input of a status in the form in which values are checked.
func toInput(input formInput) inputs.Input {
	in := inputs.Input{
		Name: input.Name, Type: input.Type, Required: input.Required, Editable: !input.Fixed, Default: input.Default, Pattern: input.Pattern, ShowIf: input.ShowIf,
		Number: input.Type != "int" && (input.Minimum != "" || input.Maximum != ""),
	}
	if input.Fixed {
		in.Value = input.Default
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
		case field.Reference.IsEntered():
			value.ValueFrom = field.Reference.source()
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
