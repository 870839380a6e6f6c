package app

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/test/testenv"
)

func TestSourcesSendLabeledSecretsOnly(t *testing.T) {
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	from := sourceShared(namespace, "main", nil)
	for _, c := range []struct {
		name   string
		labels map[string]string
		data   string
		sent   bool
	}{
		{"labeled", map[string]string{v1alpha1.CredentialsLabel: "true"}, "username", true},
		{"of-the-company", nil, "username", false},
		{"token", nil, "token", false},
		{"labeled-false", map[string]string{v1alpha1.CredentialsLabel: "false"}, "token", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			server.Create(t, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: c.name, Labels: c.labels},
				Data:       map[string][]byte{c.data: []byte("robot")},
			})
			from.Spec.SecretRef = &v1alpha1.LocalObjectReference{Name: c.name}
			cfg, err := sourceFactory{secrets: server.Client}.helmConfig(t.Context(), from)
			if c.sent {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(cfg.Username).To(Equal("robot"))
				return
			}
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonSecretMissing))
			g.Expect(err).To(MatchError(ContainSubstring(v1alpha1.CredentialsLabel)))
		})
	}
}
