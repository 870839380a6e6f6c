package installplan_test

import (
	"fmt"
	"testing"

	"github.com/appmarket/operator/internal/inputs"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/installplan"
)

func TestInputsMessage(t *testing.T) {
	problem := func(name, says string) inputs.Problem {
		return inputs.Problem{Input: inputs.Input{Name: name}, Problem: says}
	}
	var many []inputs.Problem
	for i := range 12 {
		many = append(many, problem(fmt.Sprintf("I%d", i), "required"))
	}
	for _, c := range []struct {
		why   string
		wrong []inputs.Problem
		want  string
	}{
		{"one is missing", many[:1], "inputs in spec.inputs: give I0"},
		{"too many are missing", many, "inputs in spec.inputs: give I0, I1, I2, I3, I4, I5, I6, I7, I8, I9 and 2 more"},
		{"one is wrong", []inputs.Problem{problem("A", "must be a URL")}, "inputs in spec.inputs: correct A (must be a URL)"},
		{"one is unknown", []inputs.Problem{problem("A", "unknown input")}, "inputs in spec.inputs: remove A, which the app does not ask for"},
		{"a field and an input", []inputs.Problem{problem("A", "required"), problem("spec.title", "required")},
			"give spec.title; inputs in spec.inputs: give A"},
		{"the field only", []inputs.Problem{problem("spec.title", "required")}, "give spec.title"},
		{"the field twice", []inputs.Problem{problem("spec.title", "required"), problem("spec.entrances", "taken")},
			"give spec.title; correct spec.entrances (taken)"},
	} {
		NewWithT(t).Expect(installplan.InputsMessage(installplan.Inputs, c.wrong)).To(Equal(c.want), c.why)
	}
}
