package appinstance_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("Before an install or upgrade", func() {
	var b *instanceFixture
	pages := func(more string) map[string]string {
		content := configMapFiles()
		content["templates/more.yaml"] = more
		return content
	}
	const bad = "apiVersion: v1\nkind: Service\nmetadata: {name: more}\nspec: {ports: [{port: 99999}]}\n"

	// waits expects the instance to wait, without an operation.
	waits := func(reason string, after time.Duration) {
		GinkgoHelper()
		result, err := b.reconcileInstance()
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(BeNumerically("~", after, after/10))
		Expect(b.conditionStatus(v1alpha1.ConditionReconciling)).To(Equal("True " + reason))
		Expect(b.instance.Status.CurrentOperation).To(BeNil())
	}
	// grant applies the roles of a remedy, as an administrator does.
	grant := func(remedy string) {
		GinkgoHelper()
		for _, document := range strings.Split(remedy, "\n---\n") {
			role, binding := &rbacv1.Role{}, &rbacv1.RoleBinding{}
			if strings.Contains(document, "kind: RoleBinding") {
				Expect(yaml.Unmarshal([]byte(document), binding)).To(Succeed())
				server.Create(GinkgoTB(), binding)
			} else {
				Expect(yaml.Unmarshal([]byte(document), role)).To(Succeed())
				server.Create(GinkgoTB(), role)
			}
		}
	}

	It("lists every right that is missing, waits for them ever longer, and goes on when they are granted", func() {
		b = newInstanceFixtureWithRules()
		b.PublishVersion("1.0.0", map[string]string{"templates/page.yaml": configMapTemplate, "templates/web.yaml": deploymentTemplate})
		b.createInstance()
		waits(v1alpha1.ReasonPermissionDenied, 10*time.Second)
		Expect(b.instance.Status.Preflight).To(HaveLen(1))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(SatisfyAll(
			ContainSubstring(`service account "tenant" lacks`), ContainSubstring("status.preflight[0].remedy")))
		Expect(b.historySummary()).To(BeEmpty())
		b.expectNoWrites() // also makes the conditions a minute older
		waits(v1alpha1.ReasonPermissionDenied, 30*time.Second)

		grant(b.instance.Status.Preflight[0].Remedy)
		_, err := b.reconcileUntilObserved()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.instance.Status.Preflight).To(BeEmpty())
		Expect(b.historySummary()).To(Equal([]string{"Install 1.0.0 Succeeded"}))
	})

	It("lists everything that is wrong, and ends for what only another spec solves", func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", pages(bad+"---\napiVersion: example.com/v1\nkind: Strange\nmetadata: {name: one}\n"))
		server.Create(GinkgoTB(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "mine-page"}})
		b.createInstance()
		b.expectUnresolved(v1alpha1.ReasonInvalidObject)
		var reasons []string
		for _, problem := range b.instance.Status.Preflight {
			reasons = append(reasons, problem.Reason)
		}
		Expect(reasons).To(ConsistOf(v1alpha1.ReasonObjectExists, v1alpha1.ReasonInvalidObject, v1alpha1.ReasonNoKindMatch))
		b.expectNoWrites()
		b.expectUnresolved(v1alpha1.ReasonInvalidObject)
	})

	It("keeps what is installed running while an upgrade may not begin", func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", pages(""))
		b.createInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "*" })
		b.expectReady("1.0.0", 1)
		b.PublishVersion("2.0.0", pages("apiVersion: example.com/v1\nkind: Strange\nmetadata: {name: one}\n"))
		waits(v1alpha1.ReasonNoKindMatch, 10*time.Second)
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(HavePrefix("True"))
		Expect(b.conditionMessage(v1alpha1.ConditionReady)).To(SatisfyAll(ContainSubstring("running version 1.0.0"), ContainSubstring("Strange")))
		b.PublishVersion("3.0.0", pages(bad))
		b.expectUnresolved(v1alpha1.ReasonInvalidObject)
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
		b.PublishVersion("4.0.0", pages(""))
		b.expectReady("4.0.0", 2)
		Expect(b.instance.Status.Preflight).To(BeEmpty())
	})

	It("does not check again what a task was admitted for, but what follows", func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", pages(bad))
		b.createAdmittedInstance(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "*" })
		_, err := b.reconcileInstance()
		Expect(err).To(HaveOccurred())
		Expect(b.historySummary()).To(Equal([]string{"Install 1.0.0 Failed InstallFailed"}))
		b.PublishVersion("2.0.0", pages(bad))
		b.expectUnresolved(v1alpha1.ReasonInvalidObject)
		Expect(b.historySummary()).To(HaveLen(1))
	})

	It("does not check again what was interrupted", func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", pages(bad))
		b.createAdmittedInstance()
		_, err := b.reconcileInstance()
		Expect(err).To(HaveOccurred())
		b.editStatus(func(status *v1alpha1.AppInstanceStatus) { status.History[0].Outcome = v1alpha1.OutcomeInterrupted })
		b.requestReconcile("now")
		_, err = b.reconcileInstance()
		Expect(err).To(HaveOccurred())
		Expect(b.instance.Status.Preflight).To(BeEmpty())
		Expect(b.historySummary()[0]).To(Equal("Install 1.0.0 Failed InstallFailed"))
	})
})
