package appinstalltask_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("A task whose service account may not read an input", func() {
	var b *taskFixture
	BeforeEach(func() {
		b = newTaskFixture()
		server.Allow(GinkgoTB(), b.namespace, "limited", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}})
		content := filesWithInputs()
		content["templates/job.yaml"] = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: clean}\nspec: {schedule: '@daily', jobTemplate: {spec: {template: {spec: {" +
			"restartPolicy: Never, containers: [{name: a, image: images.example.com/a}]}}}}}\n"
		b.PublishVersion("1.0.0", content)
		server.Create(GinkgoTB(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "settings"}, Data: map[string]string{"theme": "dark"}})
	})
	withInputs := func(t *v1alpha1.AppInstallTask) {
		t.Spec.ServiceAccountName = "limited"
		t.Spec.EnsureParameters().Inputs = []v1alpha1.InputValue{password, {Name: "THEME", ValueFrom: &v1alpha1.InputValueSource{
			ConfigMapKeyRef: &v1alpha1.KeyReference{Name: "settings", Key: "theme"}}}}
	}

	It("fails with a remedy for all missing permissions", func() {
		b.createTask("install", v1alpha1.ActionInstall, withInputs)
		Expect(b.expectFailure(v1alpha1.ReasonPermissionDenied)).To(And(
			ContainSubstring("apply status.preflight[0].remedy"),
			ContainSubstring(`spec.install.inputs["PASSWORD"]: service account "limited" cannot get Secret "inputs"`)))
		Expect(b.task.Status.Preflight[0].Remedy).To(And(
			ContainSubstring(`"resources":["secrets"]`), ContainSubstring(`"resources":["cronjobs"]`),
			ContainSubstring(`"resources":["configmaps"],"resourceNames":["settings"]`)))
		Expect(b.task.Status.Preflight).To(HaveEach(HaveField("Reason", v1alpha1.ReasonPermissionDenied)))
	})

	It("waits for the permissions if it waits for unmet requirements", func() {
		b.createTask("install", v1alpha1.ActionInstall, withInputs, func(t *v1alpha1.AppInstallTask) {
			t.Spec.OnUnmetRequirement = v1alpha1.UnmetRequirementWait
		})
		b.expectWaiting(v1alpha1.ReasonPermissionDenied)
	})

	It("reports the permissions that every app requires if the app cannot be rendered without the input", func() {
		content := filesWithInputs()
		content["templates/page.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page}\ndata: {a: {{ required \"needed\" .Values.olaresEnv.PASSWORD }}}\n"
		b.PublishVersion("1.0.0", content)
		b.createTask("install", v1alpha1.ActionInstall, withInputs)
		b.expectFailure(v1alpha1.ReasonPermissionDenied)
		Expect(b.task.Status.Preflight[0].Remedy).To(And(ContainSubstring(`"resources":["secrets"]`), Not(ContainSubstring("cronjobs"))))
	})
})
