package source_test

import (
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/test/testenv"
)

// TestSecretsOfARegistry lists a registry with Secrets of an API server, and compares the credentials that the
// registry receives.
func TestSecretsOfARegistry(t *testing.T) {
	cluster := testenv.Start(t)
	r := startRegistry(t)
	r.push(t, "charts/web", "1.0.0", web("1.0.0"))
	var sent string
	r.before = func(w http.ResponseWriter, request *http.Request) bool {
		if sent = request.Header.Get("Authorization"); sent == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
		return sent == ""
	}
	const login = "Basic cm9ib3Q6czNjcjN0" // robot:s3cr3t
	const entry = `{"username":"robot","password":"s3cr3t"}`
	config := func(entries string) map[string]string {
		return map[string]string{corev1.DockerConfigJsonKey: `{"auths":{` + strings.ReplaceAll(entries, "HOST", r.host) + `}}`}
	}
	for _, c := range []struct {
		why     string
		data    map[string]string
		problem string
	}{
		{"user name and password", map[string]string{"username": "robot", "password": "s3cr3t"}, ""},
		{"an entry of the registry", config(`"HOST":` + entry), ""},
		{"an entry with a scheme, and the other form of credentials", config(`"https://HOST/v2/":{"auth":"cm9ib3Q6czNjcjN0"}`), ""},
		{"the entry with the longest path", config(`"HOST":{"username":"other","password":"x"},"HOST/charts":` + entry), ""},
		{"entries of other registries", config(`"registry.example":` + entry + `,"HOST/other":` + entry), `the docker config in Secret "login" has no username and password for ` + r.host + "/charts/web"},
		{"no JSON", map[string]string{corev1.DockerConfigJsonKey: "s3cr3t"}, `key ".dockerconfigjson" of Secret "login": want JSON`},
		{"another key", map[string]string{"token": "s3cr3t"}, `Secret "login" has no credentials: add the keys username and password`},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			namespace := cluster.Namespace(t, nil)
			cluster.Create(t, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "login", Labels: map[string]string{v1alpha1.CredentialsLabel: "true"}},
				StringData: c.data,
			})
			ms := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main"}}
			ms.Spec.OCI = &v1alpha1.OCISource{URL: "oci://" + r.host + "/charts/web", Insecure: ptr.To(true), SecretRef: &v1alpha1.LocalObjectReference{Name: "login"}}
			opened, err := source.FromSpec(t.Context(), cluster.Client, ms, source.Options{Network: netguard.Policy{Loopback: true}})
			if c.problem != "" {
				g.Expect(err).To(MatchError(And(HavePrefix("spec.oci.secretRef: "), ContainSubstring(c.problem), Not(ContainSubstring("s3cr3t")))))
				g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonReferenceNotFound))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			listing, err := opened.List(t.Context(), hydrate.Cursor{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(listing.Apps).To(HaveLen(1))
			g.Expect(sent).To(Equal(login))
		})
	}
}
