package integration_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// siteText returns the text in the ConfigMap of an instance of site.
func siteText(ctx context.Context, t *fixture.Tenant) string {
	GinkgoHelper()
	settings := &corev1.ConfigMap{}
	Expect(t.Client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "site-settings"}, settings)).To(Succeed())
	return settings.Data["text"]
}

// siteOperations returns the types of the operations of an instance of site, newest first.
func siteOperations(ctx context.Context, t *fixture.Tenant) []v1alpha1.OperationType {
	GinkgoHelper()
	var all []v1alpha1.OperationType
	for _, entry := range t.Instance(ctx, "site").Status.History {
		all = append(all, entry.Operation.Type)
	}
	return all
}

var _ = Describe("An installed instance", func() {
	var t *fixture.Tenant
	BeforeEach(func(ctx SpecContext) {
		t = newTenant(ctx)
		t.Offer(ctx, siteChart("1.0.0"), siteChart("1.1.0"))
		t.Succeed(ctx, v1alpha1.ActionInstall, "site", fixture.Version("1.0.0"))
	})

	It("is configured without another version, and without a revision if nothing changes", func(ctx SpecContext) {
		t.Succeed(ctx, v1alpha1.ActionConfigure, "site", fixture.Values(map[string]any{"text": "good morning"}))
		instance := t.Instance(ctx, "site")
		Expect([]any{instance.Status.Version, instance.Status.Revision}).To(Equal([]any{"1.0.0", int32(2)}))
		Expect(siteText(ctx, t)).To(Equal("good morning"))

		t.Succeed(ctx, v1alpha1.ActionConfigure, "site", func(s *v1alpha1.AppInstallTaskSpec) { s.EnsureConfiguration().Title = "Site" })
		instance = t.Instance(ctx, "site")
		Expect([]any{instance.Spec.Title, instance.Status.Revision}).To(Equal([]any{"Site", int32(2)}))
		Expect(siteText(ctx, t)).To(Equal("good morning"))

		t.Succeed(ctx, v1alpha1.ActionRollback, "site")
		Expect(siteText(ctx, t)).To(Equal("hello"))
		t.Succeed(ctx, v1alpha1.ActionConfigure, "site", fixture.Values(map[string]any{"text": "good night"}))
		instance = t.Instance(ctx, "site")
		Expect([]any{instance.Spec.PinnedRevision, instance.Status.Version, instance.Status.Revision}).To(Equal([]any{int32(0), "1.0.0", int32(4)}))
		Expect(siteText(ctx, t)).To(Equal("good night"))
	})

	It("is restarted with new pods, and without a revision", func(ctx SpecContext) {
		pods := func() []string {
			GinkgoHelper()
			return strings.Fields(t.Kubectl(ctx, "get", "pods", "--namespace", t.Namespace, "--selector", "app=site", "--output", "name"))
		}
		before := pods()
		Expect(before).To(HaveLen(1))
		t.Succeed(ctx, v1alpha1.ActionRestart, "site")
		Eventually(pods).WithContext(ctx).Should(And(HaveLen(1), Not(ContainElement(before[0]))))
		instance := t.Instance(ctx, "site")
		Expect(instance.Status.Revision).To(Equal(int32(1)))
		Expect(instance.Status.RestartedAt).NotTo(BeNil())
		Expect(siteOperations(ctx, t)).To(Equal([]v1alpha1.OperationType{v1alpha1.OperationRestart, v1alpha1.OperationInstall}))
		web := &appsv1.Deployment{}
		Expect(t.Client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "site"}, web)).To(Succeed())
		Expect(web.Spec.Template.Annotations).To(HaveKey("kubectl.kubernetes.io/restartedAt"))

		t.Succeed(ctx, v1alpha1.ActionUpgrade, "site")
		t.Succeed(ctx, v1alpha1.ActionStop, "site")
		t.Fail(ctx, v1alpha1.ReasonInvalidState, v1alpha1.ActionRestart, "site")
	})

	It("waits with its tasks while it is suspended", func(ctx SpecContext) {
		suspend := func(value string) {
			GinkgoHelper()
			t.Kubectl(ctx, "patch", "ainst/site", "--namespace", t.Namespace, "--type=merge", "--patch", `{"spec":{"suspend":`+value+`}}`)
		}
		suspend("true")
		task := t.Task(ctx, v1alpha1.ActionUpgrade, "site")
		Expect(t.WaitReconciling(ctx, task, v1alpha1.ReasonSuspended)).To(ContainSubstring(`instance "site" is suspended`))
		t.Kubectl(ctx, "patch", "ainst/site", "--namespace", t.Namespace, "--type=merge", "--patch", `{"spec":{"desiredState":"Stopped"}}`)
		instance := t.Instance(ctx, "site")
		Eventually(func(g Gomega) {
			instance = t.Instance(ctx, "site")
			g.Expect(instance.Status.ObservedGeneration).To(Equal(instance.Generation))
		}).WithContext(ctx).Should(Succeed())
		Expect(t.WaitCondition(ctx, instance, v1alpha1.ConditionReady, "True", v1alpha1.ReasonReady)).To(HavePrefix("suspended by spec.suspend; running version 1.0.0"))
		Expect(siteOperations(ctx, t)).To(Equal([]v1alpha1.OperationType{v1alpha1.OperationInstall}))

		t.Kubectl(ctx, "patch", "ainst/site", "--namespace", t.Namespace, "--type=merge", "--patch", `{"spec":{"desiredState":"Running"}}`)
		suspend("false")
		Expect(t.WaitEnd(ctx, task).Reason).To(Equal(v1alpha1.ReasonSucceeded))
		Expect(siteOperations(ctx, t)).To(Equal([]v1alpha1.OperationType{v1alpha1.OperationUpgrade, v1alpha1.OperationInstall}))

		suspend("true")
		t.Kubectl(ctx, "delete", "ainst/site", "--namespace", t.Namespace, "--timeout=60s")
		Expect(t.Kubectl(ctx, "get", "deployments", "--namespace", t.Namespace, "--output", "name")).To(BeEmpty())
	})
})
