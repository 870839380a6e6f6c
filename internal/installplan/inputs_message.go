package installplan

import (
	"strings"

	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/text"
)

// maxInputsNamed is the maximum number of inputs that a message lists in each group.
const maxInputsNamed = 10

// Subjects of InputsMessage.
const (
	Inputs = "inputs in spec.inputs"
	Titles = "titles in spec.entrances"
)

// InputsMessage returns a message that lists the inputs, or the titles of entrances, to
// give, to correct and to remove. The title of the instance is listed as its field,
// spec.title.
func InputsMessage(what string, wrong []inputs.Problem) string {
	var fields, inputs []inputs.Problem
	for _, w := range wrong {
		if strings.HasPrefix(w.Input.Name, "spec.") {
			fields = append(fields, w)
		} else {
			inputs = append(inputs, w)
		}
	}
	var said []string
	if len(fields) > 0 {
		said = append(said, adviceMessage(fields))
	}
	if len(inputs) > 0 {
		said = append(said, what+": "+adviceMessage(inputs))
	}
	return strings.Join(said, "; ")
}

// adviceMessage groups inputs by the action that the user must take.
func adviceMessage(wrong []inputs.Problem) string {
	var missing, unfit, unknown []string
	for _, w := range wrong {
		switch {
		case w.IsMissing():
			missing = append(missing, w.Input.Name)
		case w.IsUnknown():
			unknown = append(unknown, w.Input.Name)
		default:
			unfit = append(unfit, w.Input.Name+" ("+w.Problem+")")
		}
	}
	var said []string
	for _, group := range []struct {
		verb  string
		names []string
		after string
	}{
		{"give", missing, ""},
		{"correct", unfit, ""},
		{"remove", unknown, ", which the app does not ask for"},
	} {
		if len(group.names) > 0 {
			said = append(said, group.verb+" "+nameList(group.names)+group.after)
		}
	}
	return strings.Join(said, "; ")
}

// nameList joins names. It replaces names above the limit by their number.
func nameList(names []string) string { return text.List(names, ", ", maxInputsNamed) }
