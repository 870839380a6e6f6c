package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/objects"
)

// podText returns a Pod with one container and further lines of its spec.
func podText(spec string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n" + spec
}

const limitedContainer = "  containers: [{name: web, image: web, resources: {limits: {memory: 1Gi}}}]\n"

// exemplary is an app that satisfies all default rules about apps.
var exemplary = App{Name: "web", Licenses: []string{"MIT"}, Images: []string{"registry.example/web:1"}, IsRendered: true}

func documentsOf(texts ...string) []objects.Document {
	var all []objects.Document
	for _, text := range texts {
		all = append(all, objects.NewDocument("web/templates/web.yaml", text))
	}
	return all
}

// rulesFound returns the effect, the rule and the object of each finding.
func rulesFound(report *Report) []string {
	var found []string
	for _, f := range report.Findings {
		found = append(found, strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Effect, f.Rule, f.Object)))
	}
	return found
}

func TestDefaultRules(t *testing.T) {
	for _, c := range []struct {
		why  string
		pod  string
		app  func(*App)
		want []string
	}{
		{why: "an app that satisfies all rules", pod: limitedContainer},
		{why: "a privileged container", want: []string{"Deny privileged Pod/web"},
			pod: "  containers: [{name: web, securityContext: {privileged: true}, resources: {limits: {memory: 1Gi}}}]"},
		{why: "a privileged init container", want: []string{"Deny privileged Pod/web"},
			pod: limitedContainer + "  initContainers: [{name: a, securityContext: {privileged: true}, resources: {limits: {memory: 1Gi}}}]"},
		{why: "a capability", want: []string{"Deny capabilities Pod/web"},
			pod: "  containers: [{name: web, securityContext: {capabilities: {add: [SYS_ADMIN]}}, resources: {limits: {memory: 1Gi}}}]"},
		{why: "the network of the node", pod: limitedContainer + "  hostNetwork: true", want: []string{"Deny host-namespaces Pod/web"}},
		{why: "a directory of the node", pod: limitedContainer + "  volumes: [{name: a, hostPath: {path: /}}]", want: []string{"Deny host-path Pod/web"}},
		{why: "no limits", pod: "  containers: [{name: web}]", want: []string{"Warn limits Pod/web"}},
		{why: "permissions in the cluster", pod: limitedContainer, app: func(a *App) { a.Access.HasClusterRules = true }, want: []string{"Deny cluster-permissions"}},
		{why: "objects in the cluster", pod: limitedContainer, app: func(a *App) { a.Access.ClusterObjects = []string{"ClusterRole/a"} }, want: []string{"Warn cluster-objects"}},
		{why: "no license", pod: limitedContainer, app: func(a *App) { a.Licenses = nil }, want: []string{"Warn license"}},
		{why: "the tag latest", pod: limitedContainer, app: func(a *App) { a.Images = []string{"web:latest"} }, want: []string{"Warn latest-tag"}},
		{why: "unknown objects", pod: limitedContainer, app: func(a *App) { a.IsRendered = false }, want: []string{"Deny rendered"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g, app := NewWithT(t), exemplary
			if c.app != nil {
				c.app(&app)
			}
			report, err := Evaluate(RulesFor(nil), documentsOf(podText(c.pod)), app)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(rulesFound(report)).To(Equal(c.want), "%v", report.Findings)
			g.Expect(report.Denied + report.Warned).To(Equal(len(c.want)))
		})
	}
}

func TestRulesOfAMarket(t *testing.T) {
	named := func(rules ...v1alpha1.AuditRule) *v1alpha1.ReviewPolicy { return &v1alpha1.ReviewPolicy{Rules: rules} }
	for _, c := range []struct {
		why    string
		policy *v1alpha1.ReviewPolicy
		want   []string
	}{
		{why: "the effect of a default rule is changed", policy: named(v1alpha1.AuditRule{Name: "host-path", Effect: v1alpha1.AuditWarn}), want: []string{"Warn host-path Pod/web"}},
		{why: "a default rule is ignored", policy: named(v1alpha1.AuditRule{Name: "host-path", Effect: v1alpha1.AuditIgnore})},
		{why: "a rule about each object", want: []string{"Deny host-path Pod/web", "Deny labels Pod/web"},
			policy: named(v1alpha1.AuditRule{Name: "labels", Expression: "has(object.metadata.labels)"})},
		{why: "a rule about the app", want: []string{"Warn home", "Deny host-path Pod/web"},
			policy: named(v1alpha1.AuditRule{Name: "home", Target: v1alpha1.AuditTargetApp, Effect: v1alpha1.AuditWarn, Expression: "app.home != ''"})},
		{why: "another registry", want: []string{"Deny image-registry", "Deny host-path Pod/web"},
			policy: &v1alpha1.ReviewPolicy{AllowedRegistries: []string{"registry.exam"}}},
		{why: "an allowed registry", want: []string{"Deny host-path Pod/web"}, policy: &v1alpha1.ReviewPolicy{AllowedRegistries: []string{"registry.example"}}},
		{why: "an invalid expression", want: []string{"Deny broken", "Deny host-path Pod/web"}, policy: named(v1alpha1.AuditRule{Name: "broken", Expression: "object.("})},
		{why: "an expression that is not a condition", want: []string{"Deny text", "Deny host-path Pod/web"}, policy: named(v1alpha1.AuditRule{Name: "text", Expression: "'a'"})},
		{why: "an expression that fails", want: []string{"Deny host-path Pod/web", "Warn absent Pod/web"},
			policy: named(v1alpha1.AuditRule{Name: "absent", Effect: v1alpha1.AuditWarn, Expression: "object.spec.absent == 1"})},
		{why: "an unknown rule without an expression", want: []string{"Warn typo", "Deny host-path Pod/web"},
			policy: named(v1alpha1.AuditRule{Name: "typo", Effect: v1alpha1.AuditWarn})},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			report, err := Evaluate(RulesFor(c.policy), documentsOf(podText(limitedContainer+"  volumes: [{name: a, hostPath: {path: /}}]")), exemplary)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(rulesFound(report)).To(Equal(c.want), "%v", report.Findings)
		})
	}
}

func TestHostileRules(t *testing.T) {
	nested := "[1,2,3,4,5,6,7,8,9,10]"
	for why, expression := range map[string]string{
		"nested loops": nested + ".all(a, " + nested + ".all(b, " + nested + ".all(c, " + nested + ".all(d, " + nested + ".all(e, " + nested + ".all(f, a+b+c+d+e+f > 0))))))",
		"a text that doubles": "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30].map(i, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')" +
			".exists(a, (((a+a+a+a+a+a+a+a)+(a+a+a+a+a+a+a+a)+(a+a+a+a+a+a+a+a)).matches('(((a*)*)*)*b')) && " + nested + ".all(x, " + nested + ".all(y, " + nested + ".all(z, " + nested + ".all(w, " + nested + ".all(v, " + nested + ".all(u, true)))))))",
		"deep nesting": strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500),
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			rules := &Rules{Rules: []Rule{{Name: "hostile", Target: v1alpha1.AuditTargetObject, Effect: v1alpha1.AuditDeny, Expression: expression}}}
			report, err := Evaluate(rules, documentsOf(podText(limitedContainer)), exemplary)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(report.Denied).To(Equal(1), "the rule fails closed")
			g.Expect(len(report.Findings[0].Message)).To(BeNumerically("<=", maxMessage))
		})
	}
}

func TestManyObjectsAreBounded(t *testing.T) {
	text := "apiVersion: v1\nkind: List\nitems:\n" +
		strings.Repeat("- {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {hostNetwork: true}}\n", 10_000)
	documents := documentsOf(slices.Repeat([]string{text}, 10)...)
	g := NewWithT(t)
	report, err := Evaluate(RulesFor(nil), documents, exemplary)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(report.Findings).To(HaveLen(MaxFindings))
	g.Expect(report.Denied).To(BeNumerically(">", MaxFindings))

	expensive := &Rules{Rules: []Rule{{Name: "slow", Target: v1alpha1.AuditTargetObject, Effect: v1alpha1.AuditWarn,
		Expression: "[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, a+b+c > 0)))"}}}
	report, err = Evaluate(expensive, documents, exemplary)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(rulesFound(report)).To(Equal([]string{"Deny cost"}), "all evaluations together have a limit")
}

func TestDeniedFindingsAreKept(t *testing.T) {
	g, a := NewWithT(t), auditor{report: &Report{}}
	for range MaxFindings {
		a.addFinding(Rule{Name: "warned", Effect: v1alpha1.AuditWarn}, "", "m")
	}
	a.addFinding(Rule{Name: "denied", Effect: v1alpha1.AuditDeny}, "", "m")
	g.Expect(a.report.Findings).To(HaveLen(MaxFindings))
	g.Expect(a.report.Findings[MaxFindings-1].Rule).To(Equal("denied"))
	g.Expect([]int{a.report.Denied, a.report.Warned}).To(Equal([]int{1, MaxFindings}))
}

func TestDigestOfRules(t *testing.T) {
	g := NewWithT(t)
	digest := func(r *Rules) string {
		d, err := r.Digest()
		g.Expect(err).NotTo(HaveOccurred())
		return d
	}
	g.Expect(digest(nil)).To(BeEmpty())
	g.Expect(digest(RulesFor(nil))).To(Equal(digest(RulesFor(&v1alpha1.ReviewPolicy{}))))
	g.Expect(digest(RulesFor(nil))).NotTo(Equal(digest(RulesFor(&v1alpha1.ReviewPolicy{AllowedRegistries: []string{"a"}}))))
}
