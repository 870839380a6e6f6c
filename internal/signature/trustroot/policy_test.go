package trustroot_test

import (
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/signature/trustroot"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// sourceWith returns a source that verifies the signatures of cosign, with a trust root.
func sourceWith(namespace string, ref v1alpha1.TrustRootReference, signers ...v1alpha1.SignerIdentity) *v1alpha1.MarketSource {
	source := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main"}}
	source.Spec.Verify = &v1alpha1.Verification{Provider: v1alpha1.VerificationProviderCosign, Cosign: &v1alpha1.CosignVerification{PublicKeyRef: &ref}}
	if len(signers) > 0 {
		source.Spec.Verify.Cosign = &v1alpha1.CosignVerification{Keyless: &v1alpha1.KeylessVerification{TrustedRootRef: ref, Identities: signers}}
	}
	return source
}

// TestTrustRootsThatCannotBeUsed has references to trust roots without which nothing may be served.
func TestTrustRootsThatCannotBeUsed(t *testing.T) {
	server := testenv.Start(t)
	namespace, other := server.Namespace(t, nil), server.Namespace(t, nil)
	labels := map[string]string{v1alpha1.CredentialsLabel: "true"}
	create := func(namespace, name string, labels map[string]string, data map[string]string) {
		server.Create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}, Data: data})
	}
	create(namespace, "good", labels, map[string]string{"key": "text"})
	create(namespace, "unlabeled", nil, map[string]string{"key": "text"})
	create(namespace, "empty", labels, map[string]string{"key": ""})
	create(namespace, "large", labels, map[string]string{"key": strings.Repeat("a", 512<<10+1)})
	create(other, "elsewhere", labels, map[string]string{"key": "text"})
	cfg := rest.CopyConfig(server.Config)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:appmarket-system:appmarket"}
	nobody, err := client.New(cfg, client.Options{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	in := func(name string) v1alpha1.TrustRootReference {
		return v1alpha1.TrustRootReference{Kind: v1alpha1.TrustRootKindConfigMap, Name: name, Key: "key"}
	}
	for _, c := range []struct {
		why     string
		ref     v1alpha1.TrustRootReference
		signers []v1alpha1.SignerIdentity
		objects client.Reader
		reason  string
		says    string
	}{
		{why: "no such object", ref: in("missing"), reason: v1alpha1.ReasonTrustRootUnavailable, says: "does not exist"},
		{why: "an object of another namespace", ref: in("elsewhere"), reason: v1alpha1.ReasonTrustRootUnavailable, says: "does not exist"},
		{why: "a Secret of that name", ref: v1alpha1.TrustRootReference{Kind: v1alpha1.TrustRootKindSecret, Name: "good", Key: "key"}, reason: v1alpha1.ReasonTrustRootUnavailable, says: "does not exist"},
		{why: "no label", ref: in("unlabeled"), reason: v1alpha1.ReasonTrustRootUnavailable, says: "does not have the label"},
		{why: "another key", ref: v1alpha1.TrustRootReference{Kind: v1alpha1.TrustRootKindConfigMap, Name: "good", Key: "other"}, reason: v1alpha1.ReasonTrustRootUnavailable, says: "has no key"},
		{why: "an empty trust root", ref: in("empty"), reason: v1alpha1.ReasonTrustRootUnavailable, says: "has no key"},
		{why: "a large trust root", ref: in("large"), reason: v1alpha1.ReasonTrustRootUnavailable, says: "has more than 524288 bytes"},
		{why: "no permission", ref: in("good"), objects: nobody, reason: v1alpha1.ReasonTrustRootUnavailable, says: "bind the ClusterRole appmarket-market-secrets"},
		{why: "an invalid expression", ref: in("good"), signers: []v1alpha1.SignerIdentity{{IssuerRegExp: ".*", SubjectRegExp: "("}}, reason: v1alpha1.ReasonInvalidSpec, says: "identities[0].subjectRegExp"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			if c.objects == nil {
				c.objects = server.Client
			}
			policy, err := trustroot.PolicyFor(t.Context(), c.objects, sourceWith(namespace, c.ref, c.signers...))
			g.Expect(policy).To(BeNil())
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
			g.Expect(outcome.Reason(err, "")).To(Equal(c.reason))
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
		})
	}
}
