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
	var b *bench
	pages := func(more string) map[string]string {
		content := pages()
		content["templates/more.yaml"] = more
		return content
	}
	const bad = "apiVersion: v1\nkind: Service\nmetadata: {name: more}\nspec: {ports: [{port: 99999}]}\n"

	// waits expects the instance to wait, without an operation.
	waits := func(reason string, after time.Duration) {
		GinkgoHelper()
		result, err := b.reconcile()
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(BeNumerically("~", after, after/10))
		Expect(b.condition(v1alpha1.ConditionReconciling)).To(Equal("True " + reason))
		Expect(b.instance.Status.Operation).To(BeNil())
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
		b = newBenchOf()
		b.publish("1.0.0", map[string]string{"templates/page.yaml": page, "templates/web.yaml": workload})
		b.create()
		waits(v1alpha1.ReasonPermissionDenied, 10*time.Second)
		Expect(b.instance.Status.Preflight).To(HaveLen(1))
		Expect(b.says(v1alpha1.ConditionReady)).To(SatisfyAll(
			ContainSubstring("service account tenant lacks"), ContainSubstring("status.preflight[0].remedy")))
		Expect(b.outcomes()).To(BeEmpty())
		b.quiet() // also makes the conditions a minute older
		waits(v1alpha1.ReasonPermissionDenied, 30*time.Second)

		grant(b.instance.Status.Preflight[0].Remedy)
		_, err := b.looked()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.instance.Status.Preflight).To(BeEmpty())
		Expect(b.outcomes()).To(Equal([]string{"Install 1.0.0 Succeeded"}))
	})

	It("lists everything that is wrong, and ends for what only another spec solves", func() {
		b = newBench()
		b.publish("1.0.0", pages(bad+"---\napiVersion: example.com/v1\nkind: Strange\nmetadata: {name: one}\n"))
		server.Create(GinkgoTB(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.instance.Namespace, Name: "mine-page"}})
		b.create()
		b.unresolved(v1alpha1.ReasonInvalidObject)
		var reasons []string
		for _, problem := range b.instance.Status.Preflight {
			reasons = append(reasons, problem.Reason)
		}
		Expect(reasons).To(ConsistOf(v1alpha1.ReasonObjectExists, v1alpha1.ReasonInvalidObject, v1alpha1.ReasonKindMissing))
		b.quiet()
		b.unresolved(v1alpha1.ReasonInvalidObject)
	})

	It("keeps what is installed running while an upgrade may not begin", func() {
		b = newBench()
		b.publish("1.0.0", pages(""))
		b.create(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "*" })
		b.runs("1.0.0", 1)
		b.publish("2.0.0", pages("apiVersion: example.com/v1\nkind: Strange\nmetadata: {name: one}\n"))
		waits(v1alpha1.ReasonKindMissing, 10*time.Second)
		Expect(b.condition(v1alpha1.ConditionReady)).To(HavePrefix("True"))
		Expect(b.says(v1alpha1.ConditionReady)).To(SatisfyAll(ContainSubstring("running version 1.0.0"), ContainSubstring("Strange")))
		b.publish("3.0.0", pages(bad))
		b.unresolved(v1alpha1.ReasonInvalidObject)
		Expect(b.condition(v1alpha1.ConditionReady)).To(Equal("True ServingPrevious"))
		b.publish("4.0.0", pages(""))
		b.runs("4.0.0", 2)
		Expect(b.instance.Status.Preflight).To(BeEmpty())
	})

	It("does not check again what a task was admitted for, but what follows", func() {
		b = newBench()
		b.publish("1.0.0", pages(bad))
		b.instance.Annotations = written("task", "hash", "uid")
		b.create(func(spec *v1alpha1.AppInstanceSpec) { spec.Version = "*" })
		_, err := b.reconcile()
		Expect(err).To(HaveOccurred())
		Expect(b.outcomes()).To(Equal([]string{"Install 1.0.0 Failed InstallFailed"}))
		b.publish("2.0.0", pages(bad))
		b.unresolved(v1alpha1.ReasonInvalidObject)
		Expect(b.outcomes()).To(HaveLen(1))
	})

	It("does not check again what was interrupted", func() {
		b = newBench()
		b.publish("1.0.0", pages(bad))
		b.instance.Annotations = written("task", "hash", "uid")
		b.create()
		_, err := b.reconcile()
		Expect(err).To(HaveOccurred())
		b.editStatus(func(status *v1alpha1.AppInstanceStatus) { status.History[0].Outcome = v1alpha1.OutcomeInterrupted })
		b.ask("now")
		_, err = b.reconcile()
		Expect(err).To(HaveOccurred())
		Expect(b.instance.Status.Preflight).To(BeEmpty())
		Expect(b.outcomes()[0]).To(Equal("Install 1.0.0 Failed InstallFailed"))
	})
})
