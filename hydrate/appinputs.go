package hydrate

import (
	"fmt"
	"slices"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/values"
)

// questionFiles are the files in which charts store questions for Rancher.
var questionFiles = []string{"questions.yaml", "questions.yml"}

// maxInputWarnings is the maximum number of warnings about questions and schemas.
const maxInputWarnings = 20

// QuestionReader reads the questions that a chart has for Rancher.
type QuestionReader interface {
	// Questions returns at most MaxChartInputs inputs, each with a Path. Unsupported parts
	// of the text result in warnings. The error is not nil only if nothing could be read.
	Questions(text []byte) ([]inputs.Input, []string, error)
}

// AppReader reads all files of a chart that describe the app.
type AppReader interface {
	ManifestReader
	QuestionReader
	TranslationReader
}

// ReadInputs returns the inputs of an app: the inputs of its manifest or, if the manifest has
// none, the inputs from the questions and schemas of its chart units, at most
// MaxChartInputs. If a question and a schema describe the same input, the question takes
// precedence, but the input is required if the schema requires it. Defaults come from
// values.yaml with the parameters of the request merged in.
//
// Questions and schemas that cannot be read are ignored with a warning.
func (s RenderedChart) ReadInputs(d *Draft, manifest *Manifest) ([]inputs.Input, []string) {
	if manifest != nil && len(manifest.Inputs) > 0 {
		return manifest.Inputs, nil
	}
	units, err := ListUnits(d.Chart.Name, d.Files, manifest)
	if err != nil {
		return nil, []string{unreadableWarning("chart units", err)}
	}
	var declared []inputs.Input
	var warnings []string
	for _, u := range units {
		unitDeclared, unitWarnings := s.unitInputs(UnitFiles(d.Files, u.Dir), d.Request.Params)
		declared, warnings = joinInputs(declared, unitDeclared), append(warnings, unitWarnings...)
	}
	return declared[:min(len(declared), inputs.MaxChartInputs)], warnings[:min(len(warnings), maxInputWarnings)]
}

// unitInputs returns the inputs of one chart unit.
func (s RenderedChart) unitInputs(files []chart.File, params map[string]any) ([]inputs.Input, []string) {
	var warnings []string
	text, _ := chart.FindFile(files, chart.ValuesFile)
	decoded, err := values.DecodeFirst(text)
	switch {
	case err != nil:
		warnings = append(warnings, unreadableWarning(chart.ValuesFile, err))
	case values.HasSecondDocument(text):
		warnings = append(warnings, chart.ValuesFile+" has several YAML documents, of which Helm reads only the first")
	}
	decoded = values.MergeMaps(decoded, params)

	var questions, schema []inputs.Input
	for _, name := range questionFiles {
		text, ok := chart.FindFile(files, name)
		if !ok {
			continue
		}
		declared, ignored, err := s.Reader.Questions(text)
		if err != nil {
			ignored = append(ignored, unreadableWarning(name, err))
		}
		questions, warnings = withPresetDefaults(declared, decoded), append(warnings, ignored...)
		break
	}
	if text, ok := chart.FindFile(files, chart.SchemaFile); ok {
		if schema, err = inputs.FromSchema(text, decoded); err != nil {
			warnings = append(warnings, unreadableWarning(chart.SchemaFile, err))
		}
	}
	return joinInputs(questions, schema), warnings
}

func unreadableWarning(name string, err error) string {
	return text.Printable(fmt.Sprintf("%s is ignored: %v", name, err), objects.MaxWarningBytes)
}

// withPresetDefaults sets the default of questions that have none to the value in values.
func withPresetDefaults(questions []inputs.Input, values map[string]any) []inputs.Input {
	for i := range questions {
		value, ok := inputs.ValueAt(values, questions[i].Path)
		text := inputs.ValueText(value)
		if !ok || inputs.IsNested(value) || len(text) > inputs.MaxInputBytes {
			continue
		}
		if questions[i].Default == "" {
			questions[i].Default = text
		}
		questions[i].Preset = questions[i].CanonicalText(questions[i].Default) == text
	}
	return questions
}

// joinInputs appends more to declared. If both contain an input, the one in declared is
// kept. It becomes required if the other one is, unless it has a condition.
func joinInputs(declared, more []inputs.Input) []inputs.Input {
	for _, in := range more {
		at := slices.IndexFunc(declared, func(other inputs.Input) bool { return other.Name == in.Name })
		if at < 0 {
			declared = append(declared, in)
			continue
		}
		if in.Required && declared[at].ShowIf == "" {
			declared[at].Required = true
		}
	}
	return declared
}
