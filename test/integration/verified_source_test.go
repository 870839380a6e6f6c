package integration_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
	"github.com/appmarket/operator/test/signing"
)

// pushSignedChart stores a chart with its provenance file in a registry with the helm command.
func pushSignedChart(ctx context.Context, t *fixture.Tenant, chart fixture.Chart, registry string, key *signing.ProvenanceKey) {
	GinkgoHelper()
	archive := filepath.Join(GinkgoT().TempDir(), chart.Name+"-"+chart.Version+".tgz")
	Expect(os.WriteFile(archive, chart.Archive(), 0o600)).To(Succeed())
	Expect(os.WriteFile(archive+".prov", key.SignArchive(GinkgoTB(), chart.Archive()), 0o600)).To(Succeed())
	out, err := runHelm(ctx, t, "push", archive, "oci://"+registry, "--plain-http")
	Expect(err).NotTo(HaveOccurred(), out)
}

// signWithCosign stores a signature of cosign for the chart with a tag.
func signWithCosign(repository, tag string, key *signing.CosignKey) {
	GinkgoHelper()
	ref, err := name.NewTag(repository + ":" + tag)
	Expect(err).NotTo(HaveOccurred())
	chart, err := remote.Get(ref)
	Expect(err).NotTo(HaveOccurred())
	sum := sha256.Sum256(chart.Manifest)
	signed := key.SignSimple(GinkgoTB(), chart.Manifest)
	image, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
		Layer:       static.NewLayer(signed.Payload, signing.SimpleSigningType),
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": string(signed.Content)},
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(remote.Write(ref.Context().Tag("sha256-"+hex.EncodeToString(sum[:])+".sig"), image)).To(Succeed())
}

// createTrust creates the trust root of a tenant.
func createTrust(ctx context.Context, t *fixture.Tenant, key string, content []byte) {
	GinkgoHelper()
	Expect(cluster.Client.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "trust", Labels: map[string]string{v1alpha1.CredentialsLabel: "true"}},
		BinaryData: map[string][]byte{key: content},
	})).To(Succeed())
}

var _ = Describe("A source that requires signatures", func() {
	It("serves only charts that helm push stored with a provenance file of a trusted key", func(ctx SpecContext) {
		t, key := newTenant(ctx), signing.NewProvenanceKey(GinkgoTB())
		charts := startChartRegistry() + "/charts"
		pushSignedChart(ctx, t, siteChart("1.0.0"), charts, key)
		createTrust(ctx, t, "keyring.gpg", key.Keyring(GinkgoTB()))
		t.Source = t.CreateSource(ctx, t.Namespace, "charts", "", func(s *v1alpha1.MarketSourceSpec) {
			s.Type, s.Helm = v1alpha1.SourceTypeOCI, nil
			s.OCI = &v1alpha1.OCISource{URL: "oci://" + charts + "/site", Insecure: new(true)}
			s.Verify = &v1alpha1.Verification{Provider: v1alpha1.VerificationProviderHelmProvenance, HelmProvenance: &v1alpha1.HelmProvenanceVerification{
				KeyringRef: v1alpha1.TrustRootReference{Name: "trust", Key: "keyring.gpg"}}}
		})
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		Expect(t.Source.Status.Conditions).To(ContainElement(And(HaveField("Type", v1alpha1.ConditionVerified), HaveField("Reason", v1alpha1.ReasonVerified))))
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")
		Expect(t.Instance(ctx, "site").Status.Verification).To(HaveValue(HaveField("Identity", key.Fingerprint())))

		pushChart(ctx, t, siteChart("1.1.0"), charts)
		t.Sync(ctx)
		message := t.WaitCondition(ctx, t.App(ctx, "site"), v1alpha1.ConditionFetched, "False", v1alpha1.ReasonSignatureMissing)
		t.RecordMessage(v1alpha1.ReasonSignatureMissing + ": " + message)
		Expect(t.App(ctx, "site").Status.Versions).To(ConsistOf(HaveField("Version", "1.0.0")))

		t.Grant(ctx, fixture.ReadSources)
		helm, folder := fixture.NewHelm(cluster, "HELM3"), GinkgoT().TempDir()
		output, err := helm.TryRun(ctx, "repo", "add", "signed", t.Source.Status.RepositoryURL, "--username", "x", "--password", t.Token(ctx))
		Expect(err).NotTo(HaveOccurred(), output)
		output, err = helm.TryRun(ctx, "pull", "signed/site", "--destination", folder)
		Expect(err).NotTo(HaveOccurred(), output)
		Expect(filepath.Join(folder, "site-1.0.0.tgz")).To(BeARegularFile())
	})

	It("serves a chart that cosign signed in a registry, after the trust root exists", func(ctx SpecContext) {
		t, key := newTenant(ctx), signing.NewCosignKey(GinkgoTB())
		charts := startChartRegistry() + "/charts"
		pushChart(ctx, t, siteChart("1.0.0"), charts)
		signWithCosign(charts+"/site", "1.0.0", key)
		t.Source = t.CreateSource(ctx, t.Namespace, "charts", "", func(s *v1alpha1.MarketSourceSpec) {
			s.Type, s.Helm = v1alpha1.SourceTypeOCI, nil
			s.OCI = &v1alpha1.OCISource{URL: "oci://" + charts + "/site", Insecure: new(true)}
			s.Verify = &v1alpha1.Verification{Provider: v1alpha1.VerificationProviderCosign, Cosign: &v1alpha1.CosignVerification{
				PublicKeyRef: &v1alpha1.TrustRootReference{Name: "trust", Key: "cosign.pub"}}}
		})
		message := t.WaitCondition(ctx, t.Source, v1alpha1.ConditionVerified, "False", v1alpha1.ReasonTrustRootUnavailable)
		t.RecordMessage(v1alpha1.ReasonTrustRootUnavailable + ": " + message)
		Expect(t.App(ctx, "site").Status.Versions).To(BeEmpty())

		createTrust(ctx, t, "cosign.pub", key.PublicKey(GinkgoTB()))
		t.Sync(ctx)
		t.WaitTrue(ctx, t.App(ctx, "site"), v1alpha1.ConditionReady)
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")
	})
})
