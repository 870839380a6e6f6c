package installplan

import (
	"strconv"
	"strings"

	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/text"
)

// maxInputsNamed is the maximum number of inputs that a message lists in each group.
const maxInputsNamed = 10

// Fields that InputsMessage names.
const (
	Inputs = "inputs"
	Titles = "entrances"
)

// InputsMessage returns a message that lists the inputs, or the titles of entrances, that are
// missing, invalid or unknown. path is the path of the object with the field, such as
// "spec.install". An input whose name starts with "spec." is a field of its own, such as the title
// of the instance.
func InputsMessage(path, field string, wrong []inputs.Problem) string {
	var messages []string
	var entries []inputs.Problem
	for _, w := range wrong {
		switch {
		case !strings.HasPrefix(w.Input.Name, "spec."):
			entries = append(entries, w)
		case w.IsMissing():
			messages = append(messages, w.Input.Name+": Required value")
		default:
			messages = append(messages, w.Input.Name+": Invalid value: "+w.Problem)
		}
	}
	if len(entries) > 0 {
		messages = append(messages, path+"."+field+": "+entriesMessage(entries))
	}
	return strings.Join(messages, "; ")
}

// entriesMessage groups the entries of a field by the action that the user must take.
func entriesMessage(wrong []inputs.Problem) string {
	var missing, invalid, unknown []string
	for _, w := range wrong {
		name := strconv.Quote(w.Input.Name)
		switch {
		case w.IsMissing():
			missing = append(missing, name)
		case w.IsUnknown():
			unknown = append(unknown, name)
		default:
			invalid = append(invalid, name+" ("+w.Problem+")")
		}
	}
	var messages []string
	for _, group := range []struct {
		verb  string
		names []string
	}{{"set required", missing}, {"correct", invalid}, {"remove unknown", unknown}} {
		if len(group.names) > 0 {
			messages = append(messages, group.verb+" "+nameList(group.names))
		}
	}
	return strings.Join(messages, "; ")
}

// nameList joins names. It replaces names above the limit by their number.
func nameList(names []string) string { return text.List(names, ", ", maxInputsNamed) }
