package appinstalltask

import (
	"fmt"
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/inputs"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/installplan"
)

func TestRequiredInputsStayBounded(t *testing.T) {
	for _, c := range []struct {
		why                   string
		number, options, want int
	}{
		{"a few", 3, 0, 3},
		{"thousands", 5000, 0, 100},
		{"a few with many options", 20, 100, 2},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			var wrong []inputs.Problem
			for i := range c.number {
				in := inputs.Input{Name: fmt.Sprintf("input%d", i), Required: true}
				for range c.options {
					in.Options = append(in.Options, inputs.Option{Value: strings.Repeat("v", 500)})
				}
				wrong = append(wrong, inputs.Problem{Input: in, Problem: "required"})
			}
			p, task := &taskFindings{}, &v1alpha1.AppInstallTask{}
			p.addInputProblems(task, installplan.Inputs, wrong)
			g.Expect(task.Status.RequiredInputs).To(HaveLen(c.want))
			message := p.toError(task).Error()
			if c.number > 10 {
				g.Expect(message).To(ContainSubstring(fmt.Sprintf(`"input9" and %d more`, c.number-10)))
			}
			g.Expect(message).To(HaveSuffix("; see status.requiredInputs"))
		})
	}
}
