package command

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/inputs"
)

// maxAttempts is the number of times that an input is asked for.
const maxAttempts = 3

// Lists and patterns in a status are cut at these lengths. One of this length may be incomplete and is
// not checked by the plugin.
const (
	maxOptions = 100
	maxPattern = 1000
)

// askForInput asks for an input until the answer is valid, and adds the answer. An empty answer means
// the default.
func (f *Factory) askForInput(input v1alpha1.Input, a *answers) error {
	question := questionFor(input)
	for range maxAttempts {
		read := f.Terminal.ReadLine
		if input.Secret {
			read = f.Terminal.ReadPassword
		}
		answer, err := read(question)
		if err != nil {
			return err
		}
		if problem := answerProblem(input, answer); problem != "" {
			fmt.Fprintf(f.Streams.ErrOut, "%s: %s\n", printable(input.Name), printable(problem))
			continue
		}
		answer = cmp.Or(answer, input.Default)
		switch {
		case answer == "":
		case input.Secret:
			a.secret[input.Name] = answer
		default:
			a.inputs = append(a.inputs, v1alpha1.InputValue{Name: input.Name, Value: &answer})
		}
		return nil
	}
	return fmt.Errorf("input %s: no valid answer after %d attempts; nothing was changed", printable(input.Name), maxAttempts)
}

// questionFor returns the question for an input: its name, and in parentheses what it is, its options
// and its default.
func questionFor(input v1alpha1.Input) string {
	var about []string
	for _, sentence := range []string{input.Title, input.Description} {
		if sentence = strings.TrimRight(sentence, ". "); sentence != "" && sentence != input.Name && !slices.Contains(about, sentence) {
			about = append(about, sentence)
		}
	}
	if options := optionValues(input); len(options) > 0 {
		about = append(about, "one of "+strings.Join(options, ", "))
	}
	if input.Default != "" && !input.Secret {
		about = append(about, "default "+input.Default)
	}
	question := printable(input.Name)
	if len(about) > 0 {
		question += " (" + printable(strings.Join(about, "; ")) + ")"
	}
	return question + ": "
}

func optionValues(input v1alpha1.Input) []string {
	var values []string
	for _, option := range input.Options {
		values = append(values, option.Value)
	}
	return values
}

// answerProblem returns the problem of an answer, as the operator would report it, or "".
func answerProblem(input v1alpha1.Input, answer string) string {
	checked := inputs.Input{
		Name: input.Name, Type: input.Type, Required: input.Required, Default: input.Default,
		Range:  numberBounds(input.Minimum, input.Maximum),
		Length: lengthBounds(input.MinLength, input.MaxLength),
	}
	checked.Number = checked.Range != nil && input.Type != "int"
	if len(input.Pattern) < maxPattern {
		checked.Pattern = input.Pattern
	}
	if len(input.Options) < maxOptions {
		for _, option := range input.Options {
			checked.Options = append(checked.Options, inputs.Option{Value: option.Value})
		}
	}
	given := map[string]string{}
	if answer != "" {
		given[input.Name] = answer
	}
	if _, problems := inputs.CheckInputs([]inputs.Input{checked}, given, nil); len(problems) > 0 {
		return problems[0].Problem
	}
	return ""
}

// numberBounds returns the limits of a number, nil if it has none.
func numberBounds(minimum, maximum string) *inputs.Bounds {
	bounds := &inputs.Bounds{}
	if value, err := strconv.ParseFloat(minimum, 64); err == nil {
		bounds.Min = &value
	}
	if value, err := strconv.ParseFloat(maximum, 64); err == nil {
		bounds.Max = &value
	}
	return boundsOrNil(bounds)
}

// lengthBounds returns the limits of a length, nil if it has none.
func lengthBounds(minimum, maximum *int64) *inputs.Bounds {
	bounds := &inputs.Bounds{}
	if minimum != nil {
		value := float64(*minimum)
		bounds.Min = &value
	}
	if maximum != nil {
		value := float64(*maximum)
		bounds.Max = &value
	}
	return boundsOrNil(bounds)
}

func boundsOrNil(bounds *inputs.Bounds) *inputs.Bounds {
	if bounds.Min == nil && bounds.Max == nil {
		return nil
	}
	return bounds
}
