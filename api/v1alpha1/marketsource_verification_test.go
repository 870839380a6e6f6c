package v1alpha1_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// Members of spec.verify.
const (
	provenance = `{provider: HelmProvenance, helmProvenance: {keyringRef: {name: trust, key: keyring.gpg}}}`
	cosign     = `{provider: Cosign, cosign: {publicKeyRef: {kind: Secret, name: trust, key: cosign.pub}}}`
	notation   = `{provider: Notation, notation: {certificatesRef: {name: trust, key: ca.pem}, identities: ["x509.subject: C=US, ST=WA, O=example"]}}`
)

// newKeylessSpec returns a member with an identity.
func newKeylessSpec(identity string) string {
	return `{provider: Cosign, cosign: {keyless: {trustedRootRef: {name: trust, key: root.json}, identities: [` + identity + `]}}}`
}

// inRegistry returns the spec of a source of type OCI that verifies signatures.
func inRegistry(verify string) change {
	return change(`spec: {type: OCI, oci: {url: "oci://registry.example/web"}, verify: ` + verify + `}`)
}

var _ = Describe("The verification of a MarketSource", func() {
	DescribeTable("is accepted", func(c change) {
		o := object("MarketSource", source)
		c.apply(o)
		Expect(create(o)).To(Succeed())
	},
		Entry("with provenance files of a Helm repository", change("spec.verify: "+provenance)),
		Entry("with provenance files of a folder", change("spec.type: Directory\nspec.helm:\nspec.directory: {path: /charts}\nspec.verify: "+provenance)),
		Entry("with provenance files of a registry", inRegistry(provenance)),
		Entry("with a key of cosign", inRegistry(cosign)),
		Entry("with a key of cosign in a Helm repository", change("spec.verify: "+cosign)),
		Entry("with identities", inRegistry(newKeylessSpec(`{issuer: "https://issuer.example", subjectRegExp: ".*@example[.]com"}`))),
		Entry("with certificates", inRegistry(notation)),
		Entry("with versions that may change", change("spec.mutableVersions: Allow")),
	)

	DescribeTable("is refused", func(c change, sentence string) {
		o := object("MarketSource", source)
		c.apply(o)
		Expect(create(o)).To(MatchError(ContainSubstring(sentence)))
	},
		Entry("without the member of its provider", inRegistry(`{provider: Cosign}`), "cosign is required when provider is Cosign"),
		Entry("with the member of another provider", inRegistry(`{provider: Notation, cosign: {publicKeyRef: {name: a, key: b}}}`), "notation is required when provider is Notation"),
		Entry("with a key and identities", inRegistry(`{provider: Cosign, cosign: {publicKeyRef: {name: a, key: b}, `+
			`keyless: {trustedRootRef: {name: a, key: b}, identities: [{issuer: a, subject: b}]}}}`), "exactly one of publicKeyRef and keyless must be set"),
		Entry("with neither a key nor identities", inRegistry(`{provider: Cosign, cosign: {}}`), "exactly one of publicKeyRef and keyless must be set"),
		Entry("without identities", inRegistry(newKeylessSpec("")), "should have at least 1 items"),
		Entry("with an identity without an issuer", inRegistry(newKeylessSpec(`{subject: a}`)), "exactly one of issuer and issuerRegExp must be set"),
		Entry("with two subjects of an identity", inRegistry(newKeylessSpec(`{issuer: a, subject: a, subjectRegExp: a}`)), "exactly one of subject and subjectRegExp must be set"),
		Entry("with another form of subject", inRegistry(`{provider: Notation, notation: {certificatesRef: {name: a, key: b}, identities: ["*"]}}`), "should match"),
		Entry("without a key of the trust root", inRegistry(`{provider: Notation, notation: {certificatesRef: {name: a}}}`), "key: Required value"),
		Entry("with certificates in a Helm repository", change("spec.verify: "+notation), "verify.provider Notation is available only when type is OCI"),
		Entry("with cosign in a folder", change("spec.type: Directory\nspec.helm:\nspec.directory: {path: /charts}\nspec.verify: "+cosign),
			"verify.provider Cosign is available only when type is Helm or OCI"),
		Entry("in a git repository", change(`spec: {type: Git, git: {url: "https://git.example/charts"}, verify: `+provenance+`}`),
			"verify.provider HelmProvenance is available only when type is Helm, OCI or Directory"),
		Entry("with another way to change versions", change("spec.mutableVersions: Ask"), `Unsupported value: "Ask"`),
	)
})
