package app

import (
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
	g.Expect(inspect("shop", "")).To(MatchError(ContainSubstring("denied")), "a source without credentials does not get the result of another")
	g.Expect(inspect("team", "")).To(MatchError(ContainSubstring("denied")))
	g.Expect(inspect("team", "registry")).To(MatchError(ContainSubstring(`Secret "registry" does not exist in namespace "team"`)))
}
