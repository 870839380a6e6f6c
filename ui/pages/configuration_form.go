package pages

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/ui/locale"
)

// configurationForm is the part of a form that changes the title, the inputs and the values of an
// instance, or specifies the configuration of its clone. It begins with the present configuration, and only the
// changed fields become part of the task.
type configurationForm struct {
	DisplayTitle string
	Entrances    []*entranceField
	Values       string
	Inputs       *inputForm
	// IsClone reports that titles are required.
	IsClone bool
	// AppUnknown reports that the user cannot read the app, so that its inputs are unknown.
	AppUnknown bool
	// URL is the URL of the form, empty if the default values are unknown.
	URL string

	lang     *locale.Language
	instance *v1alpha1.AppInstance
	present  string
}

// entranceField is the title of an entrance in a form.
type entranceField struct{ Name, Field, ID, Label, Value, Problem string }

// newConfigurationForm returns the form for an instance with the entries of a request. app is the app
// of the instance, nil if the user cannot read it. The form contains the inputs of the version.
func newConfigurationForm(r *request, instance *v1alpha1.AppInstance, app *v1alpha1.AppInfo, version string) (*configurationForm, error) {
	form := &configurationForm{lang: r.lang, instance: instance, AppUnknown: app == nil}
	form.DisplayTitle = strings.TrimSpace(enteredOr(r, "title", instance.Spec.Title))
	list, note := findInputs(r, app, version)
	form.Inputs = newInputForm(r, instance.Namespace, list)
	form.Inputs.Note, form.Inputs.keepsMissing = note, true
	for _, field := range form.Inputs.all() {
		field.addPresent(r, form.Inputs, instance.Spec.Inputs)
	}
	for i, entrance := range visibleEntrances(instance, app) {
		field := &entranceField{
			Name: entrance.Name, Field: "entrance." + entrance.Name, ID: "entrance-" + strconv.Itoa(i), Label: cmp.Or(entrance.Title, entrance.Name),
		}
		field.Value = strings.TrimSpace(enteredOr(r, field.Field, presentEntranceTitle(instance, entrance.Name)))
		form.Entrances = append(form.Entrances, field)
	}
	if values := instance.Spec.Values; values != nil && !isEmptyJSON(values.Raw) {
		text, err := yaml.JSONToYAML(values.Raw)
		if err != nil {
			return nil, fmt.Errorf("read values of instance %s: %w", instance.Name, err)
		}
		form.present = string(text)
	}
	form.Values = strings.ReplaceAll(enteredOr(r, "values", form.present), "\r\n", "\n")
	return form, nil
}

// enteredOr returns the submitted text of a field, or the present text if the form was not submitted.
func enteredOr(r *request, field, present string) string {
	if r.PostForm.Has(field) {
		return r.PostForm.Get(field)
	}
	return present
}

// visibleEntrances returns the entrances that can have a title.
func visibleEntrances(instance *v1alpha1.AppInstance, app *v1alpha1.AppInfo) []v1alpha1.AppEntrance {
	var all []v1alpha1.AppEntrance
	if app != nil && app.Status.Summary != nil {
		all = slices.Clone(app.Status.Summary.Entrances)
	}
	if len(all) == 0 {
		for _, entrance := range instance.Status.Entrances {
			if entrance.Kind != "" {
				continue // The app does not declare it.
			}
			all = append(all, v1alpha1.AppEntrance{Name: entrance.Name, Title: entrance.Title, Hidden: entrance.Hidden})
		}
	}
	return slices.DeleteFunc(all, func(entrance v1alpha1.AppEntrance) bool { return entrance.Hidden })
}

func presentEntranceTitle(instance *v1alpha1.AppInstance, name string) string {
	for _, entrance := range instance.Spec.Entrances {
		if entrance.Name == name {
			return entrance.Title
		}
	}
	return ""
}

// isEmptyJSON reports whether a value is missing, null or an empty object.
func isEmptyJSON(raw []byte) bool {
	var decoded map[string]any
	return len(bytes.TrimSpace(raw)) == 0 || json.Unmarshal(raw, &decoded) == nil && len(decoded) == 0
}

// addPresent adds the value that an instance has for the input.
func (f *inputField) addPresent(r *request, form *inputForm, present []v1alpha1.InputValue) {
	i := slices.IndexFunc(present, func(value v1alpha1.InputValue) bool { return value.Name == f.Name })
	if i < 0 || f.Fixed {
		return
	}
	value := present[i]
	switch {
	case value.ValueFrom != nil:
		f.Kept = taskbuilder.InputSourceText(value.ValueFrom)
	case value.Value != nil && f.Secret:
		f.Kept = r.Text("configure.keptValue")
	case value.Value != nil:
		f.present = value.Value
		if !r.PostForm.Has(f.Field) {
			f.Value, form.given[f.Name] = *value.Value, *value.Value
		}
	}
}

// checkFields returns the problems of all fields.
func (f *configurationForm) checkFields() []fieldError {
	var problems []fieldError
	switch {
	case f.DisplayTitle == "" && f.instance.Spec.Title != "" && !f.IsClone:
		problems = append(problems, fieldError{"title", f.lang.Text("form.title"), f.lang.Text("fieldProblem.titleRemoved")})
	case len([]rune(f.DisplayTitle)) > 200:
		problems = append(problems, fieldError{"title", f.lang.Text("form.title"), f.lang.Text("fieldProblem.maxLength", "Value", 200)})
	}
	if f.IsClone {
		problems = append(problems, f.checkTitles()...)
	}
	for _, field := range f.Inputs.all() {
		if _, given := f.Inputs.given[field.Name]; field.present != nil && !given && *field.present != "" && !field.Reference.IsEntered() {
			f.Inputs.addError(field, f.lang.Text("fieldProblem.inputRemoved"))
		}
	}
	f.Inputs.check()
	problems = append(problems, f.Inputs.Errors...)
	if _, problem := encodeValues(f.lang, f.Values); problem != "" {
		problems = append(problems, fieldError{"values", f.lang.Text("form.values"), problem})
	}
	return problems
}

// checkTitles returns the problems of the titles of a clone. The task also compares them with the
// titles of all instances in the namespace.
func (f *configurationForm) checkTitles() []fieldError {
	const own = "title"
	required, given := []inputs.Entrance{{Name: own}}, map[string]string{own: f.DisplayTitle}
	byName := map[string]*entranceField{own: {ID: own, Label: f.lang.Text("form.title")}}
	for _, entrance := range f.Entrances {
		name := entrance.Field
		required, given[name], byName[name] = append(required, inputs.Entrance{Name: name}), entrance.Value, entrance
	}
	var problems []fieldError
	for _, problem := range inputs.CheckTitles(required, given, nil) {
		field := byName[problem.Input.Name]
		field.Problem = translateText(f.lang, strings.Replace(problem.Problem, "required", "a title is required", 1))
		problems = append(problems, fieldError{field.ID, field.Label, field.Problem})
	}
	return problems
}

// changedConfiguration returns the fields that differ from the instance, and the entered confidential inputs by
// the keys of the Secret with a name.
func (f *configurationForm) changedConfiguration(secret string) (v1alpha1.AppConfiguration, map[string]string) {
	var changed v1alpha1.AppConfiguration
	if f.DisplayTitle != f.instance.Spec.Title || f.IsClone {
		changed.Title = f.DisplayTitle
	}
	for _, field := range f.Entrances {
		if f.IsClone || field.Value != presentEntranceTitle(f.instance, field.Name) {
			changed.Entrances = f.entranceTitles()
			break
		}
	}
	if f.Values != f.present {
		changed.Values = f.changedValues()
	}
	list, confidential := f.Inputs.values(secret)
	changed.Inputs = list
	return changed, confidential
}

// entranceTitles returns all titles of entrances that are not empty.
func (f *configurationForm) entranceTitles() []v1alpha1.EntranceTitle {
	var titles []v1alpha1.EntranceTitle
	for _, field := range f.Entrances {
		if field.Value != "" {
			titles = append(titles, v1alpha1.EntranceTitle{Name: field.Name, Title: field.Value})
		}
	}
	return titles
}

// changedValues returns the entered values if they differ from the values of the instance, an empty object
// if they were removed.
func (f *configurationForm) changedValues() *runtime.RawExtension {
	raw, problem := encodeValues(f.lang, f.Values)
	present, _ := encodeValues(f.lang, f.present)
	if problem != "" || bytes.Equal(raw, present) {
		return nil
	}
	if raw == nil {
		raw = []byte("{}")
	}
	return &runtime.RawExtension{Raw: raw}
}
