// Package trustroot reads the trust root to which spec.verify of a MarketSource refers, and makes the policy
// with which package signature verifies charts. It runs in the operator and does not parse the trust root.
package trustroot

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
)

// maxTrustRootBytes is the maximum size of a trust root. The trusted root of the public Sigstore has 7 KiB.
const maxTrustRootBytes = 512 << 10

// PolicyFor returns the signature policy of a source, or nil if the source does not verify signatures. It
// reads the trust root in the namespace of the source. A trust root that cannot be read has the reason
// TrustRootUnavailable, and an invalid expression is Stalled with InvalidSpec.
func PolicyFor(ctx context.Context, objects client.Reader, source *v1alpha1.MarketSource) (*hydrate.SignaturePolicy, error) {
	spec := source.Spec.Verify
	if spec == nil {
		return nil, nil
	}
	policy := &hydrate.SignaturePolicy{Provider: spec.Provider}
	var ref v1alpha1.TrustRootReference
	var field string
	switch {
	case spec.HelmProvenance != nil:
		ref, field = spec.HelmProvenance.KeyringRef, "spec.verify.helmProvenance.keyringRef"
	case spec.Cosign != nil && spec.Cosign.Keyless != nil:
		ref, field = spec.Cosign.Keyless.TrustedRootRef, "spec.verify.cosign.keyless.trustedRootRef"
		policy.Keyless, policy.Signers = true, spec.Cosign.Keyless.Identities
	case spec.Cosign != nil && spec.Cosign.PublicKeyRef != nil:
		ref, field = *spec.Cosign.PublicKeyRef, "spec.verify.cosign.publicKeyRef"
	case spec.Notation != nil:
		ref, field = spec.Notation.CertificatesRef, "spec.verify.notation.certificatesRef"
		policy.Subjects = spec.Notation.Identities
	default:
		return nil, outcome.Stalledf(v1alpha1.ReasonInvalidSpec, "spec.verify.provider: Invalid value: %q: must have a field of the same name", spec.Provider)
	}
	if err := checkSigners(policy.Signers); err != nil {
		return nil, err
	}
	var err error
	if policy.TrustRoot, err = readTrustRoot(ctx, objects, source.Namespace, field, ref); err != nil {
		return nil, err
	}
	policy.Digest, err = digestPolicy(*policy)
	return policy, err
}

// checkSigners returns an error if a regular expression is invalid.
func checkSigners(signers []v1alpha1.SignerIdentity) error {
	for i, each := range signers {
		for name, expression := range map[string]string{"issuerRegExp": each.IssuerRegExp, "subjectRegExp": each.SubjectRegExp} {
			if _, err := regexp.Compile(expression); err != nil {
				return outcome.Stalledf(v1alpha1.ReasonInvalidSpec,
					"spec.verify.cosign.keyless.identities[%d].%s: Invalid value: %q: must be a regular expression of RE2", i, name, expression)
			}
		}
	}
	return nil
}

func digestPolicy(policy hydrate.SignaturePolicy) (string, error) {
	text, err := json.Marshal(policy)
	if err != nil {
		return "", fmt.Errorf("digest signature policy: %w", err)
	}
	return chart.Digest(text), nil
}

// readTrustRoot returns the text to which a field of a spec refers. The label of the object proves that its
// owner allows sources to use it.
func readTrustRoot(ctx context.Context, objects client.Reader, namespace, field string, ref v1alpha1.TrustRootReference) ([]byte, error) {
	var object client.Object = &corev1.ConfigMap{}
	kind := v1alpha1.TrustRootKindConfigMap
	if ref.Kind == v1alpha1.TrustRootKindSecret {
		object, kind = &corev1.Secret{}, v1alpha1.TrustRootKindSecret
	}
	unavailable := func(problem string) error {
		return outcome.Stalledf(v1alpha1.ReasonTrustRootUnavailable, "%s: %s %q in namespace %q %s", field, kind, ref.Name, namespace, problem)
	}
	err := objects.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, object)
	switch {
	case apierrors.IsNotFound(err):
		return nil, unavailable("does not exist: create it")
	case apierrors.IsForbidden(err):
		return nil, unavailable("cannot be read by the operator: bind the ClusterRole appmarket-market-secrets to its service account there")
	case err != nil:
		return nil, outcome.Failed(v1alpha1.ReasonTrustRootUnavailable, fmt.Errorf("%s: get %s %q: %w", field, kind, ref.Name, err))
	case object.GetLabels()[v1alpha1.CredentialsLabel] != "true":
		return nil, unavailable(fmt.Sprintf("does not have the label %s=true: add it", v1alpha1.CredentialsLabel))
	}
	text := valueOf(object, ref.Key)
	switch {
	case len(text) == 0:
		return nil, unavailable(fmt.Sprintf("has no key %q: add it", ref.Key))
	case len(text) > maxTrustRootBytes:
		return nil, unavailable(fmt.Sprintf("has more than %d bytes in key %q", maxTrustRootBytes, ref.Key))
	}
	return text, nil
}

// valueOf returns the value of a key of a ConfigMap or Secret.
func valueOf(object client.Object, key string) []byte {
	switch object := object.(type) {
	case *corev1.Secret:
		return object.Data[key]
	case *corev1.ConfigMap:
		if text, found := object.Data[key]; found {
			return []byte(text)
		}
		return object.BinaryData[key]
	}
	return nil
}
