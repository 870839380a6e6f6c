package catalog

import (
	"strings"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/text"
)

// maxInputsNamed bounds the inputs that a message names of each group.
const maxInputsNamed = 10

// InputsMessage says which inputs to give, to correct and to remove.
func InputsMessage(wrong []hydrate.InputProblem) string {
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
		if len(group.names) == 0 {
			continue
		}
		said = append(said, group.verb+" "+nameList(group.names)+group.after)
	}
	return "inputs in spec.envs: " + strings.Join(said, "; ")
}

// nameList joins names, and counts those that are too many.
func nameList(names []string) string { return text.List(names, ", ", maxInputsNamed) }
