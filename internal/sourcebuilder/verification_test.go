package sourcebuilder_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/sourcebuilder"
)

func TestVerification(t *testing.T) {
	inConfigMap := func(key string) v1alpha1.TrustRootReference {
		return v1alpha1.TrustRootReference{Kind: v1alpha1.TrustRootKindConfigMap, Name: "trust", Key: key}
	}
	key := v1alpha1.TrustRootReference{Kind: v1alpha1.TrustRootKindSecret, Name: "trust", Key: "cosign.pub"}
	for _, c := range []struct {
		why     string
		of      sourcebuilder.VerifyRequest
		want    v1alpha1.Verification
		command string
	}{
		{"provenance files", sourcebuilder.VerifyRequest{Provider: v1alpha1.VerificationProviderHelmProvenance, TrustRoot: "trust/keyring.gpg"},
			v1alpha1.Verification{HelmProvenance: &v1alpha1.HelmProvenanceVerification{KeyringRef: inConfigMap("keyring.gpg")}},
			"--verify helmprovenance --trust-root trust/keyring.gpg"},
		{"a key of cosign", sourcebuilder.VerifyRequest{Provider: v1alpha1.VerificationProviderCosign, TrustRoot: "secret/trust/cosign.pub"},
			v1alpha1.Verification{Cosign: &v1alpha1.CosignVerification{PublicKeyRef: &key}}, "--verify cosign --trust-root secret/trust/cosign.pub"},
		{"identities of cosign", sourcebuilder.VerifyRequest{
			Provider: v1alpha1.VerificationProviderCosign, TrustRoot: "trust/root.json", Identities: []string{"https://issuer.example jane@example.com", `~https://.*\.example ~.*@example\.com`},
		}, v1alpha1.Verification{Cosign: &v1alpha1.CosignVerification{Keyless: &v1alpha1.KeylessVerification{
			TrustedRootRef: inConfigMap("root.json"), Identities: []v1alpha1.SignerIdentity{
				{Issuer: "https://issuer.example", Subject: "jane@example.com"}, {IssuerRegExp: `https://.*\.example`, SubjectRegExp: `.*@example\.com`},
			}}}}, `--verify cosign --trust-root trust/root.json --identity 'https://issuer.example jane@example.com' --identity '~https://.*\.example ~.*@example\.com'`},
		{"notation", sourcebuilder.VerifyRequest{Provider: v1alpha1.VerificationProviderNotation, TrustRoot: "trust/ca.pem", Identities: []string{"x509.subject: C=US, O=example"}},
			v1alpha1.Verification{Notation: &v1alpha1.NotationVerification{CertificatesRef: inConfigMap("ca.pem"), Identities: []string{"x509.subject: C=US, O=example"}}},
			"--verify notation --trust-root trust/ca.pem --identity 'x509.subject: C=US, O=example'"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			c.want.Provider = c.of.Provider
			source, err := sourcebuilder.NewSource(sourcebuilder.Request{Namespace: "market", Name: "samples", Location: "oci://registry.example/charts", Verify: c.of})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(source.Spec.Verify).To(HaveValue(Equal(c.want)))
			read := sourcebuilder.RequestFor(source)
			g.Expect(read.Verify).To(Equal(c.of))
			g.Expect(sourcebuilder.AddCommand(read)).To(HaveSuffix("--namespace market " + c.command))
		})
	}
	for why, wrong := range map[string]sourcebuilder.VerifyRequest{
		"no provider":                  {TrustRoot: "trust/key"},
		"no trust root":                {Provider: v1alpha1.VerificationProviderCosign},
		"a trust root without a key":   {Provider: v1alpha1.VerificationProviderCosign, TrustRoot: "trust"},
		"a trust root of another kind": {Provider: v1alpha1.VerificationProviderCosign, TrustRoot: "pod/trust/key"},
		"a trust root without a name":  {Provider: v1alpha1.VerificationProviderCosign, TrustRoot: "secret//key"},
		"identities of provenance":     {Provider: v1alpha1.VerificationProviderHelmProvenance, TrustRoot: "trust/key", Identities: []string{"me"}},
		"an identity without subject":  {Provider: v1alpha1.VerificationProviderCosign, TrustRoot: "trust/key", Identities: []string{"https://issuer.example"}},
	} {
		_, err := sourcebuilder.NewSource(sourcebuilder.Request{Location: "oci://registry.example/charts", Verify: wrong})
		NewWithT(t).Expect(err).To(HaveOccurred(), why)
	}
}

// TestVerificationIsKept has an identity that the text of a request cannot describe exactly.
func TestVerificationIsKept(t *testing.T) {
	g := NewWithT(t)
	root := v1alpha1.TrustRootReference{Kind: v1alpha1.TrustRootKindConfigMap, Name: "trust", Key: "root.json"}
	spec := v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeOCI, OCI: &v1alpha1.OCISource{URL: "oci://registry.example/charts"},
		Verify: &v1alpha1.Verification{Provider: v1alpha1.VerificationProviderCosign, Cosign: &v1alpha1.CosignVerification{Keyless: &v1alpha1.KeylessVerification{
			TrustedRootRef: root, Identities: []v1alpha1.SignerIdentity{{IssuerRegExp: "a b", Subject: "~me"}}}}}}
	before := spec.DeepCopy()
	request := sourcebuilder.RequestFor(&v1alpha1.MarketSource{Spec: spec})
	request.Interval = "1h"
	g.Expect(sourcebuilder.SetSpec(&spec, request)).To(Succeed())
	g.Expect(spec.Verify).To(Equal(before.Verify))
	request.Verify = sourcebuilder.VerifyRequest{}
	g.Expect(sourcebuilder.SetSpec(&spec, request)).To(Succeed())
	g.Expect(spec.Verify).To(BeNil())
}
