package integration_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
	"github.com/appmarket/operator/test/signing"
)

const (
	signer = "release@example.com"
	issuer = "https://issuer.example.com"
	// notationType is the type of the artifacts of notation.
	notationType = "application/vnd.cncf.notary.signature"
)

// testedVerifier is a verifier of signatures with a trust root, and signs charts for it.
type testedVerifier struct {
	// verify is spec.verify, in which %s is the name of the ConfigMap with the trust root.
	verify    string
	key       string
	trustRoot []byte
	provider  v1alpha1.VerificationProvider
	// identity and issuer are the expected signer.
	identity, issuer string
	// otherReason is the expected reason for the signature of another signer.
	otherReason string
	// sign signs the archive of a chart, or a manifest. It returns the signature of another signer if isOther is set.
	sign func(content []byte, isOther bool) []byte
	// store stores a signature for a manifest in a registry. It is nil for provenance files, which helm push stores.
	store func(manifest *remote.Descriptor, at name.Tag, signature []byte)
}

// pushSigned pushes a chart and a signature of its content, after change was applied to the content.
func (v testedVerifier) pushSigned(ctx context.Context, t *fixture.Tenant, chart fixture.Chart, charts string, isOther bool, change func([]byte) []byte) {
	GinkgoHelper()
	if v.store == nil {
		archive := filepath.Join(GinkgoT().TempDir(), chart.Name+"-"+chart.Version+".tgz")
		Expect(os.WriteFile(archive, chart.Archive(), 0o600)).To(Succeed())
		Expect(os.WriteFile(archive+".prov", v.sign(change(chart.Archive()), isOther), 0o600)).To(Succeed())
		out, err := runHelm(ctx, t, "push", archive, "oci://"+charts, "--plain-http")
		Expect(err).NotTo(HaveOccurred(), out)
		return
	}
	pushChart(ctx, t, chart, charts)
	tag, err := name.NewTag(charts + "/" + chart.Name + ":" + chart.Version)
	Expect(err).NotTo(HaveOccurred())
	pushed, err := remote.Get(tag)
	Expect(err).NotTo(HaveOccurred())
	v.store(pushed, tag, v.sign(change(bytes.Clone(pushed.Manifest)), isOther))
}

// storeReferrer stores a signature as an artifact that refers to a manifest.
func storeReferrer(artifactType, layerType types.MediaType) func(*remote.Descriptor, name.Tag, []byte) {
	return func(manifest *remote.Descriptor, at name.Tag, signature []byte) {
		GinkgoHelper()
		image, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), artifactType),
			mutate.Addendum{Layer: static.NewLayer(signature, layerType)})
		Expect(err).NotTo(HaveOccurred())
		artifact := mutate.Subject(image, v1.Descriptor{MediaType: manifest.MediaType, Digest: manifest.Digest, Size: manifest.Size}).(v1.Image)
		digest, err := artifact.Digest()
		Expect(err).NotTo(HaveOccurred())
		Expect(remote.Write(at.Digest(digest.String()), artifact)).To(Succeed())
	}
}

func newProvenanceVerifier() testedVerifier {
	key, other := signing.NewProvenanceKey(GinkgoTB()), signing.NewProvenanceKey(GinkgoTB())
	return testedVerifier{
		verify: `{provider: HelmProvenance, helmProvenance: {keyringRef: {name: %s, key: keyring.gpg}}}`,
		key:    "keyring.gpg", trustRoot: key.Keyring(GinkgoTB()),
		provider: v1alpha1.VerificationProviderHelmProvenance, identity: key.Fingerprint(), otherReason: v1alpha1.ReasonIdentityMismatch,
		sign: func(content []byte, isOther bool) []byte {
			if isOther {
				return other.SignArchive(GinkgoTB(), content)
			}
			return key.SignArchive(GinkgoTB(), content)
		},
	}
}

func newCosignKeyVerifier() testedVerifier {
	key, other := signing.NewCosignKey(GinkgoTB()), signing.NewCosignKey(GinkgoTB())
	return testedVerifier{
		verify: `{provider: Cosign, cosign: {publicKeyRef: {name: %s, key: cosign.pub}}}`,
		key:    "cosign.pub", trustRoot: key.PublicKey(GinkgoTB()),
		provider: v1alpha1.VerificationProviderCosign, identity: key.Fingerprint(GinkgoTB()), otherReason: v1alpha1.ReasonSignatureInvalid,
		sign: func(content []byte, isOther bool) []byte {
			if isOther {
				return other.SignStatement(GinkgoTB(), content, signing.SignPredicate)
			}
			return key.SignStatement(GinkgoTB(), content, signing.SignPredicate)
		},
		store: storeReferrer(signing.BundleType, signing.BundleType),
	}
}

func newKeylessVerifier() testedVerifier {
	authority := signing.NewSigstore(GinkgoTB())
	return testedVerifier{
		verify: `{provider: Cosign, cosign: {keyless: {trustedRootRef: {name: %s, key: trusted_root.json},
    identities: [{issuer: "` + issuer + `", subject: ` + signer + `}]}}}`,
		key: "trusted_root.json", trustRoot: authority.TrustedRoot(GinkgoTB()),
		provider: v1alpha1.VerificationProviderCosign, identity: signer, issuer: issuer, otherReason: v1alpha1.ReasonIdentityMismatch,
		sign: func(content []byte, isOther bool) []byte {
			subject := signer
			if isOther {
				subject = "other@example.com"
			}
			return authority.SignStatement(GinkgoTB(), subject, issuer, content, signing.SignPredicate)
		},
		store: storeReferrer(signing.BundleType, signing.BundleType),
	}
}

func newNotationVerifier() testedVerifier {
	until := time.Now().Add(time.Hour)
	notary, other := signing.NewNotary(GinkgoTB(), "Charts", until), signing.NewNotary(GinkgoTB(), "Other", until)
	return testedVerifier{
		verify: `{provider: Notation, notation: {certificatesRef: {name: %s, key: authorities.pem}, identities: ["x509.subject: C=US, ST=WA, O=Charts"]}}`,
		key:    "authorities.pem", trustRoot: append(notary.Certificates(), other.Certificates()...),
		provider: v1alpha1.VerificationProviderNotation, identity: "CN=charts,O=Charts,ST=WA,C=US", issuer: "CN=authority,O=Authority,ST=WA,C=US", otherReason: v1alpha1.ReasonIdentityMismatch,
		sign: func(content []byte, isOther bool) []byte {
			if isOther {
				return other.SignManifest(GinkgoTB(), content, signing.JWSType)
			}
			return notary.SignManifest(GinkgoTB(), content, signing.JWSType)
		},
		store: storeReferrer(notationType, signing.JWSType),
	}
}

// applyVerifiedSource applies a source of four charts with kubectl.
func applyVerifiedSource(ctx context.Context, t *fixture.Tenant, source, charts, verify string) *v1alpha1.MarketSource {
	GinkgoHelper()
	t.Apply(ctx, fmt.Sprintf(`
apiVersion: appmarket.io/v1alpha1
kind: MarketSource
metadata: {name: %s}
spec:
  type: OCI
  oci: {url: "oci://%s", charts: [good, changed, other, unsigned], insecure: true}
  verify: %s
`, source, charts, verify))
	return &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: source}}
}

// waitApp waits until the source has an AppInfo for an app.
func waitApp(ctx context.Context, t *fixture.Tenant, app string) {
	GinkgoHelper()
	Eventually(func() error {
		_, err := t.TryKubectl(ctx, nil, "get", "appinfo", t.Source.Name+"."+app, "--namespace", t.Namespace)
		return err
	}).WithContext(ctx).Should(Succeed())
}

// listIndex returns the annotations of the first version of each app in the index of the source.
func listIndex(ctx context.Context, t *fixture.Tenant) map[string]map[string]string {
	GinkgoHelper()
	var index struct {
		Entries map[string][]struct{ Annotations map[string]string }
	}
	Expect(yaml.Unmarshal(t.Fetch(ctx, t.Source.Status.RepositoryURL+"/index.yaml"), &index)).To(Succeed())
	found := map[string]map[string]string{}
	for app, versions := range index.Entries {
		found[app] = versions[0].Annotations
	}
	return found
}

var _ = DescribeTable("Of the charts of a source that requires signatures, only the chart with a valid signature of the signer is served, with",
	func(ctx SpecContext, newVerifier func() testedVerifier) {
		t, v := newTenant(ctx), newVerifier()
		charts := startChartRegistry() + "/charts"
		named := func(name string) fixture.Chart {
			chart := siteChart("1.0.0")
			chart.Name = name
			return chart
		}
		unchanged := func(content []byte) []byte { return content }
		v.pushSigned(ctx, t, named("good"), charts, false, unchanged)
		v.pushSigned(ctx, t, named("changed"), charts, false, func(content []byte) []byte { return append(content, '\n') })
		v.pushSigned(ctx, t, named("other"), charts, true, unchanged)
		pushChart(ctx, t, named("unsigned"), charts)
		createTrust(ctx, t, v.key, v.trustRoot)

		t.Source = applyVerifiedSource(ctx, t, "charts", charts, fmt.Sprintf(v.verify, "trust"))
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionVerified)
		for app, reason := range map[string]string{
			"changed": v1alpha1.ReasonSignatureInvalid, "other": v.otherReason, "unsigned": v1alpha1.ReasonSignatureMissing,
		} {
			By(app + ": " + reason)
			waitApp(ctx, t, app)
			t.WaitCondition(ctx, t.App(ctx, app), v1alpha1.ConditionFetched, metav1.ConditionFalse, reason)
			Expect(t.App(ctx, app).Status.Versions).To(BeEmpty())
		}
		t.WaitTrue(ctx, t.App(ctx, "good"), v1alpha1.ConditionReady)
		isSigner := HaveValue(And(HaveField("Provider", v.provider), HaveField("Identity", v.identity), HaveField("Issuer", v.issuer)))
		Expect(t.App(ctx, "good").Status.Versions).To(ConsistOf(HaveField("Verification", isSigner)))
		listed := listIndex(ctx, t)
		Expect(listed).To(HaveLen(1))
		Expect(listed).To(HaveKey("good"))
		Expect(listed["good"]).To(And(
			HaveKeyWithValue("appmarket.io/signature-provider", string(v.provider)), HaveKeyWithValue("appmarket.io/signature-identity", v.identity)))
		Expect(listed["good"]["appmarket.io/signature-issuer"]).To(Equal(v.issuer))
		t.Succeed(ctx, v1alpha1.ActionInstall, "good")
		Expect(t.Instance(ctx, "good").Status.Verification).To(isSigner)

		By("a trust root that does not exist")
		t.Source = applyVerifiedSource(ctx, t, "untrusted", charts, fmt.Sprintf(v.verify, "absent"))
		t.WaitCondition(ctx, t.Source, v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonTrustRootUnavailable)
		waitApp(ctx, t, "good")
		t.WaitCondition(ctx, t.App(ctx, "good"), v1alpha1.ConditionFetched, metav1.ConditionFalse, v1alpha1.ReasonTrustRootUnavailable)
		Expect(t.App(ctx, "good").Status.Versions).To(BeEmpty())
		status, _ := fixture.Ask(ctx, t.Source.Status.RepositoryURL+"/index.yaml", "Authorization", "Bearer "+t.Token(ctx))
		Expect(status).To(Equal(http.StatusNotFound), "the source has never published a chart")
	},
	Entry("provenance files of Helm", newProvenanceVerifier),
	Entry("cosign and a key", newCosignKeyVerifier),
	Entry("cosign without a key", newKeylessVerifier),
	Entry("notation", newNotationVerifier),
)
