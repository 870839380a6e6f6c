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
		{"one is missing", many[:1], `spec.install.inputs: set required "I0"`},
		{"too many are missing", many, `spec.install.inputs: set required "I0", "I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9" and 2 more`},
		{"one is wrong", []inputs.Problem{problem("A", "must be a URL")}, `spec.install.inputs: correct "A" (must be a URL)`},
		{"one is unknown", []inputs.Problem{problem("A", "unknown input")}, `spec.install.inputs: remove unknown "A"`},
		{"a field and an input", []inputs.Problem{problem("A", "required"), problem("spec.install.title", "required")},
			`spec.install.title: Required value; spec.install.inputs: set required "A"`},
		{"the field only", []inputs.Problem{problem("spec.install.title", "required")}, "spec.install.title: Required value"},
		{"two fields", []inputs.Problem{problem("spec.install.title", "already used by another instance"), problem("spec.install.credentialSecretRef", "required")},
			"spec.install.title: Invalid value: already used by another instance; spec.install.credentialSecretRef: Required value"},
	} {
		NewWithT(t).Expect(installplan.InputsMessage("spec.install", installplan.Inputs, c.wrong)).To(Equal(c.want), c.why)
	}
}
