package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("A chart with questions", func() {
	desk := fixture.Chart{Name: "desk", Version: "1.0.0", Files: fixture.Files{
		"values.yaml": "drawers: 2\nlock: {enabled: false, key: ''}\n",
		"questions.yaml": `questions:
- {variable: drawers, type: int, min: 1, max: 4}
- {variable: lock.enabled, type: boolean}
- {variable: lock.key, required: true, min_length: 3, show_if: "lock.enabled=true"}
- {variable: "legs[0]", required: true}
`,
		"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  drawers: {{ add .Values.drawers 0 | quote }}\n",
	}}
	withInputs := func(pairs ...string) fixture.Change {
		return func(s *v1alpha1.AppInstallTaskSpec) {
			for i := 0; i < len(pairs); i += 2 {
				s.EnsureParameters().Inputs = append(s.EnsureParameters().Inputs, v1alpha1.InputValue{Name: pairs[i], Value: ptr.To(pairs[i+1])})
			}
			s.OnMissingInput = v1alpha1.MissingInputFail
		}
	}

	It("lists bounds and conditions, and reports the ignored question", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, desk)
		summary := t.App(ctx, "desk").Status.Summary
		Expect(summary.Inputs).To(HaveExactElements(
			And(HaveField("Name", "drawers"), HaveField("Minimum", "1"), HaveField("Maximum", "4")),
			HaveField("Name", "lock.enabled"),
			And(HaveField("Name", "lock.key"), HaveField("MinLength", ptr.To[int64](3)), HaveField("ShowIf", "lock.enabled=true")),
		))
		Expect(summary.Warnings).To(HaveExactElements(ContainSubstring(`questions[3] is ignored: variable "legs[0]"`)))
	})

	It("requires the visible inputs, and checks the bounds", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, desk)
		t.Succeed(ctx, v1alpha1.ActionInstall, "desk")
		end := t.Do(ctx, v1alpha1.ActionInstall, "desk", fixture.As("locked"), withInputs("lock.enabled", "true"))
		Expect(end.Task.Status.RequiredInputs).To(HaveExactElements(HaveField("Name", "lock.key")))
		end = t.Do(ctx, v1alpha1.ActionInstall, "desk", fixture.As("large"), withInputs("drawers", "5"))
		Expect(end.Message).To(ContainSubstring("must be at most 4"))
	})
})
