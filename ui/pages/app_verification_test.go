package pages_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// TestSignatureOfAnApp shows the signer of a version whose signature was verified.
func TestSignatureOfAnApp(t *testing.T) {
	g := NewWithT(t)
	w := newFormWorld(t)
	path := "/apps/" + w.market + "/samples/wiki"
	g.Expect(w.b.get(t, path).text).NotTo(ContainSubstring("Signature verified"))
	app := &v1alpha1.AppInfo{}
	g.Expect(w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.market, Name: "samples.wiki"}, app)).To(Succeed())
	app.Status.Versions[0].Verification = &v1alpha1.SignatureVerdict{
		Provider: v1alpha1.VerificationProviderCosign, Identity: "<b>release@example.com", Issuer: "https://issuer.example.com",
	}
	g.Expect(w.Client.Status().Update(t.Context(), app)).To(Succeed())
	for _, page := range []string{path, path + "/versions"} {
		g.Eventually(func() string { return w.b.get(t, page).text }).Should(And(
			ContainSubstring("Signature verified"), ContainSubstring("signed by &lt;b&gt;release@example.com, confirmed by https://issuer.example.com")))
	}
}

// TestSignatureOfAnInstance shows the signer of the chart that is installed.
func TestSignatureOfAnInstance(t *testing.T) {
	w := newFormWorld(t)
	w.addInstance(t, w.tenant, "plain", w.ref)
	w.addInstance(t, w.tenant, "signed", w.ref, func(i *v1alpha1.AppInstance) {
		i.Status.Verification = &v1alpha1.SignatureVerdict{Provider: v1alpha1.VerificationProviderHelmProvenance, Identity: "<b>ABCD"}
	})
	path := "/instances/" + w.tenant + "/"
	shows(t, w.b, path+"signed", "HelmProvenance", "signed by &lt;b&gt;ABCD")
	NewWithT(t).Expect(w.b.get(t, path+"plain").text).NotTo(ContainSubstring("signed by"))
}
