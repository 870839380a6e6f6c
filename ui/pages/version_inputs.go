package pages

import (
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/ui/reports"
)

// Limits on the texts of inputs in a report. Inputs in a status have the same limits.
const (
	maxInputName, maxInputTitle, maxInputText, maxInputType = 253, 200, 1024, 32
)

// formInput is an input of an app with what only a form needs to know about it.
type formInput struct {
	v1alpha1.Input

	// Group is the heading of the input, empty if it has none.
	Group string
	// Multiline reports that the value can have several lines.
	Multiline bool
	// Fixed reports that the app sets the value, which is the default, and does not allow another one.
	Fixed bool
}

// toFormInputs returns inputs of a status.
func toFormInputs(list []v1alpha1.Input) []formInput {
	inputs := make([]formInput, len(list))
	for i := range list {
		inputs[i].Input = list[i]
	}
	return inputs
}

// findInputs returns the inputs of a version of an app. If they cannot be read, it returns the inputs of the
// selected version as its status contains them, and a note that says so for another version. An empty version is
// the selected one.
func findInputs(r *request, app *v1alpha1.AppInfo, version string) (list []formInput, note string) {
	if app == nil {
		return nil, ""
	}
	if app.Status.Summary != nil {
		list = toFormInputs(app.Status.Summary.Inputs)
	}
	selected := app.Status.SelectedVersion
	problem := ""
	if published := publishedVersion(app, cmp.Or(version, selected)); published != nil {
		var report []byte
		if report, problem = fetchReport(r, published, reports.Inputs); report != nil {
			if found, err := readInputs(report); err == nil {
				return found, ""
			}
		}
	}
	if version == "" || version == selected {
		return list, ""
	}
	note = r.Text("versionInputs.unknown", "Version", text.Limit(version, maxInputName), "Selected", selected)
	return list, strings.TrimSpace(note + " " + problem)
}

// readInputs reads a report with inputs. Inputs without a usable name, and further ones with the same name,
// are omitted.
func readInputs(report []byte) ([]formInput, error) {
	var reported []inputs.ReportedInput
	if err := json.Unmarshal(report, &reported); err != nil {
		return nil, err
	}
	list, seen := []formInput{}, map[string]bool{}
	for _, in := range inputs.FromReport(reported) {
		if in.Name == "" || len(in.Name) > maxInputName || seen[in.Name] {
			continue
		}
		seen[in.Name] = true
		list = append(list, toFormInput(in))
	}
	return list, nil
}

// toFormInput returns an input of a report in the form of the status, with all its options. The default of a
// password is omitted.
func toFormInput(in inputs.Input) formInput {
	input := formInput{Group: text.Limit(in.Group, maxInputTitle), Multiline: in.Multiline, Fixed: in.Value != "" && !in.Editable}
	input.Input = v1alpha1.Input{
		Name: in.Name, Type: text.Limit(in.Type, maxInputType), Title: text.Limit(in.Title, maxInputTitle), Description: text.Limit(in.Description, maxInputText),
		Pattern: text.Limit(in.Pattern, maxInputText), ShowIf: text.Limit(in.ShowIf, maxInputText), Secret: in.Type == "password", Required: in.Required,
	}
	if !input.Secret {
		input.Default = text.Limit(cmp.Or(in.Value, in.Default), maxInputText)
	}
	if in.Range != nil {
		input.Minimum, input.Maximum = textOfNumber(in.Range.Min), textOfNumber(in.Range.Max)
	}
	if in.Length != nil {
		input.MinLength, input.MaxLength = countOfNumber(in.Length.Min), countOfNumber(in.Length.Max)
	}
	for _, each := range in.Options {
		input.Options = append(input.Options, v1alpha1.InputOption{Title: text.Limit(each.Title, maxInputTitle), Value: text.Limit(each.Value, maxInputText)})
	}
	return input
}

// textOfNumber formats a limit on a number, empty if there is none.
func textOfNumber(bound *float64) string {
	if bound == nil {
		return ""
	}
	return strconv.FormatFloat(*bound, 'g', -1, 64)
}

// countOfNumber returns a limit on a number of characters, nil if there is none.
func countOfNumber(bound *float64) *int64 {
	if bound == nil {
		return nil
	}
	count := int64(min(max(*bound, 0), math.MaxInt32))
	return &count
}
