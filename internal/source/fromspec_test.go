package source_test

import (
	"net/http"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/test/testenv"
)

// TestSecretsOfSpec lists a repository with Secrets of an API server, and compares the
// credentials that the server of the repository receives.
func TestSecretsOfSpec(t *testing.T) {
	cluster := testenv.Start(t)
	namespace := cluster.Namespace(t, nil)
	for name, secret := range map[string]corev1.Secret{
		"basic":         {ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.CredentialsLabel: "true"}}, Data: map[string][]byte{"username": []byte("robot"), "password": []byte("pw")}},
		"bearer":        {ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.CredentialsLabel: "true"}}, Data: map[string][]byte{"token": []byte("tk")}},
		"empty":         {ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.CredentialsLabel: "true"}}},
		"unlabeled":     {Data: map[string][]byte{"username": []byte("robot")}},
		"labeled-false": {ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.CredentialsLabel: "false"}}, Data: map[string][]byte{"token": []byte("tk")}},
	} {
		secret.Namespace, secret.Name = namespace, name
		cluster.Create(t, &secret)
	}
	for _, c := range []struct {
		why, secret, certSecret string
		sent                    string
		problem                 string
	}{
		{why: "no Secret"},
		{why: "user name and password", secret: "basic", sent: "Basic cm9ib3Q6cHc="},
		{why: "a token", secret: "bearer", sent: "Bearer tk"},
		{why: "a Secret without the label", secret: "unlabeled", problem: `spec.helm.secretRef: Secret "unlabeled" does not have the label ` + v1alpha1.CredentialsLabel},
		{why: "a label with another value", secret: "labeled-false", problem: `spec.helm.secretRef: Secret "labeled-false" does not have the label ` + v1alpha1.CredentialsLabel},
		{why: "a Secret without credentials", secret: "empty", problem: `spec.helm.secretRef: Secret "empty" has no credentials`},
		{why: "a Secret that does not exist", secret: "missing", problem: `spec.helm.secretRef: Secret "missing" does not exist in namespace`},
		{why: "a Secret without certificates", certSecret: "empty", problem: `spec.helm.certSecretRef: Secret "empty" has no certificate`},
		{why: "a Secret of certificates that does not exist", certSecret: "missing", problem: `spec.helm.certSecretRef: Secret "missing" does not exist in namespace`},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			var sent string
			server := startServer(t, func(w http.ResponseWriter, r *http.Request) {
				sent = r.Header.Get("Authorization")
				respondWith(200, nil, indexYAML)(w, r)
			})
			ms := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main"}}
			ms.Spec.Helm = &v1alpha1.HelmSource{URL: server.URL}
			if c.secret != "" {
				ms.Spec.Helm.SecretRef = &v1alpha1.LocalObjectReference{Name: c.secret}
			}
			if c.certSecret != "" {
				ms.Spec.Helm.CertSecretRef = &v1alpha1.LocalObjectReference{Name: c.certSecret}
			}
			opened, err := source.FromSpec(t.Context(), cluster.Client, ms, source.Options{Network: netguard.Policy{Loopback: true}})
			if c.problem != "" {
				g.Expect(err).To(MatchError(HavePrefix(c.problem)))
				g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonReferenceNotFound))
				g.Expect(outcome.IsStalled(err)).To(BeTrue())
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			_, err = opened.List(t.Context(), hydrate.Cursor{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(sent).To(Equal(c.sent))
		})
	}
}
