package story_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// toolsChart returns an app that must be purchased and requires a password. It stores its inputs in a
// Secret and passes them to its container.
func toolsChart() []byte {
	GinkgoHelper()
	return packChart("tools", "1.0.0",
		chartFile{"price.yaml", `developer: ` + developer + `
paid:
  product_id: ` + product + `
  price:
    - {chain: optimism, token_symbol: USDC, receive_wallet: "0x01", product_price: "1000000"}
  description:
    - {lang: en-US, title: Tools for professionals}
`},
		appManifest("tools", `envs:
  - {envName: VERIFIABLE_CREDENTIAL, type: string, required: true, editable: true}
  - {envName: TOOLS_PASSWORD, type: password, required: true, editable: true}
`),
		chartFile{"values.yaml", "image: " + fixture.Image + "\n"}, pageTemplate,
		chartFile{"templates/secret.yaml", `apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}-inputs
stringData:
  credential: {{ .Values.olaresEnv.VERIFIABLE_CREDENTIAL | quote }}
  password: {{ .Values.olaresEnv.TOOLS_PASSWORD | quote }}
`},
		chartFile{"templates/deployment.yaml", `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
    spec:
      containers:
        - name: tools
          image: {{ .Values.image }}
          envFrom: [{secretRef: {name: {{ .Release.Name }}-inputs}}]
`})
}

// withLicensing makes a source accept the developer's credentials for the holder.
func withLicensing(issuer v1alpha1.LicenseIssuer) func(*v1alpha1.MarketSourceSpec) {
	issuer.Issuer, issuer.Subject = developer, holder
	return func(s *v1alpha1.MarketSourceSpec) { s.Licensing = []v1alpha1.LicenseIssuer{issuer} }
}

// withCredential sets the name of the credential Secret. The Secret does not have to exist.
func withCredential(secret string) func(*v1alpha1.AppInstallTaskSpec) {
	return func(s *v1alpha1.AppInstallTaskSpec) {
		s.EnsureParameters().CredentialSecretRef = &v1alpha1.KeyReference{Name: secret, Key: "token"}
	}
}

// createSecret creates a Secret of the tenant.
func (t *tenant) createSecret(ctx context.Context, name, key, text string) {
	GinkgoHelper()
	Expect(k8sClient.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: name}, StringData: map[string]string{key: text},
	})).To(Succeed())
}

// secretData returns the data of a Secret of the tenant.
func (t *tenant) secretData(ctx context.Context, name string) map[string]string {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(k8sClient.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: name}, secret)).To(Succeed())
	texts := map[string]string{}
	for key, text := range secret.Data {
		texts[key] = string(text)
	}
	return texts
}

// unexpectedWrites returns the writes of the operator in the tenant's namespace since a position,
// except writes to tasks and events.
func (t *tenant) unexpectedWrites(since fixture.AuditPosition) []fixture.AuditEvent {
	GinkgoHelper()
	var found []fixture.AuditEvent
	for _, r := range operatorWrites(since, t.Namespace) {
		if r.ObjectRef.Resource != "appinstalltasks" && r.ObjectRef.Resource != "events" {
			found = append(found, r)
		}
	}
	return found
}
