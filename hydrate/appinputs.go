package hydrate

import (
	"fmt"
	"slices"

	"github.com/appmarket/operator/internal/text"
)

// questionFiles are where charts keep the questions of Rancher.
var questionFiles = []string{"questions.yaml", "questions.yml"}

// maxInputWarnings bounds what is said about questions and schemas.
const maxInputWarnings = 20

// QuestionReader reads the questions of a chart, as Rancher asks them.
type QuestionReader interface {
	// Questions are inputs with a Path, at most MaxChartInputs. What is not
	// understood becomes a warning; an error means that nothing was.
	Questions(text []byte) ([]Input, []string, error)
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
func (s RenderedChart) Inputs(d *Draft, manifest *Manifest) ([]Input, []string) {
	if manifest != nil && len(manifest.Inputs) > 0 {
		return manifest.Inputs, nil
	}
	units, err := Units(d.Chart.Name, d.Files, manifest)
	if err != nil {
		return nil, []string{warning("chart units", err)}
	}
	var inputs []Input
	var warnings []string
	for _, u := range units {
		asked, said := s.unitInputs(UnitFiles(d.Files, u.Dir), d.Request.Params)
		inputs, warnings = joinInputs(inputs, asked), append(warnings, said...)
	}
	return inputs[:min(len(inputs), MaxChartInputs)], warnings[:min(len(warnings), maxInputWarnings)]
}

// unitInputs are those of one unit.
func (s RenderedChart) unitInputs(files []File, params map[string]any) ([]Input, []string) {
	var warnings []string
	text, _ := find(files, valuesFile)
	values, err := decodeFirst(text)
	switch {
	case err != nil:
		warnings = append(warnings, warning(valuesFile, err))
	case hasSecondDocument(text):
		warnings = append(warnings, valuesFile+" has a second YAML document, which Helm does not read")
	}
	values = MergeMaps(values, params)

	var questions, schema []Input
	for _, name := range questionFiles {
		text, ok := find(files, name)
		if !ok {
			continue
		}
		asked, said, err := s.Reader.Questions(text)
		if err != nil {
			said = append(said, warning(name, err))
		}
		questions, warnings = preset(asked, values), append(warnings, said...)
		break
	}
	if text, ok := find(files, schemaFile); ok {
		if schema, err = SchemaInputs(text, values); err != nil {
			warnings = append(warnings, warning(schemaFile, err))
		}
	}
	return joinInputs(questions, schema), warnings
}

func warning(name string, err error) string {
	return text.Printable(fmt.Sprintf("%s was not read: %v", name, err), maxWarningBytes)
}

// preset gives questions without a default that of the values.
func preset(questions []Input, values map[string]any) []Input {
	for i := range questions {
		value, ok := valueAt(values, questions[i].Path)
		text := valueText(value)
		if !ok || isNested(value) || len(text) > MaxInputBytes {
			continue
		}
		if questions[i].Default == "" {
			questions[i].Default = text
		}
		questions[i].Preset = questions[i].spelled(questions[i].Default) == text
	}
	return questions
}

// joinInputs adds inputs to others. Of two of the same name the first counts, and
// is required if the second is, unless it is asked for on a condition.
func joinInputs(inputs, more []Input) []Input {
	for _, in := range more {
		at := slices.IndexFunc(inputs, func(other Input) bool { return other.Name == in.Name })
		if at < 0 {
			inputs = append(inputs, in)
			continue
		}
		if in.Required && inputs[at].ShowIf == "" {
			inputs[at].Required = true
		}
	}
	return inputs
}
