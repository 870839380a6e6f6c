package admission

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// TestListing contains the cases that do not depend on the permissions of the tenant. Package
// appinstalltask tests drafts and versions that are withheld.
func TestListing(t *testing.T) {
	for _, c := range []struct {
		why              string
		policy           v1alpha1.ListingPolicy
		listing          v1alpha1.Listing
		isListed         bool
		installed        string
		install, upgrade string
	}{
		{why: "automatic", policy: v1alpha1.ListingAutomatic},
		{why: "listed", policy: v1alpha1.ListingReviewed, listing: v1alpha1.ListingListed, isListed: true},
		{why: "suspended", policy: v1alpha1.ListingReviewed, listing: v1alpha1.ListingSuspended, install: v1alpha1.ReasonListingSuspended},
		{why: "suspended in an automatic source", listing: v1alpha1.ListingSuspended, install: v1alpha1.ReasonListingSuspended},
		{why: "withdrawn", listing: v1alpha1.ListingWithdrawn, install: v1alpha1.ReasonListingWithdrawn, upgrade: v1alpha1.ReasonListingWithdrawn},
		{why: "another chart of the installed version", listing: v1alpha1.ListingWithdrawn, installed: "sha256:b",
			install: v1alpha1.ReasonListingWithdrawn, upgrade: v1alpha1.ReasonListingWithdrawn},
		{why: "the installed chart is configured", listing: v1alpha1.ListingWithdrawn, installed: "sha256:a", install: v1alpha1.ReasonListingWithdrawn},
	} {
		t.Run(c.why, func(t *testing.T) {
			for isUpgrade, want := range map[bool]string{false: c.install, true: c.upgrade} {
				g := NewWithT(t)
				app := appWith(func(info *v1alpha1.AppInfo) {
					info.Spec.Listing = c.listing
					if c.isListed {
						info.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionListed, Status: metav1.ConditionTrue}}
					}
				})
				app.Source.Spec.Listing = c.policy
				o := &Operation{App: app, Upgrade: isUpgrade, Instance: &v1alpha1.AppInstance{},
					Version: &v1alpha1.PublishedVersion{Version: "1.0.0", Digest: "sha256:a", Audit: &v1alpha1.AuditCounts{}}}
				o.Instance.Status.Version, o.Instance.Status.ChartDigest = "1.0.0", c.installed
				f := &Findings{}
				g.Expect(CheckListing(t.Context(), o, f)).To(Succeed())
				if want == "" {
					g.Expect(f.ToError(0)).To(Succeed(), "upgrade: %t", isUpgrade)
				} else {
					expectFinding(g, f, want, false)
				}
			}
		})
	}
}
