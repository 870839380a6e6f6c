package app

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	registryserver "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/registry"
	"github.com/appmarket/operator/test/mutualtls"
	"github.com/appmarket/operator/test/proxyserver"
)

// TestImagesAreInspectedWithTheCredentialsOfTheSource inspects an image of a registry that
// requires credentials, as several sources.
func TestImagesAreInspectedWithTheCredentialsOfTheSource(t *testing.T) {
	g := NewWithT(t)
	store := registryserver.New(registryserver.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "robot" || password != "s3cret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		store.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	image, err := random.Image(100, 1)
	g.Expect(err).NotTo(HaveOccurred())
	ref, err := name.ParseReference(host + "/team/app:1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(remote.Write(ref, image, remote.WithAuth(&authn.Basic{Username: "robot", Password: "s3cret"}))).To(Succeed())

	auth := base64.StdEncoding.EncodeToString([]byte("robot:s3cret"))
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "registry", Labels: map[string]string{v1alpha1.CredentialsLabel: "true"}},
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, host, auth)},
	}
	o, err := parseFlags([]string{"--market-namespaces=shop", "--allow-loopback-addresses"})
	g.Expect(err).NotTo(HaveOccurred())
	inspectors, err := newImageInspectors(o, fake.NewClientBuilder().WithObjects(secret).Build())
	g.Expect(err).NotTo(HaveOccurred())
	inspect := func(namespace, secret string) error {
		source := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main"}}
		if secret != "" {
			source.Spec.RegistrySecretRef = &v1alpha1.LocalObjectReference{Name: secret}
		}
		_, err := inspectors.inspectorFor(t.Context(), source).Inspect(t.Context(), host+"/team/app:1")
		return err
	}
	g.Expect(inspect("shop", "registry")).To(Succeed())
	g.Expect(inspect("shop", "registry")).To(Succeed())
	g.Expect(inspect("shop", "")).To(MatchError(registry.ErrDenied), "a source without credentials does not get the result of another")
	g.Expect(inspect("team", "")).To(MatchError(registry.ErrDenied))
	g.Expect(inspect("team", "registry")).To(MatchError(ContainSubstring(`Secret "registry" does not exist in namespace "team"`)))
}

// TestImagesAreInspectedWithTheCertificateAndTheProxyOfTheSource has a registry that requires a client
// certificate, and that only a proxy can resolve.
func TestImagesAreInspectedWithTheCertificateAndTheProxyOfTheSource(t *testing.T) {
	g, authority := NewWithT(t), mutualtls.NewAuthority(t)
	proxy := proxyserver.Start(t, nil)
	store := registryserver.New(registryserver.Logger(log.New(io.Discard, "", 0)))
	certificate, key := authority.Issue(t, "market")
	for _, host := range []string{"registry.example", "other.example"} {
		server := httptest.NewUnstartedServer(store)
		server.TLS, server.Config.ErrorLog = authority.ServerConfig(t, tls.RequireAndVerifyClientCert, host), log.New(io.Discard, "", 0)
		server.StartTLS()
		t.Cleanup(server.Close)
		proxy.Hosts[host+":443"] = server.Listener.Addr().String()
	}
	plain := httptest.NewServer(store)
	t.Cleanup(plain.Close)
	image, err := random.Image(100, 1)
	g.Expect(err).NotTo(HaveOccurred())
	ref, err := name.ParseReference(strings.TrimPrefix(plain.URL, "http://") + "/team/app:1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(remote.Write(ref, image)).To(Succeed())

	labels := map[string]string{v1alpha1.CredentialsLabel: "true"}
	cert := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cert", Labels: labels},
		Data: map[string][]byte{"ca.crt": authority.PEM, "tls.crt": certificate, "tls.key": key}}
	through := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "proxy", Labels: labels},
		Data: map[string][]byte{"address": []byte(proxy.URL)}}
	o, err := parseFlags([]string{"--market-namespaces=shop", "--allow-loopback-addresses"})
	g.Expect(err).NotTo(HaveOccurred())
	inspectors, err := newImageInspectors(o, fake.NewClientBuilder().WithObjects(cert, through).Build())
	g.Expect(err).NotTo(HaveOccurred())
	inspect := func(image, certificate string) error {
		source := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "main"}}
		source.Spec.OCI = &v1alpha1.OCISource{URL: "oci://registry.example/charts/app", ProxySecretRef: &v1alpha1.LocalObjectReference{Name: "proxy"}}
		if certificate != "" {
			source.Spec.OCI.CertSecretRef = &v1alpha1.LocalObjectReference{Name: certificate}
		}
		_, err := inspectors.inspectorFor(t.Context(), source).Inspect(t.Context(), image)
		return err
	}
	g.Expect(inspect("registry.example/team/app:1", "cert")).To(Succeed())
	g.Expect(proxy.TakeRequests()).To(And(Not(BeEmpty()), HaveEach("CONNECT registry.example:443")))
	g.Expect(inspect("other.example/team/app:1", "cert")).NotTo(Succeed(), "the certificate is for the server of the source")
	g.Expect(inspect("registry.example/team/app:1", "")).NotTo(Succeed(), "a source without the certificate does not get the result of another")
	problem := inspect("registry.example/team/app:1", "missing")
	g.Expect(problem).To(MatchError(ContainSubstring(`spec.oci.certSecretRef: Secret "missing" does not exist in namespace "shop"`)))
	g.Expect(outcome.IsStalled(problem)).To(BeFalse(), "a registry that cannot be accessed is not a failure of an app")
}
