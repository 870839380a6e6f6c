package audit

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

// FuzzRule evaluates any expression for any object. Each outcome is true or a finding, within the limits of an
// audit.
func FuzzRule(f *testing.F) {
	pod := podText(limitedContainer)
	for _, rule := range defaultRules {
		f.Add(rule.Expression, pod)
	}
	f.Add("object.metadata.annotations.all(k, k.matches('^(a+)+$'))", pod)
	f.Add("[1,2,3].map(a, [1,2,3].map(b, [a,b])).size() > 0", "kind: List\nitems: [null, {kind: Pod, spec: 1}]")
	f.Add("object.spec.containers[9].image == 1 / 0", "kind: Pod\nspec: {containers: [null, a, {}]}")
	f.Fuzz(func(t *testing.T, expression, object string) {
		g := NewWithT(t)
		rules := &Rules{Rules: []Rule{
			{Name: "object", Target: v1alpha1.AuditTargetObject, Expression: expression, Message: "x", Effect: v1alpha1.AuditDeny},
			{Name: "app", Target: v1alpha1.AuditTargetApp, Expression: expression, Message: "x", Effect: v1alpha1.AuditWarn},
		}}
		report, err := Evaluate(rules, documentsOf(object), exemplary)
		if err != nil {
			return // The document is not YAML.
		}
		g.Expect(len(report.Findings)).To(BeNumerically("<=", MaxFindings))
		for _, finding := range report.Findings {
			g.Expect(len(finding.Message)).To(BeNumerically("<=", maxMessage))
			g.Expect(len(finding.Object)).To(BeNumerically("<=", maxObject))
		}
	})
}
