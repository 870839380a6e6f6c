package integration_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("An app whose objects already exist", func() {
	chart := templateChart("", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-settings\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  ports: [{port: 80}]\n")

	It("is rejected with the existing objects, and installed when they are deleted", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, chart)
		t.Apply(ctx, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: forms-settings}\ndata: {mine: \"yes\"}\n---\n"+
			"apiVersion: v1\nkind: Service\nmetadata:\n  name: forms\n  labels: {app.kubernetes.io/managed-by: Helm}\n  annotations: {meta.helm.sh/release-name: blog, meta.helm.sh/release-namespace: "+t.Namespace+"}\nspec: {ports: [{port: 80}]}\n")
		end := t.Do(ctx, v1alpha1.ActionInstall, "forms")
		Expect(end.Reason).To(Equal(v1alpha1.ReasonObjectExists), end.Message)
		Expect(end.Message).To(And(ContainSubstring("ConfigMap/forms-settings already exists and is not managed by Helm; delete it"),
			ContainSubstring(`Service/forms already exists and is managed by Helm release "blog"`)))
		Expect(end.Task.Status.InstanceRef).To(BeNil())
		t.RecordMessage(end.Reason + ": " + end.Message)

		t.Succeed(ctx, v1alpha1.ActionInstall, "forms", fixture.As("other"))
		t.Kubectl(ctx, "delete", "configmap/forms-settings", "service/forms", "--namespace", t.Namespace)
		t.Succeed(ctx, v1alpha1.ActionInstall, "forms")
	})

	It("is rejected because of a new object of an upgrade", func(ctx SpecContext) {
		t := newTenant(ctx)
		repository := t.Offer(ctx, chart)
		t.Succeed(ctx, v1alpha1.ActionInstall, "forms")
		t.Apply(ctx, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: forms-more}\n")
		repository.Add(chart.With("1.1.0", fixture.Files{"templates/more.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-more\n"}))
		t.Sync(ctx)
		message := t.Fail(ctx, v1alpha1.ReasonObjectExists, v1alpha1.ActionUpgrade, "forms", fixture.Version("1.1.0"))
		Expect(message).To(HavePrefix("ConfigMap/forms-more already exists and is not managed by Helm"))
	})

	It("is rejected because of an existing Helm release, which can be adopted", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, chart)
		message := t.Fail(ctx, v1alpha1.ReasonAdoptFailed, v1alpha1.ActionAdopt, "forms", fixture.As("absent"))
		Expect(message).To(Equal(fmt.Sprintf(`Helm release "absent" not found in namespace %q; use action Install`, t.Namespace)))
		Expect(t.Names(ctx, "appinstances")).To(BeEmpty())

		t.Apply(ctx, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: sh.helm.release.v1.forms.v1\n  labels: {owner: helm, name: forms, version: \"1\", status: deployed}\n")
		message = t.Fail(ctx, v1alpha1.ReasonAlreadyInstalled, v1alpha1.ActionInstall, "forms")
		Expect(message).To(HavePrefix(fmt.Sprintf(`Helm release "forms" already exists in namespace %q; adopt it with action Adopt`, t.Namespace)))
	})
})
