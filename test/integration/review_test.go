package integration_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// applyListingPolicies applies the policies for spec.listing, bound to the namespace of a tenant.
func applyListingPolicies(ctx context.Context, t *fixture.Tenant) {
	GinkgoHelper()
	for _, file := range []string{"config/admission/listing.yaml", "config/requester/listing.yaml"} {
		text, err := os.ReadFile(fixture.Path(file))
		Expect(err).NotTo(HaveOccurred())
		policy := strings.ReplaceAll(string(text), "name: appmarket-listing", "name: listing-"+t.Namespace)
		policy = strings.Replace(policy, "policyName: appmarket-listing", fmt.Sprintf(
			"policyName: listing-%[1]s\n  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}}", t.Namespace), 1)
		cluster.Apply(ctx, policy)
		DeferCleanup(func(ctx SpecContext) {
			_, err := cluster.TryKubectl(ctx, strings.NewReader(policy), "delete", "--filename", "-")
			Expect(err).NotTo(HaveOccurred())
		})
	}
}

// reviewed makes the apps of a source drafts.
func reviewed(s *v1alpha1.MarketSourceSpec) { s.Listing = v1alpha1.ListingReviewed }

// waitListed waits until the condition Listed of an app has a reason, and returns its message.
func waitListed(ctx context.Context, t *fixture.Tenant, app, reason string) string {
	GinkgoHelper()
	message := ""
	Eventually(func(g Gomega) {
		info := &v1alpha1.AppInfo{}
		g.Expect(t.Client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "charts." + app}, info)).To(Succeed())
		c := meta.FindStatusCondition(info.Status.Conditions, v1alpha1.ConditionListed)
		g.Expect(c).NotTo(BeNil())
		g.Expect(c.Reason).To(Equal(reason), c.Message)
		message = c.Message
	}).WithContext(ctx).Should(Succeed())
	return message
}

var _ = Describe("A source that requires a review", func() {
	// setListing sets the listing of an app as a user.
	setListing := func(ctx context.Context, t *fixture.Tenant, app string, listing v1alpha1.Listing, user string, flags ...string) string {
		out, _ := t.TryKubectl(ctx, nil, append([]string{"patch", "appinfo", "charts." + app, "--namespace", t.Namespace, "--type", "merge",
			"--patch", fmt.Sprintf(`{"spec":{"listing":%q}}`, listing), "--as", user}, flags...)...)
		return out
	}

	It("lists an app after the app that it requires, and keeps a suspended app running", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(fixture.App("user", plainFiles, "", "base"))
		t.AddSource(ctx, repository, fixture.AsOlares, reviewed)
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		Expect(waitListed(ctx, t, "user", v1alpha1.ReasonDraft)).To(ContainSubstring(`app "user" requires app "base"`))
		list := func(app string) {
			GinkgoHelper()
			t.Kubectl(ctx, "patch", "appinfo", "charts."+app, "--namespace", t.Namespace, "--type", "merge", "--patch", `{"spec":{"listing":"Listed"}}`)
		}
		list("user")
		Expect(waitListed(ctx, t, "user", v1alpha1.ReasonDependencyFailed)).To(ContainSubstring("has no such app"))
		t.Fail(ctx, v1alpha1.ReasonDraft, v1alpha1.ActionInstall, "user")

		By("adding the required app")
		repository.Add(fixture.App("base", plainFiles, ""))
		t.Sync(ctx)
		waitListed(ctx, t, "base", v1alpha1.ReasonDraft)
		list("base")
		waitListed(ctx, t, "base", v1alpha1.ReasonListed)
		waitListed(ctx, t, "user", v1alpha1.ReasonListed)
		t.Succeed(ctx, v1alpha1.ActionInstall, "base")
		t.Succeed(ctx, v1alpha1.ActionInstall, "user", fixture.As("first"))

		By("suspending the app")
		t.Kubectl(ctx, "patch", "appinfo", "charts.user", "--namespace", t.Namespace, "--type", "merge", "--patch", `{"spec":{"listing":"Suspended"}}`)
		waitListed(ctx, t, "user", v1alpha1.ReasonListingSuspended)
		t.WaitTrue(ctx, t.Instance(ctx, "first"), v1alpha1.ConditionReady)
		t.Fail(ctx, v1alpha1.ReasonListingSuspended, v1alpha1.ActionInstall, "user", fixture.As("second"))
		t.Succeed(ctx, v1alpha1.ActionConfigure, "user", fixture.As("first"))
		t.Sync(ctx)
		Expect(t.App(ctx, "user").Spec.Listing).To(Equal(v1alpha1.ListingSuspended), "the source keeps the value of the user")
	})

	It("lets only users with the verbs change the listing, and records them", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(fixture.App("page", plainFiles, ""))
		t.AddSource(ctx, repository, fixture.AsOlares, reviewed)
		waitListed(ctx, t, "page", v1alpha1.ReasonDraft)
		applyListingPolicies(ctx, t)
		for user, verbs := range map[string]string{"joe": "get, patch", "jane": "get, patch, approve"} {
			t.Apply(ctx, fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: %[1]s}
rules: [{apiGroups: [appmarket.io], resources: [appinfos], verbs: [%[2]s]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %[1]s}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %[1]s}]
`, user, verbs))
		}
		// The policies are enforced some time after they are created.
		Eventually(func() string {
			return setListing(ctx, t, "page", v1alpha1.ListingListed, "joe", "--dry-run=server")
		}).WithContext(ctx).Should(ContainSubstring("joe may not set spec.listing of app charts.page in namespace " + t.Namespace + " to Listed: this requires the verb approve"))
		Expect(t.TryKubectl(ctx, nil, "patch", "appinfo", "charts.page", "--namespace", t.Namespace, "--type", "merge", "--patch", `{"spec":{"featured":7}}`, "--as", "joe")).
			To(ContainSubstring("patched"), "other fields need no further verb")
		Eventually(func() string {
			return setListing(ctx, t, "page", v1alpha1.ListingListed, "jane", "--dry-run=server", "--output", `jsonpath={.metadata.annotations.appmarket\.io/listing-changed-by}`)
		}).WithContext(ctx).Should(Equal("jane"))
		Expect(setListing(ctx, t, "page", v1alpha1.ListingListed, "joe")).To(ContainSubstring("requires the verb approve"))
		Expect(setListing(ctx, t, "page", v1alpha1.ListingListed, "jane")).To(ContainSubstring("patched"))
		waitListed(ctx, t, "page", v1alpha1.ReasonListed)
		Expect(t.App(ctx, "page").Status.Review.ChangedBy).To(Equal("jane"))
		Expect(setListing(ctx, t, "page", v1alpha1.ListingWithdrawn, "jane")).To(ContainSubstring("requires the verb withdraw"))
		forged, _ := t.TryKubectl(ctx, nil, "annotate", "appinfo", "charts.page", "--namespace", t.Namespace, "--overwrite", v1alpha1.ListingChangedByAnnotation+"=boss", "--as", "joe")
		Expect(forged).NotTo(BeEmpty())
		Expect(t.App(ctx, "page").Annotations[v1alpha1.ListingChangedByAnnotation]).To(Equal("jane"))
	})

	It("bounds an expensive rule and a chart with very many objects", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := fixture.NewRepository()
		repository.Add(fixture.App("many", fixture.Files{
			"templates/many.yaml": "{{ range until 4000 }}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ $.Release.Name }}-{{ . }}}\n{{ end }}"}, ""))
		ten := "[1,2,3,4,5,6,7,8,9,10]"
		t.AddSource(ctx, repository, fixture.AsOlares, reviewed, func(s *v1alpha1.MarketSourceSpec) {
			s.Review = &v1alpha1.ReviewPolicy{Rules: []v1alpha1.AuditRule{{Name: "slow", Effect: v1alpha1.AuditWarn, Expression: fmt.Sprintf(
				"%[1]s.all(a, %[1]s.all(b, %[1]s.all(c, %[1]s.all(d, a + b + c + d > 0))))", ten)}}}
		})
		Eventually(func() string { return waitListed(ctx, t, "many", v1alpha1.ReasonDraft) }).WithContext(ctx).
			Should(ContainSubstring("cost: the audit exceeds its cost limit"))
		review := t.App(ctx, "many").Status.Review
		Expect(review.Version).NotTo(BeEmpty())
		Expect(review.Findings).NotTo(BeEmpty())
		Expect(len(review.Findings)).To(BeNumerically("<=", 20))
	})
})
