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

// questionFiles are where charts keep the questions of Rancher.
var questionFiles = []string{"questions.yaml", "questions.yml"}

// maxInputWarnings bounds what is said about questions and schemas.
const maxInputWarnings = 20

// QuestionReader reads the questions of a chart, as Rancher asks them.
type QuestionReader interface {
	// Questions are inputs with a Path, at most MaxChartInputs. What is not
	// understood becomes a warning; an error means that nothing was.
	Questions(text []byte) ([]inputs.Input, []string, error)
}

// AppReader reads all that describes an app beside its chart.
type AppReader interface {
	ManifestReader
	QuestionReader
}

// Inputs are what an app asks of the person who installs it: the envs of its
// manifest, or where it has none what the questions and the schemas of its chart
// units ask for, at most MaxChartInputs. A question describes an input better than
// a schema, and wins over it; but what the schema requires is required. Defaults
// are those of values.yaml with the request's parameters merged in.
//
// Questions and schemas that cannot be read ask for nothing; a warning says so.
func (s RenderedChart) Inputs(d *Draft, manifest *Manifest) ([]inputs.Input, []string) {
	if manifest != nil && len(manifest.Inputs) > 0 {
		return manifest.Inputs, nil
	}
	units, err := Units(d.Chart.Name, d.Files, manifest)
	if err != nil {
		return nil, []string{warning("chart units", err)}
	}
	var declared []inputs.Input
	var warnings []string
	for _, u := range units {
		asked, said := s.unitInputs(UnitFiles(d.Files, u.Dir), d.Request.Params)
		declared, warnings = joinInputs(declared, asked), append(warnings, said...)
	}
	return declared[:min(len(declared), inputs.MaxChartInputs)], warnings[:min(len(warnings), maxInputWarnings)]
}

// unitInputs are those of one unit.
func (s RenderedChart) unitInputs(files []chart.File, params map[string]any) ([]inputs.Input, []string) {
	var warnings []string
	text, _ := chart.FindFile(files, chart.ValuesFile)
	decoded, err := values.DecodeFirst(text)
	switch {
	case err != nil:
		warnings = append(warnings, warning(chart.ValuesFile, err))
	case values.HasSecondDocument(text):
		warnings = append(warnings, chart.ValuesFile+" has a second YAML document, which Helm does not read")
	}
	decoded = values.MergeMaps(decoded, params)

	var questions, schema []inputs.Input
	for _, name := range questionFiles {
		text, ok := chart.FindFile(files, name)
		if !ok {
			continue
		}
		asked, said, err := s.Reader.Questions(text)
		if err != nil {
			said = append(said, warning(name, err))
		}
		questions, warnings = preset(asked, decoded), append(warnings, said...)
		break
	}
	if text, ok := chart.FindFile(files, chart.SchemaFile); ok {
		if schema, err = inputs.FromSchema(text, decoded); err != nil {
			warnings = append(warnings, warning(chart.SchemaFile, err))
		}
	}
	return joinInputs(questions, schema), warnings
}

func warning(name string, err error) string {
	return text.Printable(fmt.Sprintf("%s was not read: %v", name, err), objects.MaxWarningBytes)
}

// preset gives questions without a default that of the values.
func preset(questions []inputs.Input, values map[string]any) []inputs.Input {
	for i := range questions {
		value, ok := inputs.ValueAt(values, questions[i].Path)
		text := inputs.ValueText(value)
		if !ok || inputs.IsNested(value) || len(text) > inputs.MaxInputBytes {
			continue
		}
		if questions[i].Default == "" {
			questions[i].Default = text
		}
		questions[i].Preset = questions[i].Spelled(questions[i].Default) == text
	}
	return questions
}

// joinInputs adds inputs to others. Of two of the same name the first counts, and
// is required if the second is, unless it is asked for on a condition.
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
