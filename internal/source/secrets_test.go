package source_test

import (
	"crypto/tls"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/test/mutualtls"
	"github.com/appmarket/operator/test/testenv"
)

// TestTransportSecretsOfSpec reads Secrets with certificates and proxies from an API server.
func TestTransportSecretsOfSpec(t *testing.T) {
	cluster := testenv.Start(t)
	namespace := cluster.Namespace(t, nil)
	authority := mutualtls.NewAuthority(t)
	certificate, key := authority.Issue(t, "market")
	_, otherKey := authority.Issue(t, "market")
	labeled := map[string]string{v1alpha1.CredentialsLabel: "true"}
	for _, c := range []struct {
		why           string
		labels        map[string]string
		cert, proxy   map[string]string
		reason, about string
	}{
		{why: "authorities need no label", cert: map[string]string{"ca.crt": string(authority.PEM)}},
		{why: "a certificate and its key", labels: labeled, cert: map[string]string{"tls.crt": string(certificate), "tls.key": string(key)}},
		{why: "all keys", labels: labeled, cert: map[string]string{"ca.crt": string(authority.PEM), "tls.crt": string(certificate), "tls.key": string(key)}},
		{why: "a proxy", labels: labeled, proxy: map[string]string{"address": "http://proxy.example:3128"}},
		{why: "a proxy with credentials", labels: labeled, proxy: map[string]string{"address": "https://proxy.example/", "username": "me", "password": "s3cr3t"}},
		{why: "a key without the label", cert: map[string]string{"tls.crt": string(certificate), "tls.key": string(key)},
			reason: v1alpha1.ReasonReferenceNotFound, about: `spec.helm.certSecretRef: Secret "cert" does not have the label appmarket.io/credentials=true`},
		{why: "a proxy without the label", proxy: map[string]string{"address": "http://proxy.example:3128"},
			reason: v1alpha1.ReasonReferenceNotFound, about: `spec.helm.proxySecretRef: Secret "proxy" does not have the label`},
		{why: "no certificates", labels: labeled, cert: map[string]string{"x": "y"},
			reason: v1alpha1.ReasonReferenceNotFound, about: `spec.helm.certSecretRef: Secret "cert" has no certificate: add the key "ca.crt"`},
		{why: "no private key", labels: labeled, cert: map[string]string{"ca.crt": string(authority.PEM), "tls.crt": string(certificate)},
			reason: v1alpha1.ReasonInvalidSpec, about: `spec.helm.certSecretRef: Secret "cert": key "tls.key" is missing`},
		{why: "no certificate for the key", labels: labeled, cert: map[string]string{"tls.key": string(key)},
			reason: v1alpha1.ReasonInvalidSpec, about: `spec.helm.certSecretRef: Secret "cert": key "tls.crt" is missing`},
		{why: "the key of another certificate", labels: labeled, cert: map[string]string{"tls.crt": string(certificate), "tls.key": string(otherKey)},
			reason: v1alpha1.ReasonInvalidSpec, about: `spec.helm.certSecretRef: Secret "cert": keys "tls.crt" and "tls.key" are not a certificate`},
		{why: "text that is no key", labels: labeled, cert: map[string]string{"tls.crt": string(certificate), "tls.key": "s3cr3t"},
			reason: v1alpha1.ReasonInvalidSpec, about: `spec.helm.certSecretRef: Secret "cert": keys "tls.crt" and "tls.key" are not a certificate`},
		{why: "authorities that are not in PEM", cert: map[string]string{"ca.crt": "s3cr3t"},
			reason: v1alpha1.ReasonInvalidSpec, about: `spec.helm.certSecretRef: Secret "cert": key "ca.crt" contains no certificate in PEM`},
		{why: "no address", labels: labeled, proxy: map[string]string{"username": "me", "password": "s3cr3t"},
			reason: v1alpha1.ReasonReferenceNotFound, about: `spec.helm.proxySecretRef: Secret "proxy" has no key "address"`},
		{why: "an address without a scheme", labels: labeled, proxy: map[string]string{"address": "s3cr3t.example:3128"},
			reason: v1alpha1.ReasonInvalidSpec, about: `spec.helm.proxySecretRef: Secret "proxy": key "address" must be the http or https URL of a proxy`},
		{why: "an address of another protocol", labels: labeled, proxy: map[string]string{"address": "socks5://proxy.example"},
			reason: v1alpha1.ReasonInvalidSpec, about: `spec.helm.proxySecretRef: Secret "proxy": key "address" must be`},
		{why: "an address with a path", labels: labeled, proxy: map[string]string{"address": "http://proxy.example/s3cr3t"},
			reason: v1alpha1.ReasonInvalidSpec, about: `spec.helm.proxySecretRef: Secret "proxy": key "address" must be`},
		{why: "credentials in the address", labels: labeled, proxy: map[string]string{"address": "http://me:s3cr3t@proxy.example"},
			reason: v1alpha1.ReasonInvalidSpec, about: `spec.helm.proxySecretRef: Secret "proxy": key "address" must not contain credentials`},
		{why: "a password without a user name", labels: labeled, proxy: map[string]string{"address": "http://proxy.example", "password": "s3cr3t"},
			reason: v1alpha1.ReasonInvalidSpec, about: `spec.helm.proxySecretRef: Secret "proxy": key "username" is missing`},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			ms := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main"}}
			ms.Spec.Helm = &v1alpha1.HelmSource{URL: "https://charts.example"}
			if c.cert != nil {
				ms.Spec.Helm.CertSecretRef = &v1alpha1.LocalObjectReference{Name: "cert"}
			}
			if c.proxy != nil {
				ms.Spec.Helm.ProxySecretRef = &v1alpha1.LocalObjectReference{Name: "proxy"}
			}
			for name, data := range map[string]map[string]string{"cert": c.cert, "proxy": c.proxy} {
				secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: c.labels}, StringData: data}
				g.Expect(cluster.Client.Create(t.Context(), secret)).To(Succeed())
				defer func() { g.Expect(cluster.Client.Delete(t.Context(), secret)).To(Succeed()) }()
			}
			_, err := source.FromSpec(t.Context(), cluster.Client, ms, source.Options{})
			if c.reason == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			expectOutcome(g, err, true, c.reason)
			g.Expect(err).To(MatchError(HavePrefix(c.about)))
		})
	}
}

// TestChangedCertificateIsUsed replaces a certificate that the server rejects, for each type that has one.
func TestChangedCertificateIsUsed(t *testing.T) {
	g, cluster := NewWithT(t), testenv.Start(t)
	namespace := cluster.Namespace(t, nil)
	authority := mutualtls.NewAuthority(t)
	server := startCertifiedServer(t, authority.ServerConfig(t, tls.RequireAndVerifyClientCert, "127.0.0.1"), respondWith(200, nil, indexYAML))
	certificate, key := mutualtls.NewAuthority(t).Issue(t, "stranger")
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "cert", Labels: map[string]string{v1alpha1.CredentialsLabel: "true"}},
		Data:       map[string][]byte{"ca.crt": authority.PEM, "tls.crt": certificate, "tls.key": key},
	}
	cluster.Create(t, secret)
	ms := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main"}}
	ms.Spec.Helm = &v1alpha1.HelmSource{URL: server.URL, CertSecretRef: &v1alpha1.LocalObjectReference{Name: "cert"}}
	list := func() error {
		opened, err := source.FromSpec(t.Context(), cluster.Client, ms, source.Options{Network: netguard.Policy{Loopback: true}, Shared: &source.SharedListings{}})
		g.Expect(err).NotTo(HaveOccurred())
		_, err = opened.List(t.Context(), hydrate.Cursor{})
		return err
	}
	g.Expect(outcome.Reason(list(), "")).To(Equal(v1alpha1.ReasonUnauthorized))

	g.Expect(cluster.Client.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: "cert"}, secret)).To(Succeed())
	secret.Data["tls.crt"], secret.Data["tls.key"] = authority.Issue(t, "market")
	g.Expect(cluster.Client.Update(t.Context(), secret)).To(Succeed())
	g.Expect(list()).To(Succeed())
	g.Expect(server.takeClients()).To(Equal([]string{"market"}))
}
