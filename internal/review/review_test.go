package review

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

var reviewed = &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Name: "main"}, Spec: v1alpha1.MarketSourceSpec{Listing: v1alpha1.ListingReviewed}}

// newApp returns an app with version 1.0.0, whose audit has a number of denied findings.
func newApp(name string, listing v1alpha1.Listing, denied int32, needs ...v1alpha1.AppDependency) *v1alpha1.AppInfo {
	app := &v1alpha1.AppInfo{Spec: v1alpha1.AppInfoSpec{App: name, Listing: listing}}
	app.Status.Versions = []v1alpha1.PublishedVersion{{Version: "1.0.0", Audit: &v1alpha1.AuditCounts{Denied: denied}}}
	app.Status.Summary = &v1alpha1.AppSummary{Dependencies: needs}
	return app
}

func newDependency(name, versions string) v1alpha1.AppDependency {
	return v1alpha1.AppDependency{Name: name, Type: application, Version: versions, Required: true}
}

func withListing(app *v1alpha1.AppInfo) *v1alpha1.AppInfo {
	app.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionListed, Status: metav1.ConditionTrue}}
	return app
}

func TestDecide(t *testing.T) {
	const L, D, S, W = v1alpha1.ListingListed, v1alpha1.ListingDraft, v1alpha1.ListingSuspended, v1alpha1.ListingWithdrawn
	withVersions := func(app *v1alpha1.AppInfo, versions ...v1alpha1.PublishedVersion) *v1alpha1.AppInfo {
		app.Status.Versions = versions
		return app
	}
	for _, c := range []struct {
		why         string
		app         *v1alpha1.AppInfo
		others      []*v1alpha1.AppInfo
		isListed    bool
		canBeListed bool
		reason      string
		message     string
	}{
		{why: "a new app", app: newApp("web", "", 0), canBeListed: true, reason: v1alpha1.ReasonDraft, message: "all checks pass"},
		{why: "a draft with findings", app: newApp("web", D, 2), reason: v1alpha1.ReasonDraft, message: "cannot be listed: version 1.0.0: 2 findings deny it"},
		{why: "listed", app: newApp("web", L, 0), isListed: true, canBeListed: true, reason: v1alpha1.ReasonListed, message: "can be installed"},
		{why: "findings", app: newApp("web", L, 1), reason: v1alpha1.ReasonAuditFailed, message: "remains a draft: version 1.0.0: 1 finding denies it"},
		{why: "not audited", app: withVersions(newApp("web", L, 0), v1alpha1.PublishedVersion{Version: "1.0.0"}), reason: v1alpha1.ReasonWaitingForApp, message: "has not run yet"},
		{why: "not published", app: withVersions(newApp("web", L, 0)), reason: v1alpha1.ReasonWaitingForApp, message: "no version is published yet"},
		{why: "an older version passes", isListed: true, canBeListed: true, reason: v1alpha1.ReasonListed, message: "withheld because of the audit: 2.0.0",
			app: withVersions(newApp("web", L, 0), v1alpha1.PublishedVersion{Version: "2.0.0", Audit: &v1alpha1.AuditCounts{Denied: 1}},
				v1alpha1.PublishedVersion{Version: "1.0.0", Audit: &v1alpha1.AuditCounts{}})},
		{why: "suspended", app: newApp("web", S, 0), canBeListed: true, reason: v1alpha1.ReasonListingSuspended, message: "cannot be newly installed"},
		{why: "withdrawn", app: newApp("web", W, 0), canBeListed: true, reason: v1alpha1.ReasonListingWithdrawn, message: "neither installed nor upgraded"},
		{why: "a dependency that does not exist", app: newApp("web", L, 0, newDependency("db", ">=1.0.0")), reason: v1alpha1.ReasonDependencyFailed,
			message: `app "web" requires app "db": source "main" has no such app`},
		{why: "a dependency without a version that fits", app: newApp("web", L, 0, newDependency("db", ">=2.0.0")), others: []*v1alpha1.AppInfo{withListing(newApp("db", L, 0))},
			reason: v1alpha1.ReasonDependencyFailed, message: `no version that matches ">=2.0.0"`},
		{why: "a dependency with an invalid range", app: newApp("web", L, 0, newDependency("db", "newest")), others: []*v1alpha1.AppInfo{withListing(newApp("db", L, 0))},
			reason: v1alpha1.ReasonDependencyFailed, message: `app "web" requires app "db": "newest" is not a range of versions; correct the dependency in the chart`},
		{why: "a dependency whose only version is withheld", app: newApp("web", L, 0, newDependency("db", "")), others: []*v1alpha1.AppInfo{withListing(newApp("db", L, 3))},
			reason: v1alpha1.ReasonDependencyFailed, message: "no version that can be installed"},
		{why: "a dependency that is a draft", app: newApp("web", L, 0, newDependency("db", "")), others: []*v1alpha1.AppInfo{newApp("db", "", 0)},
			reason: v1alpha1.ReasonDependencyFailed, message: "it is a draft; list it first"},
		{why: "a dependency that is withdrawn", app: newApp("web", L, 0, newDependency("db", "")), others: []*v1alpha1.AppInfo{withListing(newApp("db", W, 0))},
			reason: v1alpha1.ReasonDependencyFailed, message: "it is withdrawn"},
		{why: "a listed dependency", app: newApp("web", L, 0, newDependency("db", "^1.0.0")), others: []*v1alpha1.AppInfo{withListing(newApp("db", L, 0))},
			isListed: true, canBeListed: true, reason: v1alpha1.ReasonListed, message: "can be installed"},
		{why: "an indirect dependency that does not exist", app: newApp("web", L, 0, newDependency("db", "")), others: []*v1alpha1.AppInfo{withListing(newApp("db", L, 0, newDependency("disk", "")))},
			reason: v1alpha1.ReasonDependencyFailed, message: `app "db" requires app "disk": source "main" has no such app`},
		{why: "a cycle", app: newApp("web", L, 0, newDependency("db", "")),
			others: []*v1alpha1.AppInfo{withListing(newApp("db", L, 0, newDependency("cache", ""))), withListing(newApp("cache", L, 0, newDependency("db", "")))},
			reason: v1alpha1.ReasonDependencyCycle, message: "form a cycle: cache → db → cache"},
		{why: "an app that needs itself", app: withListing(newApp("web", L, 0, newDependency("web", ""))), reason: v1alpha1.ReasonDependencyCycle, message: "web → web"},
		{why: "all problems together", app: newApp("web", L, 1, newDependency("db", ""), newDependency("disk", "")), reason: v1alpha1.ReasonAuditFailed, message: `app "web" requires app "disk"`},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			got, err := Decide(reviewed, c.app, func(name string) (*v1alpha1.AppInfo, error) {
				for _, other := range c.others {
					if other.Spec.App == name {
						return other, nil
					}
				}
				return nil, nil
			})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got.Message).To(ContainSubstring(c.message))
			g.Expect(got.Reason).To(Equal(c.reason))
			g.Expect(got.IsListed).To(Equal(c.isListed))
			g.Expect(got.Review.CanBeListed).To(Equal(c.canBeListed))
		})
	}
}

func TestGraphIsBounded(t *testing.T) {
	g := NewWithT(t)
	var needs []v1alpha1.AppDependency
	for _, first := range "abcdefgh" {
		for _, second := range "abcdefgh" {
			needs = append(needs, newDependency(string(first)+string(second), ""))
		}
	}
	got, err := Decide(reviewed, newApp("web", v1alpha1.ListingListed, 0, needs...), func(string) (*v1alpha1.AppInfo, error) { return nil, nil })
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got.Review.Dependencies).To(HaveLen(maxDependencies))
	g.Expect(len(got.Message)).To(BeNumerically("<=", 1024))
}

func TestAutomaticSourcesNeedNoChecks(t *testing.T) {
	g := NewWithT(t)
	got, err := Decide(&v1alpha1.MarketSource{}, newApp("web", v1alpha1.ListingSuspended, 5, newDependency("db", "")), nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got.Reason).To(Equal(v1alpha1.ReasonListingSuspended))
	g.Expect(got.Review.CanBeListed).To(BeTrue())
}
