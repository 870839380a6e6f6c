package pages_test

import (
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// addDraft creates a draft with a finding and a dependency.
func (s *site) addDraft(t *testing.T, namespace, name string) *v1alpha1.AppInfo {
	t.Helper()
	app := s.addApp(t, namespace, "samples", name, v1alpha1.AppSummary{Title: "Unlisted " + name})
	app.Status.Conditions = append(app.Status.Conditions, condition("Listed", "False", "Draft", "the app is a draft and cannot be listed"))
	app.Status.Review = &v1alpha1.AppReview{
		Listing: v1alpha1.ListingDraft, Version: "1.2.0",
		Findings:     []v1alpha1.AuditFinding{{Rule: "privileged", Object: "Pod/web", Message: "<b>a container is privileged</b>", Effect: v1alpha1.AuditDeny}},
		Dependencies: []v1alpha1.ReviewedDependency{{App: name, Requires: "store", Versions: ">=2", Problem: "it has no version"}},
	}
	NewWithT(t).Expect(s.Client.Status().Update(t.Context(), app)).To(Succeed())
	return app
}

func TestReviewOfAnApp(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	draft := w.addDraft(t, w.market, "draft")
	b := w.signInAsAdmin(t)
	shows(t, b, "/apps?state=Draft", "Unlisted draft")
	page := "/apps/" + w.market + "/samples/draft"
	shown := shows(t, b, page+"/review", "privileged", "Pod/web", "store", "it has no version", page+"/listing/approve").text
	g.Expect(shown).NotTo(ContainSubstring("<b>a container"))
	form := b.get(t, page+"/listing/suspend").text
	g.Expect(form).To(And(ContainSubstring("listing: Suspended"), ContainSubstring("kubectl patch appinfo samples.draft"), ContainSubstring("kubectl market review suspend")))
	g.Expect(b.get(t, page+"/listing/other").StatusCode).To(Equal(http.StatusNotFound))
	g.Expect(b.post(t, page+"/listing/suspend", nil).StatusCode).To(Equal(http.StatusSeeOther))
	g.Expect(w.Client.Get(t.Context(), client.ObjectKeyFromObject(draft), draft)).To(Succeed())
	g.Expect(draft.Spec.Listing).To(Equal(v1alpha1.ListingSuspended))
}

// TestDraftsAreForReviewers opens the pages of a draft as a user who can only read, and as one who can review.
func TestDraftsAreForReviewers(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	w.addDraft(t, w.market, "hidden")
	reader := w.signIn(t, w.market, "draft-reader", viewer)
	reviewer := w.signIn(t, w.market, "draft-reviewer", viewer, rbacv1.PolicyRule{
		APIGroups: []string{"appmarket.io"}, Resources: []string{"appinfos"}, Verbs: []string{"review"}})
	shows(t, reviewer, "/apps", "Unlisted hidden")
	g.Consistently(func() string { return reader.get(t, "/apps").text }).WithTimeout(time.Second).ShouldNot(ContainSubstring("Unlisted hidden"))
	page := "/apps/" + w.market + "/samples/hidden"
	g.Expect(reader.get(t, page).text).To(ContainSubstring("This app is a draft"))
	g.Expect(reader.get(t, page+"/review").text).To(ContainSubstring(`aria-disabled="true"`))
	g.Expect(reader.post(t, page+"/listing/approve", nil).StatusCode).To(Equal(http.StatusForbidden))
}
