package appinfo_test

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// privilegedFiles returns the files of an app with a privileged container.
func privilegedFiles() map[string]string {
	return map[string]string{
		"templates/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: web, securityContext: {privileged: true}}]\n",
	}
}

var _ = Describe("The review of an app", func() {
	var b *appFixture
	BeforeEach(func() {
		b = newAppFixture()
		b.editSource(func(spec *v1alpha1.MarketSourceSpec) { spec.Listing = v1alpha1.ListingReviewed })
	})

	setListing := func(listing v1alpha1.Listing) {
		GinkgoHelper()
		b.editApp(func(app *v1alpha1.AppInfo) { app.Spec.Listing = listing })
	}
	expectListed := func(want, message string) {
		GinkgoHelper()
		_, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionListed)).To(Equal(want), b.conditionMessage(v1alpha1.ConditionListed))
		Expect(b.conditionMessage(v1alpha1.ConditionListed)).To(ContainSubstring(message))
		b.expectNoWrites()
	}

	It("keeps a new app a draft until a user lists it, and records who did", func() {
		b.addVersion("1.0.0", configMapFiles())
		b.writeListing()
		expectListed("False Draft", "all checks pass")
		Expect(b.app.Status.Review.CanBeListed).To(BeTrue())
		Expect(b.app.Status.Review.ChangedAt).To(BeNil())
		b.editApp(func(app *v1alpha1.AppInfo) {
			app.Spec.Listing = v1alpha1.ListingListed
			metav1.SetMetaDataAnnotation(&app.ObjectMeta, v1alpha1.ListingChangedByAnnotation, "jane")
		})
		expectListed("True Listed", "can be installed")
		Expect(b.app.Status.Review.ChangedBy).To(Equal("jane"))
		Expect(b.app.Status.Review.ChangedAt).NotTo(BeNil())
		Expect(b.takeEvents()).To(ContainElement(ContainSubstring("Normal Listed")))
		setListing(v1alpha1.ListingSuspended)
		expectListed("False ListingSuspended", "")
		setListing(v1alpha1.ListingWithdrawn)
		expectListed("False ListingWithdrawn", "")
	})

	It("keeps an app with findings a draft, and reports all of them", func() {
		b.addVersion("1.0.0", privilegedFiles())
		b.writeListing()
		setListing(v1alpha1.ListingListed)
		expectListed("False AuditFailed", "privileged: Pod/web: a container is privileged")
		Expect(b.app.Status.Versions[0].Audit).To(Equal(&v1alpha1.AuditCounts{Denied: 1, Warned: 2}))
		Expect(b.app.Status.Review.Findings).To(HaveLen(3))
		Expect(b.app.Status.Review.Findings[0].Rule).To(Equal("privileged"))
		var report struct{ Denied int }
		Expect(json.Unmarshal([]byte(b.getReport("audit.json")), &report)).To(Succeed())
		Expect(report.Denied).To(Equal(1))

		By("ignoring the rule, which audits the app again")
		b.editSource(func(spec *v1alpha1.MarketSourceSpec) {
			spec.Review = &v1alpha1.ReviewPolicy{Rules: []v1alpha1.AuditRule{{Name: "privileged", Effect: v1alpha1.AuditWarn}}}
		})
		expectListed("True Listed", "")
	})

	It("withholds a version with findings, and describes the version that can be installed", func() {
		b.addVersion("1.0.0", configMapFiles())
		b.writeListing()
		setListing(v1alpha1.ListingListed)
		expectListed("True Listed", "")
		b.addVersion("2.0.0", privilegedFiles())
		b.writeListing()
		expectListed("True Listed", "withheld because of the audit: 2.0.0")
		Expect(b.app.Status.SelectedVersion).To(Equal("1.0.0"))
		Expect(b.app.Status.Review.Version).To(Equal("2.0.0"), "the findings belong to the latest version")
	})

	It("audits the apps of a source whose policy changes, and forgets the review without one", func() {
		b.editSource(func(spec *v1alpha1.MarketSourceSpec) { spec.Listing = v1alpha1.ListingAutomatic })
		b.addVersion("1.0.0", configMapFiles())
		b.writeListing()
		expectListed("", "")
		Expect(b.app.Status.Review).To(BeNil())
		Expect(b.app.Status.Versions[0].Audit).To(BeNil())
		b.editSource(func(spec *v1alpha1.MarketSourceSpec) { spec.Listing = v1alpha1.ListingReviewed })
		expectListed("False Draft", "all checks pass")
		Expect(b.app.Status.Versions[0].Audit).NotTo(BeNil())
		b.editSource(func(spec *v1alpha1.MarketSourceSpec) { spec.Listing = v1alpha1.ListingAutomatic })
		expectListed("", "")
		Expect(b.app.Status.Review).To(BeNil())
	})

	It("withdraws an app whose hydration fails, too", func() {
		b.addVersion("1.0.0", unrenderableFiles())
		b.writeListing()
		setListing(v1alpha1.ListingWithdrawn)
		_, err := b.reconcileApp()
		Expect(err).To(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionListed)).To(Equal("False ListingWithdrawn"))
	})
})
