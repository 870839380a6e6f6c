package integration_test

import (
	"context"
	"encoding/json"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// applyInstanceRemedies applies the remedies of an instance.
func applyInstanceRemedies(ctx context.Context, t *fixture.Tenant, instance *v1alpha1.AppInstance) {
	GinkgoHelper()
	applyRemedy(ctx, t, instance.Status.Preflight)
}

var _ = Describe("An instance that cannot be installed", func() {
	type change = func(*v1alpha1.AppInstanceSpec)
	withValues := func(given map[string]any) change {
		return func(s *v1alpha1.AppInstanceSpec) {
			raw, err := json.Marshal(given)
			Expect(err).NotTo(HaveOccurred())
			s.Values = &runtime.RawExtension{Raw: raw}
		}
	}
	withVersion := func(wanted string) change { return func(s *v1alpha1.AppInstanceSpec) { s.Version = wanted } }

	DescribeTable("reports the problem and the solution, and can be deleted:", func(ctx SpecContext, reason, says string, set change) {
		t := newTenant(ctx)
		t.Offer(ctx, storeChart("1.0.0"), siteChart("1.0.0"))
		t.Apply(ctx, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: taken-title}\n")
		instance := &v1alpha1.AppInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "mine"},
			Spec:       v1alpha1.AppInstanceSpec{AppRef: v1alpha1.AppReference{Source: "charts", Name: "store"}, ServiceAccountName: fixture.Account},
		}
		set(&instance.Spec)
		if instance.Spec.Title != "" {
			instance.Name = instance.Spec.Title // Entries set the name through the title.
		}
		Expect(t.Client.Create(ctx, instance)).To(Succeed())
		Expect(t.StalledFor(ctx, reason, instance)).To(ContainSubstring(says))
		Expect(t.Client.Delete(ctx, instance)).To(Succeed())
		Eventually(func() error { return t.Client.Get(ctx, client.ObjectKeyFromObject(instance), instance) }).WithContext(ctx).
			WithTimeout(20 * time.Second).Should(Satisfy(apierrors.IsNotFound))
	},
		Entry("a source that does not exist", v1alpha1.ReasonRefNotPermitted, `source "nowhere" not found in namespace `,
			func(s *v1alpha1.AppInstanceSpec) { s.AppRef.Source = "nowhere" }),
		Entry("a version that is not semantic", v1alpha1.ReasonInvalidSpec, `spec.version: Invalid value: "latest": `, withVersion("latest")),
		Entry("a version that does not exist", v1alpha1.ReasonVersionNotFound, `spec.version: app "store" has no version that matches "9.0.0"`, withVersion("9.0.0")),
		Entry("a number that is too large for the schema", v1alpha1.ReasonSchemaViolation, "replicas: Invalid value: 9: must be at most 5", withValues(map[string]any{"replicas": 9})),
		Entry("a string in a number field of an object", v1alpha1.ReasonInvalidObject, `Deployment/mine: spec.replicas: Invalid value: "two": must be a number`, withValues(map[string]any{"count": "two"})),
		Entry("a revision that does not exist", v1alpha1.ReasonRevisionNotFound, "spec.pinnedRevision: status.history has no revision 7",
			func(s *v1alpha1.AppInstanceSpec) { s.PinnedRevision = 7 }),
		Entry("a release that cannot be adopted", v1alpha1.ReasonAdoptFailed, `Helm release "mine" not found in namespace `,
			func(s *v1alpha1.AppInstanceSpec) { s.AdoptionPolicy = v1alpha1.AdoptionAdopt }),
		Entry("an object that already exists", v1alpha1.ReasonObjectExists, "already exists and is not managed by Helm; delete it, or use another name for the instance",
			func(s *v1alpha1.AppInstanceSpec) { s.Title = "taken" }),
	)

	DescribeTable("waits, and is installed when the requirement is met:", func(ctx SpecContext, reason, says, account string, add func(context.Context, *fixture.Tenant, *v1alpha1.AppInstance)) {
		t := newTenant(ctx)
		t.Offer(ctx, templateChart("", "apiVersion: {{ .Release.Namespace }}.example.com/v1\nkind: Gadget\nmetadata: {name: {{ .Release.Name }}}\n"))
		instance := &v1alpha1.AppInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "mine"},
			Spec:       v1alpha1.AppInstanceSpec{AppRef: v1alpha1.AppReference{Source: "charts", Name: "forms"}, ServiceAccountName: account},
		}
		group := t.Namespace + ".example.com"
		DeferCleanup(func(ctx SpecContext) { t.Kubectl(ctx, "delete", "crd", "gadgets."+group, "--ignore-not-found") })
		if reason != v1alpha1.ReasonNoKindMatch {
			t.Apply(ctx, gadgetCRD(group))
		}
		Expect(t.Client.Create(ctx, instance)).To(Succeed())
		Expect(t.WaitsFor(ctx, reason, instance)).To(ContainSubstring(says))
		add(ctx, t, instance)
		t.WaitCondition(ctx, instance, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Expect(instance.Status.Preflight).To(BeEmpty())
	},
		Entry("permissions of the service account default", v1alpha1.ReasonPermissionDenied, `spec.serviceAccountName is not set, and service account "default" lacks`, "", applyInstanceRemedies),
		Entry("a service account", v1alpha1.ReasonServiceAccountNotFound, `service account "absent" not found in namespace`, "absent", applyInstanceRemedies),
		Entry("a kind", v1alpha1.ReasonNoKindMatch, "install the operator that provides this CRD first", fixture.Account,
			func(ctx context.Context, t *fixture.Tenant, _ *v1alpha1.AppInstance) {
				t.GrantAll(ctx)
				t.Apply(ctx, gadgetCRD(t.Namespace+".example.com"))
			}),
	)
})
