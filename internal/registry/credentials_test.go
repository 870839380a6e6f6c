package registry_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/registry"
)

func TestCredentialsOfASecret(t *testing.T) {
	const config = `{"auths": {"registry.example.com": {"auth": "cm9ib3Q6czNjcmV0"}}}`
	labels := map[string]string{v1alpha1.CredentialsLabel: "true"}
	secret := func(name string, labels map[string]string, data map[string]string) *corev1.Secret {
		made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "market", Name: name, Labels: labels}, Data: map[string][]byte{}}
		for key, text := range data {
			made.Data[key] = []byte(text)
		}
		return made
	}
	secrets := fake.NewClientBuilder().WithObjects(
		secret("usable", labels, map[string]string{corev1.DockerConfigJsonKey: config}),
		secret("unlabeled", nil, map[string]string{corev1.DockerConfigJsonKey: config}),
		secret("labeled-false", map[string]string{v1alpha1.CredentialsLabel: "false"}, map[string]string{corev1.DockerConfigJsonKey: config}),
		secret("other-key", labels, map[string]string{"password": "s3cret"}),
		secret("invalid", labels, map[string]string{corev1.DockerConfigJsonKey: "s3cret"}),
	).Build()
	for name, problem := range map[string]string{
		"usable":        "",
		"unlabeled":     `Secret "unlabeled" does not have the label appmarket.io/credentials=true`,
		"labeled-false": `Secret "labeled-false" does not have the label`,
		"other-key":     `Secret "other-key" has no key ".dockerconfigjson"`,
		"invalid":       `key ".dockerconfigjson" of Secret "invalid": want JSON`,
		"missing":       `Secret "missing" does not exist in namespace "market"`,
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			got, err := registry.ReadCredentials(t.Context(), secrets, types.NamespacedName{Namespace: "market", Name: name})
			if problem == "" {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(string(got)).To(Equal(config))
				return
			}
			g.Expect(err).To(MatchError(HavePrefix("spec.registrySecretRef: " + problem)))
			g.Expect(err.Error()).NotTo(ContainSubstring("s3cret"))
		})
	}
}
