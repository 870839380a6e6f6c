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

// findInputs returns the inputs of a version of an app. If they cannot be read, it returns the inputs of the
// selected version, and a note that says so. An empty version is the selected one.
func findInputs(r *request, app *v1alpha1.AppInfo, version string) (list []v1alpha1.Input, note string) {
	if app == nil {
		return nil, ""
	}
	if app.Status.Summary != nil {
		list = app.Status.Summary.Inputs
	}
	selected := app.Status.SelectedVersion
	if version == "" || version == selected {
		return list, ""
	}
	problem := ""
	if published := publishedVersion(app, version); published != nil {
		var report []byte
		if report, problem = fetchReport(r, published, reports.Inputs); report != nil {
			if found, err := readInputs(report); err == nil {
				return found, ""
			}
		}
	}
	note = r.Text("versionInputs.unknown", "Version", text.Limit(version, maxInputName), "Selected", selected)
	return list, strings.TrimSpace(note + " " + problem)
}

// readInputs reads a report with inputs. Inputs without a usable name, and further ones with the same name,
// are omitted.
func readInputs(report []byte) ([]v1alpha1.Input, error) {
	var reported []inputs.ReportedInput
	if err := json.Unmarshal(report, &reported); err != nil {
		return nil, err
	}
	list, seen := []v1alpha1.Input{}, map[string]bool{}
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
func toFormInput(in inputs.Input) v1alpha1.Input {
	input := v1alpha1.Input{
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
