package appinstalltask_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A task for an app of a source that requires a review", func() {
	var b *taskFixture
	BeforeEach(func() {
		b = newTaskFixture()
		b.PublishVersion("1.0.0", filesWithoutInputs())
		before := client.MergeFrom(b.Source.DeepCopy())
		b.Source.Spec.Listing = v1alpha1.ListingReviewed
		Expect(server.Client.Patch(b.ctx, b.Source, before)).To(Succeed())
	})

	// list sets the listing of the app and the result of its review.
	list := func(listing v1alpha1.Listing, denied int32) {
		GinkgoHelper()
		b.EditApp(func(app *v1alpha1.AppInfo) {
			app.Spec.Listing = listing
			app.Status.Versions[0].Audit = &v1alpha1.AuditCounts{Denied: denied}
			meta.SetStatusCondition(&app.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionListed, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonListed})
		})
	}
	waiting := func(t *v1alpha1.AppInstallTask) { t.Spec.OnUnmetRequirement = v1alpha1.UnmetRequirementWait }
	grantReview := func() {
		GinkgoHelper()
		name := metav1.ObjectMeta{Namespace: b.Source.Namespace, Name: "review"}
		server.Create(GinkgoTB(),
			&rbacv1.Role{ObjectMeta: name, Rules: []rbacv1.PolicyRule{{
				APIGroups: []string{"appmarket.io"}, Resources: []string{"appinfos"}, Verbs: []string{"review"}, ResourceNames: []string{"main.web"}}}},
			&rbacv1.RoleBinding{ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name.Name},
				Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: b.namespace, Name: "tenant"}}})
	}

	It("fails while the app is a draft", func() {
		b.createTask("install", v1alpha1.ActionInstall)
		Expect(b.expectFailure(v1alpha1.ReasonDraft)).To(ContainSubstring(`app "web" of source "main" is a draft`))
	})

	It("waits until the app is listed if its spec says so", func() {
		b.createTask("install", v1alpha1.ActionInstall, waiting)
		b.expectWaiting(v1alpha1.ReasonDraft)
		list(v1alpha1.ListingListed, 0)
		b.expectAdmittedSoon()
	})

	It("installs a draft with the permission to review it", func() {
		grantReview()
		b.createTask("install", v1alpha1.ActionInstall, waiting)
		b.expectAdmittedSoon()
	})

	It("fails for a version that is withheld, and not for a reviewer", func() {
		list(v1alpha1.ListingListed, 1)
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectFailure(v1alpha1.ReasonAuditFailed)
		grantReview()
		b.createTask("review", v1alpha1.ActionInstall, waiting)
		b.expectAdmittedSoon()
	})

	It("fails for a suspended app, and for a withdrawn app also with the permission to review it", func() {
		list(v1alpha1.ListingSuspended, 0)
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectFailure(v1alpha1.ReasonListingSuspended)
		grantReview()
		list(v1alpha1.ListingWithdrawn, 0)
		b.createTask("again", v1alpha1.ActionInstall)
		b.expectFailure(v1alpha1.ReasonListingWithdrawn)
	})
})
