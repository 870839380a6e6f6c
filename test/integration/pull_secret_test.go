package integration_test

import (
	"encoding/base64"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("An image of a registry that requires credentials", func() {
	const pods = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %[1]q}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n" +
		"    spec: {imagePullSecrets: [{name: pull}], containers: [{name: main, image: %[2]q}]}\n"
	secret := func(kind, key, registry string) string {
		config := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"auths": {%q: {"auth": "amFuZTpwYXNz"}}}`, registry))
		return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: pull}\ntype: %s\ndata: {%s: %s}\n", kind, key, config)
	}

	It("requires an image pull Secret with the registry before a task installs the app", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, templateChart("", fmt.Sprintf(pods, "{{ .Release.Name }}", privateRegistry+"/team/web:1")))
		app := t.App(ctx, "forms")
		Expect(app.Status.Images).To(HaveExactElements(And(HaveField("Access", v1alpha1.ImageDenied),
			HaveField("Problem", ContainSubstring("requires credentials, or the repository does not exist; set spec.registrySecretRef of the source")))))
		Expect(app.Status.Summary.Requirements.ImagePullSecretNames).To(Equal([]string{"pull"}))

		failInstall := func() string {
			GinkgoHelper()
			return t.Fail(ctx, v1alpha1.ReasonRegistryCredentialsRequired, v1alpha1.ActionInstall, "forms")
		}
		Expect(failInstall()).To(ContainSubstring(`Secret "pull" not found; run kubectl create`))
		t.Apply(ctx, secret("Opaque", ".dockerconfigjson", privateRegistry))
		Expect(failInstall()).To(ContainSubstring(`Secret "pull" has the type "Opaque"`))
		t.Kubectl(ctx, "delete", "secret", "pull", "-n", t.Namespace)
		t.Apply(ctx, secret("kubernetes.io/dockerconfigjson", ".dockerconfigjson", "other.example"))
		Expect(failInstall()).To(ContainSubstring(`Secret "pull" has no entry for the image`))

		wait := t.Task(ctx, v1alpha1.ActionInstall, "forms", func(s *v1alpha1.AppInstallTaskSpec) { s.OnUnmetRequirement = v1alpha1.UnmetRequirementWait })
		t.WaitReconciling(ctx, wait, v1alpha1.ReasonRegistryCredentialsRequired)
		t.Apply(ctx, secret("kubernetes.io/dockerconfigjson", ".dockerconfigjson", privateRegistry))
		Expect(t.WaitEnd(ctx, wait).Reason).To(Equal(v1alpha1.ReasonSucceeded))
	})

	It("is pulled with the image pull Secrets of a service account that the app does not create", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, templateChart("", strings.Replace(fmt.Sprintf(pods, "{{ .Release.Name }}", privateRegistry+"/team/web:1"), "imagePullSecrets: [{name: pull}], ", "", 1)))
		t.App(ctx, "forms")
		t.Apply(ctx, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default}\nimagePullSecrets: [{name: pull}]\n")
		Expect(t.Fail(ctx, v1alpha1.ReasonRegistryCredentialsRequired, v1alpha1.ActionInstall, "forms")).To(
			ContainSubstring(`Secret "pull" of service account "default" not found; run kubectl create`))
		t.Apply(ctx, secret("kubernetes.io/dockerconfigjson", ".dockerconfigjson", privateRegistry))
		t.Succeed(ctx, v1alpha1.ActionInstall, "forms")
	})

	It("is installed with the image pull Secret of the chart", func(ctx SpecContext) {
		t := newTenant(ctx)
		t.Offer(ctx, templateChart("", fmt.Sprintf(pods, "{{ .Release.Name }}", privateRegistry+"/team/web:1")+"---\n"+secret("kubernetes.io/dockerconfigjson", ".dockerconfigjson", privateRegistry)))
		Expect(t.App(ctx, "forms").Status.Summary.Requirements.ImagePullSecretNames).To(BeEmpty())
		t.Succeed(ctx, v1alpha1.ActionInstall, "forms")
	})
})
