package command_test

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// newDraft returns a draft whose audit has findings.
func newDraft(namespace, name string) *v1alpha1.AppInfo {
	draft := newApp(namespace, name, "1.0.0", "Pages")
	draft.Status.Versions[0].Audit = &v1alpha1.AuditCounts{Denied: 1, Warned: 1}
	draft.Status.Conditions = append(draft.Status.Conditions, condition(v1alpha1.ConditionListed, metav1.ConditionFalse, v1alpha1.ReasonDraft,
		"the app is a draft and cannot be listed: version 1.0.0: 1 finding denies it; privileged: Pod/web: a container is privileged"))
	draft.Status.Review = &v1alpha1.AppReview{
		Listing: v1alpha1.ListingDraft, Version: "1.0.0",
		Findings: []v1alpha1.AuditFinding{
			{Rule: "privileged", Object: "Pod/web", Message: "a container is privileged", Effect: v1alpha1.AuditDeny},
			{Rule: "license", Message: "no license, \x1b[31mred", Effect: v1alpha1.AuditWarn},
		},
		Dependencies: []v1alpha1.ReviewedDependency{
			{App: name, Requires: "store", Versions: ">=1.0.0", Found: "1.2.0"},
			{App: "store", Requires: "disk", Problem: "source \"samples\" has no such app"},
		},
	}
	return draft
}

func TestReviewCommands(t *testing.T) {
	p := newPlugin(t)
	namespace := p.namespace("reviewed")
	ready := newDraft(namespace, "ready")
	ready.Status.Review.CanBeListed, ready.Status.Review.Findings, ready.Status.Versions[0].Audit = true, nil, &v1alpha1.AuditCounts{}
	for _, app := range []*v1alpha1.AppInfo{newDraft(namespace, "pages"), ready, newApp(namespace, "plain", "1.0.0", "Not reviewed")} {
		p.createWithStatus(app)
		p.deleteAtEnd(app)
	}
	const market = " --market reviewed"
	var results []result
	for _, line := range []string{
		"list", "list --listing draft --no-headers", "list --listing listed", "list -o wide", "list -o name", "list -o yaml", "list --listing nothing",
		"show samples/pages", "show samples/plain", "show samples/nothing", "show samples/pages -o wide", "show samples/pages -o name", "show samples/plain -o yaml",
		"approve samples/pages --dry-run=client", "approve samples/pages --dry-run=server -o name", "approve samples/plain --dry-run=client -o yaml",
		"approve samples/nothing", "approve samples/ready",
		"suspend samples/ready", "suspend samples/ready --dry-run=client -o name", "suspend samples/plain --dry-run=client -o yaml", "suspend",
		"withdraw samples/ready", "withdraw samples/ready --dry-run=client -o name", "withdraw samples/plain --dry-run=client -o yaml", "withdraw",
		"draft samples/ready", "draft samples/ready --dry-run=client -o name", "draft samples/plain --dry-run=client -o yaml", "draft",
	} {
		results = append(results, p.run("review "+line+market))
	}
	expectGolden(t, "review", results...)
	app := &v1alpha1.AppInfo{}
	NewWithT(t).Expect(p.env.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "samples.ready"}, app)).To(Succeed())
	NewWithT(t).Expect(app.Spec.Listing).To(Equal(v1alpha1.ListingDraft))
	NewWithT(t).Expect(p.env.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "samples.pages"}, app)).To(Succeed())
	NewWithT(t).Expect(app.Spec.Listing).To(BeEmpty(), "a dry run changes nothing")
}
